-- The core reads UTF-8; databases of other encodings give the same vectors.
\getenv models SEMBED_REGRESS_MODELS
\set good :models /good
SELECT md5(array_send(embed('tiny-bert', U&'Le caf\00e9 pr\00e8s du th\00e9\00e2tre'))) AS cafe,
       md5(array_send(embed('tiny-bert', U&'ri\fffdver'))) AS replaced,
       md5(array_send(embed('tiny-bert', U&'\fffd'))) AS replacement,
       md5(array_send(embed('tiny-bert', 'river'))) AS river \gset
SELECT :'cafe' <> :'river' AS differ, current_database() AS home \gset

CREATE DATABASE regress_sembed_latin1
    ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER 'libc' TEMPLATE template0;
CREATE DATABASE regress_sembed_bytes
    ENCODING 'SQL_ASCII' LOCALE 'C' LOCALE_PROVIDER 'libc' TEMPLATE template0;

\c regress_sembed_latin1
SET sembed.model_path = :'good';
CREATE EXTENSION sembed;
SELECT md5(array_send(embed('tiny-bert', E'Le caf\xe9 pr\xe8s du th\xe9\xe2tre'))) = :'cafe' AS same;
SELECT array_agg(md5(array_send(embedding)) = :'cafe') AS same
FROM embed('tiny-bert', ARRAY['river', E'Le caf\xe9 pr\xe8s du th\xe9\xe2tre']) AS embedding;
-- Places are characters of this encoding, and so are chunks. What is not ASCII in a token is not shown.
SELECT position, token, start, stop, convert_to(substr(content, start + 1, stop - start), 'LATIN1') AS source
FROM (SELECT E'caf\xe9 \xe9t\xe9 r' AS content OFFSET 0) AS texts, tokenize('tiny-bert', content);
SELECT chunk_index, convert_to(text, 'LATIN1') AS text, start, stop
FROM chunk('tiny-bert', E'Un caf\xe9 l\xe0. Deux th\xe9s \xe0 c\xf4t\xe9.', 16);
SELECT prompted = direct AS prompted FROM embed('tiny-bert', 'th', prompt => E'\xe9\xe0 ') AS prompted,
       embed('tiny-bert', E'\xe9\xe0 th') AS direct;
\set VERBOSITY terse
SELECT embed(E'mod\xe8le', 'river');

-- SQL_ASCII says nothing about the bytes: what is not UTF-8 is read as U+FFFD, as the reference does.
\c regress_sembed_bytes
SET sembed.model_path = :'good';
CREATE EXTENSION sembed;
SELECT md5(array_send(embed('tiny-bert', E'Le caf\xc3\xa9 pr\xc3\xa8s du th\xc3\xa9\xc3\xa2tre'))) = :'cafe' AS same,
       md5(array_send(embed('tiny-bert', E'ri\xffver'))) = :'replaced' AS replaced,
       md5(array_send(embed('tiny-bert', E'\xc3'))) = :'replacement' AS cut;
SELECT count(*), min(cardinality(embedding))
FROM generate_series(128, 255) AS byte,
     embed('tiny-bert', convert_from(set_byte('ab', 1, byte), 'SQL_ASCII')) AS embedding;

-- There a character is a byte.
SELECT position, token, start, stop, convert_to(substr(content, start + 1, stop - start), 'SQL_ASCII') AS source
FROM (SELECT E'caf\xc3\xa9 r\xff' AS content OFFSET 0) AS texts, tokenize('tiny-bert', content);
SELECT chunk_index, convert_to(text, 'SQL_ASCII') AS text, start, stop FROM chunk('tiny-bert', E'caf\xc3\xa9. r\xff.', 6);

\c :home
DROP DATABASE regress_sembed_latin1;
DROP DATABASE regress_sembed_bytes;
