-- What must fail, each with its own code, and loses nothing.
\set text random(1, :texts)
SELECT soak.check(soak.error_of(statement) = code, statement) FROM (VALUES
    ('42704', $$SELECT embed('nobody', 'a')$$),
    ('42704', $$SELECT embed('tiny-bert@fp4', 'a')$$),
    ('22023', $$SELECT embed('../tiny-bert', 'a')$$),
    ('22023', $$SELECT embed('tiny-bert', 'a', dims => 1000000)$$),
    ('22023', $$SELECT embed('tiny-bert', 'a', layers => 100)$$),
    ('22023', $$SELECT embed('cross-bert', 'a')$$),
    ('22023', $$SELECT rerank_score('tiny-bert', 'a', 'b')$$),
    ('22001', $$SET LOCAL sembed.on_truncate = 'error'; SELECT embed('tiny-bert', repeat('river ', 10000))$$),
    ('22012', $$SELECT 1 / (cardinality(e) - 24) FROM embed('tiny-bert', ARRAY(SELECT body FROM soak.texts)) AS e$$),
    ('42704', $$SELECT embed('no-weights', 'a')$$)) AS failing(code, statement);
SELECT soak.check(embed('tiny-bert', t.body) = k.embedding, 'after errors')
FROM soak.known AS k JOIN soak.models AS m ON m.id = k.model JOIN soak.texts AS t ON t.id = k.text
WHERE m.name = 'tiny-bert' AND t.id = :text;
