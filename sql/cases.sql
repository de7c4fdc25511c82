-- The statements of tests/sql-cases, which SQLite's tests run too: they give the same in both.
\getenv models SEMBED_REGRESS_MODELS
\set all_models :models /all
\set cases :models /cases.jsonl
SET sembed.model_path = :'all_models';

-- What @… is in PostgreSQL: a vector, texts, or options.
CREATE FUNCTION spelled(literal json) RETURNS text LANGUAGE sql AS $$
    SELECT CASE
        WHEN json_typeof(literal) = 'object' THEN
            (SELECT string_agg(CASE key WHEN 'normalize' THEN 'normalize_embeddings' ELSE key END || ' => ' || quote_literal(value), ', ')
             FROM json_each_text(literal))
        WHEN EXISTS (SELECT FROM json_array_elements(literal) AS element WHERE json_typeof(element) = 'number') THEN
            quote_literal(translate(literal::text, '[]', '{}')) || '::real[]'
        ELSE
            'ARRAY[' || (SELECT string_agg(coalesce(quote_literal(element), 'NULL'), ', ' ORDER BY at)
                         FROM json_array_elements_text(literal) WITH ORDINALITY AS elements(element, at)) || ']::text[]'
        END
$$;
-- A statement with each @… spelled out. Those within quotes are text.
CREATE FUNCTION spelled(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text = '';
    literal text; -- begun, but not at its end
    quoted boolean = false;
    character text;
BEGIN
    FOREACH character IN ARRAY regexp_split_to_array(statement, '') LOOP
        IF literal IS NOT NULL THEN
            literal = literal || character;
            CONTINUE WHEN character NOT IN (']', '}');
            BEGIN
                result = result || spelled(literal::json);
                literal = NULL;
            EXCEPTION WHEN invalid_text_representation THEN -- it goes on
            END;
        ELSIF character = '@' AND NOT quoted THEN
            literal = '';
        ELSE
            quoted = quoted <> (character = '''');
            result = result || character;
        END IF;
    END LOOP;
    RETURN result;
END $$;
SELECT spelled($$SELECT f(@[1, 2.5], '@[1]', @["it's ]", null], @{"dims": 8, "normalize": "never"})$$);

-- The rows of a statement as JSON, or its error.
CREATE FUNCTION outcome(statement text, settings json) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    result json;
BEGIN
    PERFORM set_config('sembed.model', coalesce(settings ->> 'model', 'tiny-bert'), true),
            set_config('sembed.reranker', coalesce(settings ->> 'reranker', 'cross-bert'), true),
            set_config('sembed.on_truncate', coalesce(settings ->> 'on_truncate', 'truncate'), true);
    EXECUTE 'SELECT coalesce(json_agg((SELECT json_agg(value) FROM json_each(row_to_json(rows)))), ''[]'') FROM ('
            || statement || ') AS rows' INTO result;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    RETURN json_build_object('error', sqlerrm);
END $$;

-- Whether what is found is what is expected; numbers may differ a little.
CREATE FUNCTION is_same(expected json, given json) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF json_typeof(expected) <> json_typeof(given) THEN
        RETURN false;
    ELSIF json_typeof(expected) = 'number' THEN
        RETURN abs(expected::text::float8 - given::text::float8) <= 5e-6 * greatest(1, abs(expected::text::float8));
    ELSIF json_typeof(expected) = 'array' THEN
        RETURN json_array_length(expected) = json_array_length(given)
           AND NOT EXISTS (SELECT FROM ROWS FROM (json_array_elements(expected), json_array_elements(given)) AS pairs(a, b)
                           WHERE NOT is_same(a, b));
    END IF;
    RETURN expected::text::jsonb = given::text::jsonb;
END $$;
SELECT is_same('[[1, "a", null, [0.5]]]', '[[1.000001, "a", null, [0.5]]]') AS same, is_same('[[1]]', '[[1.00002]]') AS number,
       is_same('["a"]', '["b"]') AS text, is_same('[1]', '[1, 2]') AS longer, is_same('[null]', '[0]') AS null_or_0,
       is_same('[[1]]', '{"error": "x"}') AS failed;

CREATE TABLE outcomes AS
SELECT object ->> 'name' AS name, object -> 'result' AS result, coalesce(object -> 'error' ->> 'postgresql', object ->> 'error') AS error,
       object ->> 'needs' AS needs, outcome(spelled(coalesce(object ->> 'sql', object ->> 'postgresql')), object -> 'settings') AS found
FROM json_lines(:'cases') WHERE object -> 'sql' IS NOT NULL OR object -> 'postgresql' IS NOT NULL;
SELECT count(*) > 200 AS cases FROM outcomes;
SELECT name, coalesce(error, left(result::text, 100)) AS expected, left(found::text, 100) AS found FROM outcomes
WHERE CASE WHEN error IS NULL THEN NOT is_same(result, found) ELSE coalesce(position(error IN found ->> 'error'), 0) = 0 END
  AND NOT coalesce(starts_with(found ->> 'error', 'precision ' || needs || ' needs'), false); -- not on this processor or build
DROP TABLE outcomes;
DROP FUNCTION spelled(json), spelled(text), outcome, is_same;
