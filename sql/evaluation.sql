-- spearman, against scipy.stats.spearmanr: ties share their rank, pairs with a NULL are passed over.
SELECT abs(spearman(x, y) - 0.6731618328060892) < 1e-15 AS ties
FROM (VALUES (0.3, 1), (0.1, 2), (0.3, 2), (0.9, 5), (NULL, 7), (-2, 0), (0.55, 4.5), (0.3, NULL), (0.3, 9)) AS v(x, y);
SELECT spearman(x, exp(x)) AS rising, spearman(x, -x ^ 3) AS falling FROM generate_series(-5, 5) AS i, CAST(i AS float8) AS x;
SELECT spearman(x, 1) IS NULL AS constant, spearman(x, x) FILTER (WHERE x = 1) IS NULL AS one,
       spearman(NULL, x) IS NULL AS nulls, spearman(x, 'NaN') AS of_nan,
       round(spearman(x, CASE WHEN x = 3 THEN 'Infinity' ELSE x END)::numeric, 12) AS of_infinity
FROM generate_series(1, 3) AS i, CAST(i AS float8) AS x;
SELECT spearman(x, y) IS NULL AS none FROM (SELECT 1 AS x, 1 AS y WHERE false) AS v;
-- As corr of the ranks, for many pairs with ties; by groups; as a window.
CREATE TABLE pairs AS SELECT i, i % 3 AS part, (i * 7919) % 1009 AS x, (i * 104729 + i / 7) % 997 + i / 50 AS y FROM generate_series(1, 20000) AS i;
ANALYZE pairs;
SELECT abs(spearman(x, y) - corr(rank_x, rank_y)) < 1e-12 AS same
FROM (SELECT x, y, rank() OVER (ORDER BY x) + (count(*) OVER (PARTITION BY x) - 1) / 2.0 AS rank_x,
             rank() OVER (ORDER BY y) + (count(*) OVER (PARTITION BY y) - 1) / 2.0 AS rank_y FROM pairs) AS ranked;
SELECT part, round(spearman(x, x)::numeric, 12) AS same, round(spearman(x, -x)::numeric, 12) AS reverse
FROM pairs GROUP BY part ORDER BY part;
SELECT i, round(spearman(i, i * i) OVER (ORDER BY i)::numeric, 12) AS r FROM generate_series(1, 4) AS i;

-- negative_mse, against sentence-transformers' formula in numpy.
SELECT negative_mse(a, b) AS percent
FROM (VALUES ('{0.5,-1.25,3,0.125}'::real[], '{2,0.125,-0.5,1.5}'::real[]), ('{1,0,0,0}', '{0,1,0,0}'),
             (NULL, '{0,1,0,0}'), ('{1}', NULL)) AS v(a, b);
SELECT negative_mse('{1,2}', '{1,2}') AS equal, negative_mse('{0,0}', '{3,4}') AS percent, negative_mse(NULL, '{1}') IS NULL AS none;
SELECT negative_mse('{1,2}', '{1,2,3}');
SELECT negative_mse('{}', '{}');
SELECT negative_mse('{1,NULL}', '{1,2}');

-- triplet_accuracy, as TripletEvaluator: strictly closer counts.
CREATE TABLE triplets (anchor real[], positive real[], negative real[]);
INSERT INTO triplets VALUES
    ('{1,0}', '{1,0.1}', '{0,1}'),     -- closer by all
    ('{1,0}', '{9,1}', '{1,1}'),       -- by cosine and dot
    ('{1,1}', '{1.5,0.5}', '{9,9}'),   -- by Euclidean and Manhattan
    ('{1,1}', '{3,3}', '{4,1}'),       -- by all but Manhattan
    ('{1,0}', '{5,5}', '{1,0.1}'),     -- by dot
    ('{1,0}', '{6,6}', '{1,0.1}'),     -- by dot
    ('{1,0}', '{0.1,0}', '{0.9,0.2}'), -- by cosine
    ('{1,0}', '{2,2}', '{2,2}'),       -- by none
    ('{1,0}', NULL, '{2,2}');          -- passed over
SELECT triplet_accuracy(anchor, positive, negative) AS cosine,
       triplet_accuracy(anchor, positive, negative, 'cosine') AS cosine_named,
       triplet_accuracy(anchor, positive, negative, 'dot') AS dot,
       triplet_accuracy(anchor, positive, negative, 'euclidean') AS euclidean,
       triplet_accuracy(anchor, positive, negative, 'manhattan') AS manhattan,
       triplet_accuracy(NULL, positive, negative) AS none
FROM triplets;
SELECT triplet_accuracy(anchor, positive, negative, 'Cosine') FROM triplets;
SELECT triplet_accuracy('{1}', '{1}', '{1,2}');
SELECT triplet_accuracy('{1}', '{1,2}', '{1}');

-- Their parts are parts.
SELECT sembed_mean_combine('{1,2}', '{3,4}');
SELECT sembed_mean_result('{1}');
SELECT sembed_negative_mse_add('{1,2}', '{1}', '{1}');

-- In parallel the arguments are computed by the workers, and the results are the same.
CREATE TABLE texts AS SELECT a.id, a.body AS a, b.body AS b, a.id % 17 AS score
FROM docs AS a JOIN docs AS b ON b.id = 1 + (a.id * 31) % 2000 WHERE a.id <= 600;
ANALYZE texts;
SET max_parallel_workers_per_gather = 0;
SELECT spearman(cos_sim(embed(a), embed(b)), score) AS r, negative_mse(embed(a), embed(b)) AS mse,
       triplet_accuracy(embed(a), embed(b), embed('winter')) AS accuracy FROM texts \gset
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
EXPLAIN (VERBOSE, COSTS OFF) SELECT spearman(cos_sim(embed(a), embed(b)), score) FROM texts;
SELECT abs(spearman(cos_sim(embed(a), embed(b)), score) - :r) < 1e-12 AS spearman,
       abs(negative_mse(embed(a), embed(b)) - :mse) < 1e-12 AS negative_mse,
       triplet_accuracy(embed(a), embed(b), embed('winter')) = :accuracy AS triplet_accuracy FROM texts;
-- More rows than one worker's share, and groups in each.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
EXPLAIN (COSTS OFF) SELECT part, spearman(x, y) FROM pairs GROUP BY part;
SELECT part, abs(parallel.r - alone.r) < 1e-12 AS same
FROM (SELECT part, spearman(x, y) AS r FROM pairs GROUP BY part OFFSET 0) AS parallel
JOIN (SELECT part, spearman(x, y) AS r FROM (SELECT part, x, y FROM pairs ORDER BY i) AS v GROUP BY part) AS alone
USING (part) ORDER BY part;
DROP TABLE pairs, triplets, texts;
