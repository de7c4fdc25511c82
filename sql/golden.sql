-- The fixture model's vectors are those of sentence-transformers.
SELECT count(*) AS texts, sum((content IS NULL)::int) AS not_text_here,
       sum((distance(computed, embedding) < 5e-6)::int) AS near,
       sum((cos_sim(computed, embedding) >= 0.999999)::int) AS same_direction
FROM (SELECT *, embed(content) AS computed FROM golden OFFSET 0) AS texts;

-- Were these random vectors all alike, a wrong encoder would pass.
SELECT min(cos_sim(a.embedding, b.embedding)) < 0.5 AS they_differ FROM golden a, golden b;

-- The array form, in one call.
SELECT count(*) AS rows, sum((distance(v.embedding, golden.embedding) < 5e-6)::int) AS near
FROM embed(ARRAY(SELECT content FROM golden ORDER BY line)) WITH ORDINALITY AS v(embedding, line)
JOIN golden USING (line);
