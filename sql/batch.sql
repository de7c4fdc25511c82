-- Same text, same bits: alone, in one array, in arrays of any length.
CREATE TABLE alone AS SELECT id, array_send(embed(body)) AS bits FROM docs;
CREATE FUNCTION split(size integer) RETURNS TABLE (id integer, bits bytea) LANGUAGE sql AS $$
    SELECT first + at::integer - 1, array_send(embedding)
    FROM generate_series(1, 2000, size) AS first,
         embed(ARRAY(SELECT body FROM docs WHERE id >= first AND id < first + size ORDER BY id))
             WITH ORDINALITY AS v(embedding, at)
$$;
SELECT size, count(*) AS texts, sum((s.bits = alone.bits)::integer) AS same
FROM unnest(ARRAY[1, 7, 300, 2000]) AS size, split(size) AS s JOIN alone USING (id)
GROUP BY size ORDER BY size;

-- Among longer neighbours, and in the select list.
SELECT count(*) AS texts, sum((array_send(embedding) = bits)::integer) AS same
FROM (SELECT generate_subscripts(texts, 1) AS at, embed(texts) AS embedding
      FROM (SELECT array_agg(CASE WHEN odd = 1 THEN body ELSE repeat('river mountain ', id % 50) END
                             ORDER BY id, odd) AS texts
            FROM docs, generate_series(0, 1) AS odd) AS all_texts) AS rows
JOIN alone ON at = 2 * id;

-- An array is embedded a slice at a time: LIMIT stops early, and NULLs are no texts.
SET client_min_messages = debug1;
SELECT count(*) FROM (SELECT embed(array_agg(body ORDER BY id)) FROM docs LIMIT 5) AS five;
SELECT count(*) FROM (SELECT embed(array_agg(NULLIF(body, 'winter') ORDER BY id)) FROM docs
                      WHERE id <= 300) AS rows;
RESET client_min_messages;

-- Parallel workers compute the same.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT id, embed(body) FROM docs;
SELECT count(*) AS texts, sum((array_send(embedding) = bits)::integer) AS same
FROM (SELECT id, embed(body) AS embedding FROM docs OFFSET 0) AS v JOIN alone USING (id);
DROP TABLE alone;
