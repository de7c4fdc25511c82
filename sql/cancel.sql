-- A statement that takes too long ends with an error, and the next one works.
CREATE TABLE many AS
    SELECT array_agg(repeat('river mountain ', 30) || i) AS texts FROM generate_series(1, 10000) AS i;
SELECT cardinality(embed('river'));
SET statement_timeout = '20ms';
SELECT count(*) FROM many, embed(texts);
SELECT embed(texts) FROM many OFFSET 9999;
SELECT count(embed(content)) FROM many, unnest(texts) AS content;
RESET statement_timeout;
SELECT cardinality(embed('river'));

DROP TABLE many;
