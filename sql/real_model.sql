-- all-MiniLM-L6-v2 against sentence-transformers, on hostile, short, long texts in many scripts.
\getenv real SEMBED_REGRESS_REAL
\set golden :real /golden.jsonl
SET sembed.model_path = :'real';
SET sembed.model = 'all-MiniLM-L6-v2';
CREATE TABLE real_golden AS SELECT * FROM golden_file(:'golden');
SELECT count(*) AS texts, sum((content IS NULL)::int) AS not_text_here,
       sum((distance(computed, embedding) < 5e-6)::int) AS near,
       sum((cos_sim(computed, embedding) >= 0.999999)::int) AS same_direction
FROM (SELECT *, embed(content) AS computed FROM real_golden OFFSET 0) AS texts;
SELECT count(*) AS rows, sum((distance(v.embedding, g.embedding) < 5e-6)::int) AS near
FROM embed(ARRAY(SELECT content FROM real_golden ORDER BY line)) WITH ORDINALITY AS v(embedding, line)
JOIN real_golden AS g USING (line);

-- It knows what is meant.
SELECT body FROM (VALUES ('A walk before bed and less coffee help one fall asleep.'),
                         ('The train to the coast leaves at nine.'),
                         ('Knead the dough and let it rise for an hour.')) AS pages(body)
ORDER BY cos_sim(embed(body), embed('treatments for insomnia')) DESC;
SELECT name, architecture, dimensions, max_tokens, layers, similarity FROM sembed_models WHERE loaded;
DROP TABLE real_golden;
