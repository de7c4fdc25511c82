-- With pgvector: columns and indexes of its types, filled by embed, and distances that agree.
CREATE EXTENSION vector;
CREATE TABLE pages (id integer PRIMARY KEY, body text NOT NULL,
                    embedding vector(24) GENERATED ALWAYS AS (embed('tiny-bert', body)) STORED);
INSERT INTO pages SELECT id, body FROM docs WHERE id <= 500;
ANALYZE pages;
SELECT embed('tiny-bert', 'river')::vector(24) = (embed('tiny-bert', 'river')::vector) AS same,
       (embed('tiny-bert', 'river')::vector)::real[] = embed('tiny-bert', 'river') AS and_back;
INSERT INTO pages (id, body) VALUES (501, 'winter');
SELECT embedding::real[] = embed('winter') AS generated FROM pages WHERE id = 501;
SELECT embed('river')::vector(25);
CREATE TABLE assigned (embedding vector(24), half halfvec(24));
INSERT INTO assigned VALUES (embed('river'), embed('river'));
SELECT embedding <-> half::vector < 0.001 AS near FROM assigned;
DROP TABLE assigned;

-- Its distances and our similarities. It computes in float, we in double.
SELECT max(abs(1 - (a.embedding <=> b.embedding) - cos_sim(a.embedding, b.embedding))) < 1e-6 AS cosine,
       max(abs(-(a.embedding <#> b.embedding) - dot_score(a.embedding, b.embedding))) < 1e-6 AS dot,
       max(abs(-(a.embedding <-> b.embedding) - euclidean_sim(a.embedding, b.embedding))) < 1e-6 AS euclidean,
       max(abs(-(a.embedding <+> b.embedding) - manhattan_sim(a.embedding, b.embedding))) < 1e-5 AS manhattan
FROM pages AS a, pages AS b WHERE a.id % 10 = 0;
SELECT max(vector_norm(l2_normalize(embedding) - l2_normalize(embedding::real[])::vector)) < 1e-6 AS l2_normalize,
       bool_and(quantize_binary(embedding)::bit(24) = binary_quantize(embedding)) AS quantize_binary FROM pages;

-- The share of the ten closest, by cos_sim, that a search finds: those as close as the tenth, for many
-- texts here are the same for the model.
CREATE FUNCTION recall(search text) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    query text;
    tenth double precision;
    found integer;
    hits integer = 0;
BEGIN
    FOR query IN SELECT body FROM pages WHERE id % 25 = 1 LOOP
        SELECT cos_sim(embedding, embed(query)) INTO tenth FROM pages ORDER BY 1 DESC LIMIT 1 OFFSET 9;
        EXECUTE 'SELECT count(*) FROM (' || search || ' LIMIT 10) AS best JOIN pages USING (id)
                 WHERE cos_sim(pages.embedding, embed($1)) > $2 - 1e-6' INTO found USING query, tenth;
        hits = hits + found;
    END LOOP;
    RETURN hits / (10.0 * (SELECT count(*) FROM pages WHERE id % 25 = 1));
END $$;
SET enable_seqscan = off;
SET enable_sort = off;

-- An index on the column. embed(text) is STABLE: computed once, then searched for.
CREATE INDEX pages_embedding ON pages USING hnsw (embedding vector_cosine_ops);
EXPLAIN (COSTS OFF) SELECT id FROM pages ORDER BY embedding <=> embed('winter')::vector LIMIT 5;
SELECT id, body FROM pages ORDER BY embedding <=> embed('winter')::vector LIMIT 1;
SELECT recall('SELECT id FROM pages ORDER BY embedding <=> embed($1)::vector') > 0.9 AS recall;
DROP INDEX pages_embedding;

-- On an expression: no column is stored.
CREATE INDEX pages_expression ON pages USING hnsw ((embed('tiny-bert', body)::vector(24)) vector_cosine_ops);
EXPLAIN (COSTS OFF) SELECT id FROM pages
ORDER BY embed('tiny-bert', body)::vector(24) <=> embed('winter')::vector LIMIT 5;
SELECT recall($$SELECT id FROM pages ORDER BY embed('tiny-bert', body)::vector(24) <=> embed($1)::vector$$) > 0.9 AS recall;
DROP INDEX pages_expression;

-- In half the space.
CREATE INDEX pages_half ON pages USING hnsw ((embedding::halfvec(24)) halfvec_cosine_ops);
EXPLAIN (COSTS OFF) SELECT id FROM pages ORDER BY embedding::halfvec(24) <=> embed('winter')::halfvec(24) LIMIT 5;
SELECT recall('SELECT id FROM pages ORDER BY embedding::halfvec(24) <=> embed($1)::halfvec(24)') > 0.9 AS recall;
DROP INDEX pages_half;

-- In a bit for each number; the best of many are then ordered by the vectors themselves.
CREATE INDEX pages_bits ON pages USING hnsw ((quantize_binary(embedding)::bit(24)) bit_hamming_ops);
EXPLAIN (COSTS OFF) SELECT id FROM pages ORDER BY quantize_binary(embedding)::bit(24) <~> quantize_binary(embed('winter'))::bit(24) LIMIT 5;
SELECT quantize_binary(embedding) = quantize_binary(embed('winter')) AS same_bits FROM pages
ORDER BY quantize_binary(embedding)::bit(24) <~> quantize_binary(embed('winter'))::bit(24) LIMIT 1;
RESET enable_sort;
SET hnsw.ef_search = 200;
SELECT recall($$SELECT id FROM (SELECT id, embedding FROM pages
    ORDER BY quantize_binary(embedding)::bit(24) <~> quantize_binary(embed($1))::bit(24) LIMIT 100) AS many
    ORDER BY embedding <=> embed($1)::vector$$) > 0.6 AS recall;
RESET enable_seqscan;

-- Shorter vectors of the same text.
SELECT (embed('tiny-bert', 'river', dims => 8)::vector <=> subvector(embed('tiny-bert', 'river')::vector, 1, 8)) < 1e-6 AS shorter;
DROP TABLE pages;
DROP FUNCTION recall;
DROP EXTENSION vector;
