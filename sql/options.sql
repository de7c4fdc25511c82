-- The options of embed, and the forms for queries and documents.
\getenv models SEMBED_REGRESS_MODELS
\set all_models :models /all
SET sembed.model_path = :'all_models';
SET sembed.model = 'tiny-bert';

-- Which function a call means, by its arguments alone.
CREATE VIEW chosen AS SELECT
    embed('x') AS text, embed('x', 5) AS text_dims, embed('x', dims => 5, layers => 1) AS text_named,
    embed('roberta', 'x') AS model_text, embed('roberta', 'x', 5, 1) AS model_text_dims,
    embed('roberta', 'x', prompt => 'y ') AS model_text_named,
    embed(text => 'x', model => 'roberta') AS swapped,
    embed('x'::varchar, normalize_embeddings => 'never') AS of_varchar,
    embed_query('x') AS query, embed_query('x', 5) AS query_dims, embed_query('roberta', 'x') AS model_query,
    embed_document('roberta', 'x', layers => 1) AS model_document;
SELECT pg_get_viewdef('chosen');
SELECT cardinality(text) AS text, cardinality(text_dims) AS text_dims, cardinality(text_named) AS text_named,
       cardinality(model_text) AS model_text, cardinality(model_text_dims) AS model_text_dims,
       swapped = model_text AS swapped, model_text_named = model_text AS prompted,
       cardinality(query_dims) AS query_dims
FROM chosen;
DROP VIEW chosen;
CREATE VIEW chosen AS SELECT
    embed(ARRAY['x']) AS texts, embed(ARRAY['x'], 5) AS texts_dims, embed(ARRAY['x'], layers => 1) AS texts_named,
    embed('roberta', ARRAY['x']) AS model_texts, embed('roberta', '{x}'::text[], dims => 5) AS model_texts_named,
    embed(texts => '{x}', model => 'roberta') AS swapped;
SELECT pg_get_viewdef('chosen');
SELECT cardinality(texts) AS texts, cardinality(texts_dims) AS texts_dims, cardinality(model_texts) AS model_texts,
       swapped = model_texts AS swapped
FROM chosen;
DROP VIEW chosen;
-- Parameters whose types a program does not say.
PREPARE one AS SELECT embed($1);
PREPARE two AS SELECT embed($1, $2);
PREPARE named AS SELECT embed($1, $2, dims => $3, prompt => $4);
PREPARE query AS SELECT embed_query($1, $2);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;
DEALLOCATE ALL;

-- Every fixture, every option, against sentence-transformers: the largest difference may be a
-- hundred-thousandth of the largest number.
CREATE TABLE asked AS
SELECT model, line, object ->> 'text' AS content, coalesce(object ->> 'role', 'encode') AS role,
       coalesce((object ->> 'dims')::int, 0) AS dims, coalesce((object ->> 'layers')::int, 0) AS layers,
       coalesce(object ->> 'prompt', '') AS prompt,
       CASE WHEN object ->> 'prompt' = '' THEN 'none' ELSE coalesce(object ->> 'prompt_name', '') END AS prompt_name,
       coalesce(object ->> 'normalize', 'model') AS normalize, reals(object -> 'embedding') AS expected
FROM goldens WHERE object -> 'embedding' IS NOT NULL;
CREATE TABLE answered AS
SELECT *, CASE role WHEN 'encode' THEN embed(model, content, dims, layers, prompt, prompt_name, normalize)
                    WHEN 'query' THEN embed_query(model, content, dims, layers, normalize)
                    WHEN 'document' THEN embed_document(model, content, dims, layers, normalize) END AS found
FROM asked;
SELECT model, line, role, dims, layers, prompt, prompt_name, normalize, distance(found, expected) AS distance
FROM answered
WHERE distance(found, expected) > 1e-5 * (SELECT max(abs(x)) FROM unnest(expected) AS x)
   OR cos_sim(found, expected) < 0.999999 OR found IS NULL OR expected IS NULL
ORDER BY model, line;
SELECT count(DISTINCT model) > 20 AS models, count(*) > 400 AS lines, sum((dims > 0)::int) > 5 AS dims,
       sum((layers > 0)::int) > 5 AS layers, sum((prompt <> '')::int) > 2 AS prompt,
       sum((prompt_name = 'none')::int) > 0 AS none, sum((prompt_name NOT IN ('', 'none'))::int) > 2 AS prompt_name,
       sum((role = 'query')::int) > 2 AS query, sum((role = 'document')::int) > 2 AS document,
       sum((normalize = 'always')::int) > 2 AS always, sum((normalize = 'never')::int) > 2 AS never
FROM answered;

-- The forms for arrays, and those of the default model, give the same bits.
SELECT bool_and(array_send(v.found) = array_send(answered.found)) AS arrays
FROM answered, embed(model, ARRAY[content], dims, layers, prompt, prompt_name, normalize) AS v(found)
WHERE role = 'encode';
SET sembed.model = 'prompts';
SELECT bool_and(array_send(embed(content, dims, layers, prompt, prompt_name, normalize)) = array_send(found)) AS of_default
FROM answered WHERE model = 'prompts' AND role = 'encode';
SELECT bool_and(array_send(CASE role WHEN 'query' THEN embed_query(content, dims, layers, normalize)
                           ELSE embed_document(content, dims, layers, normalize) END) = array_send(found)) AS of_default
FROM answered WHERE model = 'prompts' AND role <> 'encode';
SELECT count(*) FROM (SELECT embed(content, prompt_name => 'none') FROM answered
                      WHERE model = 'prompts' AND prompt_name = 'none'
                      EXCEPT SELECT found FROM answered WHERE model = 'prompts' AND prompt_name = 'none') AS other;
SET sembed.model = 'tiny-bert';

-- What is remembered at a place in a query belongs to its options.
SELECT bool_and(embed('roberta', 'river', dims => dims) = truncate_dim(embed('roberta', 'river'), dims)) AS follows
FROM unnest(ARRAY[3, 3, 7, 3, 28, 1]) AS dims;
SELECT count(DISTINCT embed('prompts', 'river', prompt_name => name, normalize_embeddings => how)) AS different
FROM (VALUES ('', 'model'), ('query', 'model'), ('query', 'always'), ('query', 'model'), ('none', 'always')) AS v(name, how);

-- What no model can do.
\pset format unaligned
\pset tuples_only
SELECT error_of($$SELECT embed('x', dims => -1)$$);
SELECT error_of($$SELECT embed('x', dims => 10000)$$);
SELECT error_of($$SELECT embed('x', dims => 25)$$);
SELECT error_of($$SELECT embed('x', layers => -1)$$);
SELECT error_of($$SELECT embed('x', layers => 3)$$);
SELECT error_of($$SELECT embed('x', prompt_name => 'no such')$$);
SELECT error_of($$SELECT embed('x', prompt => 'y ', prompt_name => 'query')$$);
SELECT error_of($$SELECT embed('x', normalize_embeddings => 'true')$$);
SELECT error_of($$SELECT embed('x', normalize_embeddings => '')$$);
SELECT error_of($$SELECT embed(ARRAY['x'], dims => -1)$$);
SELECT error_of($$SELECT embed('tiny-bert', ARRAY['x'], dims => 10000)$$);
SELECT error_of($$SELECT embed('tiny-bert', ARRAY['x'], normalize_embeddings => 'never ')$$);
SELECT error_of($$SELECT embed_query('x', dims => 10000)$$);
SELECT error_of($$SELECT embed_document('no-such-model', 'x')$$) ~ '^42704: model ''no-such-model'' is not found; there are: ';
SELECT error_of($$SELECT embed('cross-bert', 'x')$$);
SELECT error_of($$SELECT embed('x', no_such => 1)$$);
SELECT embed('x', dims => NULL) IS NULL, embed('x', prompt => NULL) IS NULL, embed_query(NULL) IS NULL;

-- A text that is too long, where that is an error: its tokens, and what the model reads. 64 are read.
SELECT token_count(repeat('river ', 31)), token_count(repeat('river ', 32));
SET sembed.on_truncate = 'error';
SELECT cardinality(embed(repeat('river ', 31)));
SELECT error_of($$SELECT embed(repeat('river ', 32))$$);
SELECT error_of($$SELECT embed('tiny-bert', ARRAY['river', repeat('river ', 1000)])$$);
SELECT error_of($$SELECT embed(repeat('river ', 31), prompt => 'find ')$$);
SELECT error_of($$SELECT embed_query(repeat('river ', 32))$$);
SET sembed.on_truncate = 'truncate';
SELECT embed(repeat('river ', 32)) = embed(repeat('river ', 31));
SET sembed.on_truncate = 'maybe';
-- What was remembered under one setting is not handed out under the other.
SELECT error_of($$SELECT embed(repeat('river ', 32)), set_config('sembed.on_truncate', 'error', false)
                  FROM generate_series(1, 2)$$);
RESET sembed.on_truncate;
DROP TABLE asked, answered;
