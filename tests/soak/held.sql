-- What the session holds when it has given up all models but one.
SET sembed.max_loaded = 1;
SELECT soak.check(embed('tiny-bert', t.body) = k.embedding, 'tiny-bert ' || t.id)
FROM soak.known AS k JOIN soak.models AS m ON m.id = k.model JOIN soak.texts AS t ON t.id = k.text
WHERE NOT m.ranks AND m.name = 'tiny-bert' AND t.id = 1;
SELECT soak.check(cardinality(embed('tiny-bert', 'a river')) > 0, 'tiny-bert again');
INSERT INTO soak.held DEFAULT VALUES;
RESET sembed.max_loaded;
