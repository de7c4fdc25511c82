-- Which function a literal means.
CREATE VIEW chosen AS SELECT embed('x') AS one, embed('tiny-bert', 'x') AS two;
SELECT pg_get_viewdef('chosen');
DROP VIEW chosen;
SELECT pg_typeof(embed('river')), cardinality(embed('river'));
SELECT pg_typeof(embed('tiny-bert', 'river')), cardinality(embed('tiny-bert', 'river'));
SELECT cardinality(embed('river'::varchar)), cardinality(embed('river'::char(9)));
SELECT count(*), min(cardinality(embedding)) FROM embed('{a,b}'::text[]) AS embedding;
SELECT count(*), min(cardinality(embedding)) FROM embed('tiny-bert', '{a,b}'::text[]) AS embedding;
SELECT count(*) FROM embed(model => 'tiny-bert', texts => ARRAY['a', 'b']);
SELECT embed(text => 'a') = embed(model => 'tiny-bert', text => 'a') AS same;

-- A vector of this model has length 1.
SELECT abs(1 - sqrt(sum(x::float8 ^ 2))) < 1e-6 AS normalized FROM unnest(embed('river')) AS x;

-- NULL gives NULL; an array gives a row for each element, NULL for NULL, and none for no array.
SELECT embed(NULL) IS NULL, embed(NULL, 'x') IS NULL, embed('tiny-bert', NULL::text) IS NULL,
       cos_sim(NULL, '{1}') IS NULL;
SELECT at, embedding IS NULL AS is_null, embedding = embed(texts[at]) AS same
FROM (SELECT ARRAY[NULL, 'river', NULL, '', 'ferry', NULL] AS texts) AS array_of,
     embed(texts) WITH ORDINALITY AS v(embedding, at);
SELECT count(*) FROM embed(NULL::text[]);
SELECT count(*) FROM embed('{}'::text[]);
SELECT count(embedding), count(*) FROM embed('{NULL,NULL}'::text[]) AS embedding;

-- One dimension, whatever its bounds.
SELECT bool_and(embedding = embed(content))
FROM ROWS FROM (embed('[5:6]={a,b}'::text[]), unnest('[5:6]={a,b}'::text[])) AS v(embedding, content);
SELECT embed('{{a,b},{c,d}}'::text[]);

-- Empty text is a text, and a long one is cut at what the model reads.
SELECT cardinality(embed('')), embed('') = embed(' ') AS same_tokens;
SELECT cardinality(embed(repeat('river ', 200000))),
       embed(repeat('river ', 200000)) = embed(repeat('river ', 200)) AS same_tokens;
SELECT cardinality(embed(repeat('x', 1000000)));

-- A text that is stored compressed and out of line.
CREATE TABLE toasted (body text);
INSERT INTO toasted SELECT string_agg(md5(i::text), ' ') FROM generate_series(1, 2000) AS i;
INSERT INTO toasted SELECT repeat('river ', 20000);
SELECT embed(body) = embed(body || '') AS same FROM toasted;
SELECT count(*), count(embedding) FROM toasted, embed(ARRAY[body, body]) AS embedding;
DROP TABLE toasted;

-- cos_sim
SELECT cos_sim('{1,0}', '{1,0}') AS same, cos_sim('{1,0}', '{-2,0}') AS opposite,
       cos_sim('{1,0}', '{0,3}') AS square, cos_sim('{0,0}', '{1,1}') AS of_zero;
SELECT round(cos_sim('{1,2,3}', '{4,5,6}')::numeric, 12) AS cos_sim;
SELECT cos_sim('{3e38,3e38}', '{3e38,3e38}') AS large, cos_sim('{NaN,1}', '{1,1}') AS of_nan;
SELECT round(cos_sim(ARRAY[1, 2], ARRAY[0.5, 1])::numeric, 12) AS of_other_numbers;
SELECT cos_sim('[7:8]={1,0}', '{1,0}') AS other_bounds;
SELECT cos_sim('{1,2}', '{1,2,3}');
SELECT cos_sim('{1,NULL}', '{1,2}');
SELECT cos_sim('{1,2}', '{1,NULL}');
SELECT cos_sim('{{1,2}}', '{1,2}');
SELECT cos_sim('{}', '{}');

-- Versions and models.
SELECT sembed_version() ~ '^\d+\.\d+\.\d+ \(.+\)$' AS version,
       split_part(sembed_version(), ' ', 1) = extversion AS same_version
FROM pg_extension WHERE extname = 'sembed';
SELECT name, folder = current_setting('sembed.model_path') || '/tiny-bert' AS folder, loaded,
       architecture, dimensions, max_tokens, layers, parameters > 10000 AS parameters, similarity
FROM sembed_models;
\c
SELECT name, loaded, architecture, dimensions, max_tokens, layers, parameters, similarity
FROM sembed_models;

-- By meaning, or what random weights make of it: a text is closest to itself.
SELECT id FROM docs ORDER BY cos_sim(embed(body), embed('winter')) DESC, id LIMIT 1;
SELECT body FROM docs WHERE id = 1020;
SELECT id FROM docs
ORDER BY cos_sim(embed(body), embed((SELECT body FROM docs WHERE id = 1020))) DESC, id LIMIT 1;
