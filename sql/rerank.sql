-- Cross-encoders: every fixture with one label against sentence-transformers' predict.
\getenv models SEMBED_REGRESS_MODELS
\set all_models :models /all
SET sembed.model_path = :'all_models';
CREATE TABLE scored AS
SELECT model, line, object ->> 'query' AS query, object ->> 'document' AS document, reals(object -> 'scores') AS expected
FROM goldens WHERE object -> 'scores' IS NOT NULL;
SELECT count(DISTINCT model) >= 5 AS models, count(*) > 50 AS lines FROM scored WHERE cardinality(expected) = 1;
SELECT model, line, rerank_score(model, query, document) - expected[1] AS difference FROM scored
WHERE cardinality(expected) = 1
  AND NOT coalesce(abs(rerank_score(model, query, document) - expected[1]) < 5e-6, false);

-- rerank ranks by the same scores, as CrossEncoder.rank: best first, corpus_id from 0.
CREATE TABLE queries AS
SELECT model, query, array_agg(document ORDER BY line) AS documents, array_agg(expected[1] ORDER BY line) AS expected
FROM scored WHERE cardinality(expected) = 1 GROUP BY model, query;
SELECT count(*) > 20 AS rows, bool_and(text = documents[corpus_id + 1]) AS texts,
       bool_and(abs(score - expected[corpus_id + 1]) < 5e-6) AS scores,
       bool_and(score <= coalesce(above, score)) AS best_first,
       bool_and(score = rerank_score(model, query, text)) AS as_one_pair
FROM (SELECT *, lag(score) OVER (PARTITION BY model, query ORDER BY place) AS above
      FROM queries, rerank(model, query, documents) WITH ORDINALITY AS r(corpus_id, score, text, place)) AS ranked;
SELECT bool_and((SELECT count(*) FROM rerank(model, query, documents)) = cardinality(documents)) AS all_of_them
FROM queries;

-- More documents than are scored at a time; equal scores keep the array's order; NULLs keep their place.
SELECT count(*), count(DISTINCT corpus_id), min(corpus_id), max(corpus_id), bool_and(text = body) AS texts
FROM rerank('cross-bert', 'winter', ARRAY(SELECT body FROM docs WHERE id <= 300 ORDER BY id)) JOIN docs ON id = corpus_id + 1;
SELECT array_agg(corpus_id ORDER BY place) AS corpus_ids
FROM rerank('cross-bert', 'q', ARRAY['same', 'same', NULL, 'same'])
     WITH ORDINALITY AS r(corpus_id, score, text, place);
SELECT corpus_id, text FROM rerank('cross-bert', 'river', ARRAY[NULL, 'the river', NULL, '', 'a ferry on the river'])
ORDER BY corpus_id;
SELECT count(*) AS of_none FROM rerank('cross-bert', 'q', '{}'::text[]);
SELECT count(*) AS of_nulls FROM rerank('cross-bert', 'q', ARRAY[NULL, NULL]::text[]);
SELECT count(*) AS of_null FROM rerank('cross-bert', NULL, ARRAY['a']);
SELECT rerank_score('cross-bert', 'a', NULL) IS NULL AS null_score, rerank_score('cross-bert', '', '') IS NOT NULL AS empty_texts;

-- top_k
SELECT top_k, (SELECT array_agg(corpus_id ORDER BY place) = (array_agg(corpus_id ORDER BY place))[1:nullif(top_k, 0)]
               FROM rerank('cross-bert', 'river', ARRAY['a', 'b', 'c', 'd'], top_k)
                    WITH ORDINALITY AS r(corpus_id, score, text, place)) AS first_of,
       (SELECT count(*) FROM rerank('cross-bert', 'river', ARRAY['a', 'b', 'c', 'd'], top_k => top_k)) AS rows
FROM unnest(ARRAY[0, 1, 3, 4, 5, 2147483647]) AS top_k;
SELECT (SELECT array_agg(r) FROM rerank('cross-bert', 'river', ARRAY['a', 'b', 'c', 'd'], 2) AS r)
     = (SELECT array_agg(r) FROM (SELECT * FROM rerank('cross-bert', 'river', ARRAY['a', 'b', 'c', 'd']) LIMIT 2) AS r) AS the_best;

-- Which function a call means, also with literals and parameters that have no type.
PREPARE two AS SELECT rerank($1, $2);
PREPARE three AS SELECT rerank($1, $2, $3::text[]);
PREPARE three_top AS SELECT rerank($1, $2::text[], $3);
PREPARE three_named AS SELECT rerank($1, $2, top_k => $3);
PREPARE four AS SELECT rerank($1, $2, $3, $4);
PREPARE score AS SELECT rerank_score($1, $2);
PREPARE score_by AS SELECT rerank_score($1, $2, $3);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;
DEALLOCATE ALL;
SELECT count(*) FROM rerank('cross-bert', 'q', '{a,b}'::text[]);
SELECT rerank('cross-bert', 'q', '{a,b}');
SELECT rerank('cross-bert', 'q', '{{a,b},{c,d}}'::text[]);

-- The default: the setting, else the only model there is.
SET sembed.reranker = 'cross-bert';
SELECT corpus_id, text FROM rerank('the river', ARRAY['b', 'a']) ORDER BY corpus_id;
SELECT (SELECT array_agg(r) FROM rerank('river', ARRAY['a', 'b', 'c', 'd'], top_k => 2) AS r)
     = (SELECT array_agg(r) FROM rerank('cross-bert', 'river', ARRAY['a', 'b', 'c', 'd'], 2) AS r) AS the_best;
SELECT rerank_score('the river', 'a') = rerank_score('cross-bert', 'the river', 'a') AS same;
SET sembed.reranker = 'cross-mpnet';
SELECT rerank_score('the river', 'a') = rerank_score('cross-mpnet', 'the river', 'a') AS follows;
SELECT name, dimensions, labels, architecture FROM sembed_models WHERE name ~ '^cross-(bert|mpnet)$' AND loaded ORDER BY name;
\pset format unaligned
\pset tuples_only
SET sembed.reranker = '../models';
SET sembed.reranker = 'tiny-bert';
SELECT error_of($$SELECT rerank('q', ARRAY['a'])$$);
SELECT error_of($$SELECT rerank('q', '{}'::text[])$$);
SELECT error_of($$SELECT rerank_score('q', 'a')$$);
SET sembed.reranker = 'cross-distilbert';
SELECT error_of($$SELECT rerank('q', ARRAY['a'])$$);
SELECT error_of($$SELECT rerank('q', '{}'::text[])$$);
SELECT error_of($$SELECT rerank_score('q', 'a')$$);
RESET sembed.reranker;
SELECT split_part(error_of($$SELECT rerank('q', ARRAY['a'])$$), ':', 1);
SELECT error_of($$SELECT rerank('q', ARRAY['a'])$$) ~ 'several' AND error_of($$SELECT rerank('q', ARRAY['a'])$$) ~ 'sembed.reranker';
RESET sembed.model_path;
SELECT error_of($$SELECT rerank_score('q', 'a')$$);
SELECT error_of($$SELECT rerank('no-such-model', 'q', ARRAY['a'])$$);
SELECT error_of($$SELECT rerank('no-such-model', 'q', ARRAY['a'], top_k => -1)$$);
SET sembed.model_path = :'all_models';
SELECT error_of($$SELECT rerank('cross-bert', 'q', ARRAY['a'], -2147483648)$$);

-- A ranking that takes too long.
SET statement_timeout = '30ms';
SELECT count(*) FROM rerank('cross-bert', 'winter', ARRAY(SELECT body FROM docs, generate_series(1, 20)));
RESET statement_timeout;
SELECT count(*) FROM rerank('cross-bert', 'winter', ARRAY['a']);
DROP TABLE scored, queries;
