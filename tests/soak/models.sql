-- The session's own model changes, and so does how many it keeps; one model's folder changes under it.
\set model random(1, :embedders)
\set text random(1, :texts)
\set kept random(1, 10)
SET sembed.max_loaded = :kept;
SELECT set_config('sembed.model', name, false) FROM soak.models WHERE NOT ranks AND id = :model;
SELECT soak.check(embed(t.body) = k.embedding, 'default model ' || current_setting('sembed.model') || ' ' || t.id)
FROM soak.known AS k JOIN soak.texts AS t ON t.id = k.text WHERE k.model = :model AND k.text = :text;
SELECT soak.check(embed('changing', t.body) IN (SELECT embedding FROM soak.changing WHERE text = t.id), 'changing ' || t.id)
FROM soak.texts AS t WHERE t.id = :text;
