-- One text, by a model that the call names.
\set model random(1, :embedders)
\set text random(1, :texts)
SELECT soak.check(embed(m.name, t.body) = k.embedding AND token_count(m.name, t.body) = k.tokens, 'embed ' || m.name || ' ' || t.id)
FROM soak.known AS k JOIN soak.models AS m ON m.id = k.model JOIN soak.texts AS t ON t.id = k.text
WHERE NOT m.ranks AND k.model = :model AND k.text = :text;
