-- The extension where there is no model yet; then what the other files use: the model path as a
-- setting of this database, error_of, golden.
\getenv models SEMBED_REGRESS_MODELS
\set good :models /good
\set golden :good /tiny-bert/golden.jsonl
CREATE EXTENSION sembed;
SELECT count(*) >= 0 AS listed FROM sembed_models;
-- The engine is the one that was asked for, if any was.
\set engine ''
\getenv engine SEMBED_ENGINE
SELECT sembed_version() ~* :'engine' AS engine;

-- What is declared: a wrong volatility or cost is a wrong plan somewhere.
SELECT p.oid::regprocedure AS function, prorettype::regtype AS result, proretset AS set,
       provolatile AS volatile, proisstrict AS strict, proparallel AS parallel, procost AS cost,
       prorows AS rows
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'sembed' ORDER BY p.oid::regprocedure::text COLLATE "C";

-- Every object says what it is. (A view's row type is no object of its own.)
SELECT pg_describe_object(classid, objid, objsubid) AS without_comment
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'sembed' AND d.deptype = 'e' AND classid IN ('pg_proc'::regclass, 'pg_class'::regclass)
  AND obj_description(objid, classid::regclass::name) IS NULL;

-- It can be moved, and works from a schema that is not on the search path.
CREATE SCHEMA elsewhere;
ALTER EXTENSION sembed SET SCHEMA elsewhere;
SELECT elsewhere.cos_sim('{1,0}', '{1,0}');
SELECT count(*) >= 0 AS listed FROM elsewhere.sembed_models;
ALTER EXTENSION sembed SET SCHEMA public;
DROP SCHEMA elsewhere;

-- Plans and debug messages are the same on every server.
ALTER DATABASE :"DBNAME" SET jit = off;
ALTER DATABASE :"DBNAME" SET sembed.model_path = :'good';

-- The error of a query, its folders made nameless.
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE query;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN replace(sqlstate || ': ' || sqlerrm || coalesce(E'\n' || nullif(hint, ''), ''),
                   current_setting('sembed.model_path'), '<models>');
END $$;

-- What sentence-transformers computes, line by line. PostgreSQL's text cannot hold U+0000: those
-- lines are left out of the one, and their content is NULL in the other.
CREATE FUNCTION json_lines(file text) RETURNS TABLE (line bigint, is_text boolean, object json) LANGUAGE sql AS $$
    SELECT line, is_text, CASE WHEN is_text THEN row ELSE replace(row, '\u0000', '') END::json
    FROM (SELECT line, row, row !~ '(^|[^\\])(\\\\)*\\u0000' AS is_text
          FROM regexp_split_to_table(pg_read_file(file), E'\n') WITH ORDINALITY AS rows(row, line)
          WHERE row <> '') AS rows
$$;
CREATE FUNCTION reals(numbers json) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(value::real ORDER BY at) FROM json_array_elements_text(numbers) WITH ORDINALITY AS n(value, at)
$$;
CREATE FUNCTION golden_file(file text)
RETURNS TABLE (line bigint, content text, embedding real[]) LANGUAGE sql AS $$
    SELECT line, CASE WHEN is_text THEN object ->> 'text' END, reals(object -> 'embedding')
    FROM json_lines(file)
$$;
CREATE TABLE golden AS SELECT * FROM golden_file(:'golden');

-- Every fixture of tests/fixtures: a database setting for the files that use them, and their goldens.
SELECT :'models' || '/all' AS all_models \gset
CREATE TABLE goldens AS
    SELECT model, line, object
    FROM pg_ls_dir(:'all_models') AS model, json_lines(:'all_models' || '/' || model || '/golden.jsonl')
    WHERE is_text;

-- The largest difference in any component.
CREATE FUNCTION distance(a real[], b real[]) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN cardinality(a) = cardinality(b) THEN max(abs(x::float8 - y::float8))
                ELSE 'infinity' END
    FROM unnest(a, b) AS pairs(x, y)
$$;

-- 2,000 texts of 1 to 60 words.
CREATE TABLE docs (id integer PRIMARY KEY, body text NOT NULL);
INSERT INTO docs
SELECT id, string_agg(words[1 + (id * 7919 + position * 104729 + id * position) % 24], ' ' ORDER BY position)
FROM (SELECT string_to_array('river ferry book library sleep insomnia treatment walking light morning '
                             'bread butter mountain search meaning word water winter station train '
                             'garden window music city', ' ') AS words) AS vocabulary,
     generate_series(1, 2000) AS id, generate_series(1, 1 + id % 60) AS position
GROUP BY id;
VACUUM ANALYZE docs;
