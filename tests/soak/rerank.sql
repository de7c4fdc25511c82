-- All texts by how well they answer one of them.
\set model random(1, :rerankers)
\set query random(1, 3)
SELECT soak.check(array_agg(r.score ORDER BY r.corpus_id) = (SELECT array_agg(score ORDER BY document) FROM soak.scores
                                                             WHERE model = :model AND query = :query),
                  'rerank ' || m.name || ' ' || q.id)
FROM soak.models AS m, soak.texts AS q, rerank(m.name, q.body, ARRAY(SELECT body FROM soak.texts ORDER BY id)) AS r
WHERE m.ranks AND m.id = :model AND q.id = :query GROUP BY m.name, q.id;
