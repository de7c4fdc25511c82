-- A generated column and an index on an expression, written and rolled back.
\set text random(1, :texts)
INSERT INTO soak.notes SELECT :client_id, id, body FROM soak.texts WHERE id IN (:text, 1, 2);
BEGIN;
INSERT INTO soak.notes SELECT :client_id, id, body FROM soak.texts WHERE id % 10 = 1;
ROLLBACK;
SELECT soak.check(bool_and(n.embedding = k.embedding), 'generated column')
FROM soak.notes AS n JOIN soak.known AS k USING (text) JOIN soak.models AS m ON m.id = k.model
WHERE n.session = :client_id AND m.name = 'tiny-bert' AND NOT m.ranks;
DELETE FROM soak.notes WHERE session = :client_id;
