-- chunk: a text in pieces that a model reads whole.
\getenv models SEMBED_REGRESS_MODELS
\set all_models :models /all
SET sembed.model_path = :'all_models';
SET sembed.model = 'tiny-bert';
SELECT * FROM chunk('The ferry crosses the river. The train waits at the station! Is it late? Bread and butter.', 16);
SELECT * FROM chunk('tiny-bert', 'river', 0, 0);
SELECT * FROM chunk(U&'  Le caf\00e9 est l\00e0.  \0420\0435\043a\0430 \0442\0435\0447\0451\0442. \+01f44d\+01f3fd ferry  ', max_tokens => 12);

-- In every family's tokenizer, for texts of every kind and several sizes: no chunk has too many
-- tokens, each is the piece of the text that it says, and between them is white space alone.
CREATE TABLE pages AS
    SELECT line AS id, object ->> 'text' AS body FROM goldens WHERE model = 'tiny-bert'
    UNION ALL
    SELECT 10000 + n, (SELECT string_agg(body, '. ' ORDER BY id) FROM docs WHERE id % 100 = n) FROM generate_series(1, 5) AS n;
CREATE TABLE chunks AS
SELECT model, id, max_tokens, overlap, chunk_index, text, start, stop, token_count(model, text) AS tokens
FROM pages, unnest(ARRAY['tiny-bert', 'roberta', 'xlm-roberta']) AS model,
     (VALUES (24, 0), (24, 5), (40, 10), (0, 0)) AS sizes(max_tokens, overlap), chunk(model, body, max_tokens, overlap);
SELECT count(*) > 1000 AS chunks, max(tokens) FILTER (WHERE max_tokens = 24) AS of_24, max(tokens) FILTER (WHERE max_tokens = 40) AS of_40
FROM chunks;
SELECT model, bool_and(tokens <= (SELECT m.max_tokens FROM sembed_models AS m WHERE m.name = model)) AS read_whole
FROM chunks WHERE max_tokens = 0 GROUP BY model ORDER BY model;
SELECT count(*) AS other_texts FROM chunks JOIN pages USING (id) WHERE text <> substr(body, start + 1, stop - start) OR text = '';
-- (All white space of Unicode: \s knows no more than ASCII's in the locale C.)
\set black '[^\\s\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'
SELECT count(*) AS gaps
FROM (SELECT *, coalesce(lag(stop) OVER places, 0) AS before, lag(start) OVER places AS started FROM chunks
      WINDOW places AS (PARTITION BY model, id, max_tokens, overlap ORDER BY chunk_index)) AS c JOIN pages USING (id)
WHERE start > before AND substr(body, before + 1, start - before) ~ :'black' OR overlap = 0 AND start < before OR start <= started;
SELECT count(*) AS cut_short
FROM (SELECT id, model, max_tokens, overlap, max(stop) AS last FROM chunks GROUP BY id, model, max_tokens, overlap) AS c JOIN pages USING (id)
WHERE substr(body, last + 1) ~ :'black';
SELECT bool_or(start < before) AS some_overlap
FROM (SELECT *, lag(stop) OVER (PARTITION BY model, id, max_tokens, overlap ORDER BY chunk_index) AS before FROM chunks) AS c
WHERE overlap = 10;

-- Nothing to cut, the default model, NULL, which function a call means.
SELECT count(*) AS of_empty FROM chunk('');
SELECT count(*) AS of_spaces FROM chunk(E' \n\t ');
SELECT count(*) AS of_null FROM chunk(NULL::text);
PREPARE one AS SELECT chunk($1);
PREPARE two AS SELECT chunk($1, $2);
PREPARE named AS SELECT chunk($1, max_tokens => $2, overlap => $3);
PREPARE four AS SELECT chunk($1, $2, $3, $4);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;
DEALLOCATE ALL;
\pset format unaligned
\pset tuples_only
SELECT error_of($$SELECT chunk('river', -1)$$);
SELECT error_of($$SELECT chunk('river', 2)$$);
SELECT error_of($$SELECT chunk('river', 10000)$$);
SELECT error_of($$SELECT chunk('river', 10, -1)$$);
SELECT error_of($$SELECT chunk('river', 10, 8)$$);
SELECT error_of($$SELECT chunk('../x', 'river')$$);
SET statement_timeout = '20ms';
SELECT count(*) FROM chunk(repeat('river mountain ', 1000000));
RESET statement_timeout;
SELECT count(*) FROM chunk('river');
DROP TABLE pages, chunks;
