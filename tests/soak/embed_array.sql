-- All texts in one call, among some threads.
\set model random(1, :embedders)
\set threads random(1, 3)
SET sembed.threads = :threads;
SELECT soak.check(array_agg(e.embedding ORDER BY e.place) = (SELECT array_agg(embedding ORDER BY text) FROM soak.known WHERE model = :model),
                  'embed(text[]) ' || m.name)
FROM soak.models AS m, embed(m.name, ARRAY(SELECT body FROM soak.texts ORDER BY id)) WITH ORDINALITY AS e(embedding, place)
WHERE NOT m.ranks AND m.id = :model GROUP BY m.name;
RESET sembed.threads;
