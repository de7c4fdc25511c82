-- Similarities and other forms of vectors, against sentence_transformers.util and torch.
CREATE TABLE pairs (a real[], b real[], cos float8, dot float8, euclidean float8, manhattan float8, normalized real[]);
INSERT INTO pairs VALUES
    ('{0.5,-1.25,3,0.1}', '{2,0.125,-0.5,1.5}', -0.06028693385541622, -0.5062499977648258, -4.283762948136565,
     -7.774999998509884, '{0.15198692679405212,-0.3799673020839691,0.911921501159668,0.030397385358810425}'),
    ('{1,0,0,0}', '{0,1,0,0}', 0, 0, -1.4142135623730951, -2, '{1,0,0,0}'),
    ('{-2,0.25,0.75,4}', '{-2,0.25,0.75,4}', 1, 20.625, 0, 0,
     '{-0.44038552045822144,0.05504819005727768,0.16514457762241364,0.8807710409164429}');
SELECT abs(cos_sim(a, b) - cos) < 1e-12 AS cos_sim, abs(dot_score(a, b) - dot) < 1e-12 AS dot_score,
       abs(euclidean_sim(a, b) - euclidean) < 1e-12 AS euclidean_sim,
       abs(manhattan_sim(a, b) - manhattan) < 1e-12 AS manhattan_sim,
       distance(l2_normalize(a), normalized) < 1e-7 AS l2_normalize
FROM pairs;
-- Closer is higher, and a vector is as close as can be to itself.
SELECT euclidean_sim('{1,2}', '{1,2}'), manhattan_sim('{1,2}', '{1,2}'), dot_score('{0,0}', '{5,7}'),
       euclidean_sim('{0}', '{3}') > euclidean_sim('{0}', '{4}') AS closer;

-- A vector that comes again, on either side, as a constant, a column or a variable: the cosine of a call alone.
CREATE TABLE compared AS
SELECT i, ARRAY(SELECT (sin(i * 97 + j * 1.7))::real FROM generate_series(1, 40 + i % 3 * 30) AS j) AS v
FROM generate_series(1, 12) AS i;
CREATE FUNCTION alone(a real[], b real[]) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    result float8;
BEGIN
    EXECUTE format('SELECT cos_sim(%L, %L)', a, b) INTO result;
    RETURN result;
END $$;
CREATE FUNCTION next_to_others(query real[]) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
    result bool := true;
    other real[];
BEGIN
    FOR other IN SELECT v FROM compared WHERE cardinality(v) = cardinality(query) ORDER BY i LOOP
        result := result AND cos_sim(query, other) = alone(query, other) AND cos_sim(other, query) = alone(query, other);
    END LOOP;
    RETURN result;
END $$;
SELECT count(*), bool_and(cos_sim(a.v, b.v) = alone(a.v, b.v)) AS same
FROM compared AS a JOIN compared AS b ON cardinality(a.v) = cardinality(b.v);
SELECT bool_and(cos_sim(a.v, b.v) = alone(a.v, b.v)) AS same
FROM (SELECT a, b FROM compared AS a JOIN compared AS b ON cardinality(a.v) = cardinality(b.v) ORDER BY b.i, a.i OFFSET 0) AS pairs,
     LATERAL (SELECT (a).v) AS a, LATERAL (SELECT (b).v) AS b;
SELECT bool_and(next_to_others(v)) AS same FROM compared;
SELECT v AS query FROM compared WHERE i = 3 \gset
SELECT bool_and(cos_sim(v, :'query') = alone(v, :'query')) AS right_one, bool_and(cos_sim(:'query', v) = alone(:'query', v)) AS left_one
FROM compared WHERE i % 3 = 0;
DROP FUNCTION next_to_others, alone;
DROP TABLE compared;

-- Vectors that grow from row to row and begin alike: what is kept of one does not pile up.
SELECT n, (SELECT sum(total_bytes) < 50000000 FROM pg_backend_memory_contexts) AS small
FROM (SELECT count(cos_sim(v, v)) AS n FROM (SELECT array_fill(1::real, ARRAY[n]) AS v FROM generate_series(1, 6000) AS n) AS vectors
      OFFSET 0) AS similarities;

-- similarity: the one that the model was made for, config_sentence_transformers.json's.
\getenv models SEMBED_REGRESS_MODELS
\set all_models :models /all
SET sembed.model_path = :'all_models';
SELECT bool_and(similarity('tiny-bert', a, b) = cos_sim(a, b)) AS cosine,
       bool_and(similarity('prompts', a, b) = dot_score(a, b)) AS dot FROM pairs;
SELECT model, similarity(model, '{1,0}', '{0,2}') FROM unnest(ARRAY['tiny-bert', 'prompts']) AS model;

SELECT truncate_dim('{1,2,3}', 1) AS one, truncate_dim('[5:7]={1,2,3}', 2) AS two, truncate_dim('{1,2,3}', 3) AS three;
SELECT l2_normalize('{3,4}') AS unit, l2_normalize('{0,0}') AS zero, l2_normalize('{3e38,3e38}') AS large;
SELECT l2_normalize(truncate_dim(v, 8)) = embed('tiny-bert', 'river', dims => 8) AS as_embed_cuts
FROM embed('tiny-bert', 'river', normalize_embeddings => 'never') AS v;

-- 127 for 1, rounded to nearest, ties to even, clamped. A bit is set where the number is positive
-- (numpy.packbits(v > 0)).
SELECT quantize_int8('{1,-1,0,0.5,-0.5,0.004,0.003,2,-3,Infinity,-Infinity,NaN}') AS int8;
SELECT get_byte(quantize_int8('{1,-1,0.25}'), 0), get_byte(quantize_int8('{1,-1,0.25}'), 1) - 256,
       octet_length(quantize_int8(embed('tiny-bert', 'river')));
SELECT quantize_binary('{0.5,-1.25,3,0.1,0,-0,1e-30,-5,7,1}') AS bits,
       quantize_binary('{0.5,-1.25,3,0.1,0,-0,1e-30,-5,7,1}') = B'1011001011' AS same,
       pg_typeof(quantize_binary('{1}')), quantize_binary('{NaN,Infinity,-Infinity}') AS not_numbers,
       length(quantize_binary(embed('tiny-bert', 'river')));
SELECT quantize_binary('{1,-1,1}')::bit(3), quantize_binary('{1,-1,1}') # quantize_binary('{1,1,1}') AS differ;

-- What is not to be compared. NaN and infinity are numbers; what they give is NaN or infinity.
\pset format unaligned
\pset tuples_only
CREATE FUNCTION outcome(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE 'SELECT ' || expression INTO result;
    RETURN coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ': ' || sqlerrm;
END $$;
SELECT f, kind, outcome(f || '(' || arguments || ')')
FROM unnest(ARRAY['cos_sim', 'dot_score', 'euclidean_sim', 'manhattan_sim']) WITH ORDINALITY AS functions(f, n),
     (VALUES (1, 'sizes', $$'{1,2,3}', '{1,2,3,4}'$$), (2, 'zero', $$'{0,0}', '{0,0}'$$), (3, 'zero', $$'{0,0}', '{1,2}'$$),
             (4, 'NaN', $$'{NaN,1}', '{1,1}'$$), (5, 'infinity', $$'{Infinity,1}', '{1,1}'$$),
             (6, 'infinities', $$'{Infinity,1}', '{Infinity,1}'$$), (7, 'large', $$'{3e38,0}', '{-3e38,0}'$$),
             (8, 'NULL inside', $$'{1,NULL}', '{1,2}'$$), (9, 'NULL inside', $$'{1,2}', '{NULL,NULL}'$$),
             (10, '2-D', $$'{{1,2}}', '{{1,2}}'$$), (11, '2-D', $$'{1,2}', '{{1},{2}}'$$),
             (12, 'empty', $$'{}', '{}'$$), (13, 'empty', $$'{1}', '{}'$$), (14, 'NULL', $$NULL, '{}'$$),
             (15, 'no numbers', $$'{1,x}', '{1,2}'$$)) AS cases(m, kind, arguments)
ORDER BY n, m;
SELECT expression, outcome(expression) FROM unnest(ARRAY[
    $$similarity('tiny-bert', '{1,2,3}', '{1,2,3,4}')$$, $$similarity('../x', '{1}', '{1}')$$,
    $$similarity('cross-bert', '{1}', '{1}')$$, $$similarity('tiny-bert', '{}', '{}')$$,
    $$truncate_dim('{1,2,3}', 0)$$, $$truncate_dim('{1,2,3}', -1)$$, $$truncate_dim('{1,2,3}', 4)$$,
    $$truncate_dim('{1,2,3}', 10000)$$, $$truncate_dim('{}', 1)$$, $$truncate_dim('{1,NULL}', 1)$$,
    $$truncate_dim('{{1,2}}', 1)$$, $$truncate_dim('{1}', NULL)$$,
    $$l2_normalize('{}')$$, $$l2_normalize('{1,NULL}')$$, $$l2_normalize('{{1}}')$$, $$l2_normalize('{NaN,1}')$$,
    $$l2_normalize('{Infinity,1}')$$, $$quantize_int8('{}')$$, $$quantize_int8('{1,NULL}')$$,
    $$quantize_int8('{{1}}')$$, $$quantize_binary('{}')$$, $$quantize_binary('{1,NULL}')$$,
    $$quantize_binary('{{1}}')$$, $$quantize_binary(NULL)$$]) AS expression;
SELECT error_of($$SELECT cos_sim('{1,2,3}', '{1,2,3,4}')$$);
DROP TABLE pairs;
DROP FUNCTION outcome;
