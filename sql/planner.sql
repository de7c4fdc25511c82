-- The form that names its model is IMMUTABLE: generated columns, expression indexes.
CREATE TABLE pages (id integer PRIMARY KEY, body text,
                    embedding real[] GENERATED ALWAYS AS (embed('tiny-bert', body)) STORED);
INSERT INTO pages SELECT id, body FROM docs WHERE id <= 100 UNION ALL SELECT 101, NULL;
SELECT count(*), count(embedding), sum((embedding = embed(body))::integer) AS same FROM pages;
UPDATE pages SET body = 'river' WHERE id = 1;
SELECT embedding = embed('river') AS follows FROM pages WHERE id = 1;
CREATE INDEX pages_embedding ON pages (embed('tiny-bert', body));
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM pages WHERE embed('tiny-bert', body) = embed('river');
SELECT id FROM pages WHERE embed('tiny-bert', body) = embed('river');
RESET enable_seqscan;
-- The same with options, and of the other functions; an index is found however the options are written.
CREATE TABLE short (id integer PRIMARY KEY, body text,
                    embedding real[] GENERATED ALWAYS AS (embed_document('tiny-bert', body, dims => 8)) STORED,
                    bits varbit GENERATED ALWAYS AS (quantize_binary(embed('tiny-bert', body))) STORED,
                    bytes bytea GENERATED ALWAYS AS (quantize_int8(l2_normalize(truncate_dim(embed('tiny-bert', body), 8)))) STORED,
                    tokens integer GENERATED ALWAYS AS (token_count('tiny-bert', body)) STORED);
INSERT INTO short SELECT id, body FROM docs WHERE id <= 100;
SELECT bool_and(embedding = embed_document(body, 8)) AS embedding, bool_and(bits = quantize_binary(embed(body))) AS bits,
       bool_and(bytes = quantize_int8(embedding)) AS bytes, bool_and(tokens = token_count(body)) AS tokens FROM short;
CREATE INDEX short_embedding ON short (embed('tiny-bert', body, dims => 8));
CREATE INDEX short_closeness ON short (cos_sim(embed('tiny-bert', body), embed('tiny-bert', 'winter')));
ANALYZE short;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM short WHERE embed('tiny-bert', body, 8) = embed('river', 8);
EXPLAIN (COSTS OFF) SELECT id FROM short
ORDER BY cos_sim(embed(model => 'tiny-bert', text => body), embed('tiny-bert', 'winter')) DESC LIMIT 3;
SELECT id FROM short WHERE embed('tiny-bert', body, 8) = (SELECT embedding FROM short WHERE id = 42);
RESET enable_seqscan;
DROP TABLE short;
CREATE TABLE refused (body text, tokens integer GENERATED ALWAYS AS (token_count(body)) STORED);
CREATE TABLE refused (body text, score real GENERATED ALWAYS AS (rerank_score('a query', body)) STORED);
CREATE TABLE refused (body text, embedding real[] GENERATED ALWAYS AS (embed_query(body)) STORED);
CREATE TABLE refused (body text, embedding real[] GENERATED ALWAYS AS (embed(body)) STORED);
CREATE INDEX refused ON pages (embed(body));
DROP TABLE pages;

-- Rows are sorted and limited before they are embedded, and cheap conditions come first.
EXPLAIN (COSTS OFF, VERBOSE) SELECT id, embed(body) FROM docs ORDER BY body LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM docs WHERE cos_sim(embed(body), embed(body)) > 0.5 AND body LIKE 'r%';

-- An embedding is worth a parallel worker, as soon as the table is large enough to be shared out.
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT id FROM docs WHERE cos_sim(embed(body), embed('winter')) > 0.99;
RESET min_parallel_table_scan_size;

-- A constant text is embedded once in a statement, though a STABLE function is called for each row.
-- (SQL that is not folded away: 20 texts of the table and one more.)
SET max_parallel_workers_per_gather = 0;
CREATE VIEW twenty AS SELECT id, body FROM docs WHERE id <= 20;
CREATE TABLE twenty_vectors AS SELECT id, embed(body) AS embedding FROM twenty;
SET client_min_messages = debug1;
SELECT count(*) FROM twenty_vectors WHERE cos_sim(embedding, embed('winter')) > -2;
SELECT count(*) FROM twenty_vectors WHERE cos_sim(embedding, embed('tiny-bert', lower('WINTER'))) > -2;
SELECT count(*) FROM twenty WHERE id <= 3 AND cos_sim(embed(body), embed('winter')) > -2;
-- The same for a handful of texts, in whatever order a join brings them.
SELECT count(*) FROM twenty_vectors, (VALUES ('ferry'), ('train')) AS queries(query)
WHERE cos_sim(embedding, embed(query)) > -2;
PREPARE search(text) AS SELECT count(*) FROM twenty_vectors WHERE cos_sim(embedding, embed($1)) > -2;
EXECUTE search('winter');
EXECUTE search('summer');
RESET client_min_messages;

-- What is remembered is the text of the last row, never a wrong one.
SELECT sum((embed(content) = embed('tiny-bert', content))::integer) AS same
FROM unnest(ARRAY['a', 'a', 'b', '', 'b', 'ab', 'a', repeat('long ', 3000), repeat('long ', 3000), 'a'])
     AS content;
SELECT bool_and(embed(model, content) = embed(content))
FROM (VALUES ('tiny-bert', 'a'), ('tiny-bert', 'a'), ('tiny-bert', 'b')) AS calls(model, content);
