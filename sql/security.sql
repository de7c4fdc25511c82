-- What a role without rights can and cannot do; docs/reliability.md says the same in words.
\getenv models SEMBED_REGRESS_MODELS
\set good :models /good
\set links :models /links
\set links_and_good :links ':' :good
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_sembed_nobody;
RESET client_min_messages;
CREATE ROLE regress_sembed_nobody;
GRANT CREATE ON DATABASE :"DBNAME" TO regress_sembed_nobody;

-- Nothing of the extension runs with another role's rights or resolves names at run time: no function is
-- SECURITY DEFINER, none is written in SQL. Only sembed_compile is not for everybody. It is not trusted:
-- who installs it is a superuser.
SELECT count(*) FILTER (WHERE prosecdef) AS definer, count(*) FILTER (WHERE lanname NOT IN ('c', 'internal')) AS not_in_c,
       array_agg(proname) FILTER (WHERE NOT has_function_privilege('regress_sembed_nobody', p.oid, 'EXECUTE')) AS not_for_all
FROM pg_proc AS p JOIN pg_language AS l ON l.oid = prolang JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass WHERE e.extname = 'sembed' AND p.prokind = 'f';
SELECT trusted, superuser FROM pg_available_extension_versions WHERE name = 'sembed' AND installed;

SET ROLE regress_sembed_nobody;

-- A model's name is a folder's name on the path, never a path, in every function that takes one.
CREATE TEMP TABLE names AS SELECT * FROM unnest(ARRAY['', '.', '..', '/', '/etc', '../good/tiny-bert', './tiny-bert',
    'tiny-bert/', 'tiny-bert/1_Pooling', 'tiny-bert/../tiny-bert', '@int8', '..@int8', '../good/tiny-bert@int8',
    'tiny-bert@int8/../tiny-bert', '.hidden']) AS name;
SELECT DISTINCT left(error_of(format(call, name)), 18) AS refused
FROM names, unnest(ARRAY['SELECT embed(%L, ''a'')', 'SELECT embed(%L, ARRAY[''a''])', 'SELECT embed_query(%L, ''a'')',
    'SELECT embed_document(%L, ''a'')', 'SELECT similarity(%L, ''{1}'', ''{1}'')', 'SELECT rerank_score(%L, ''a'', ''b'')',
    'SELECT rerank(%L, ''a'', ARRAY[''b''])', 'SELECT token_count(%L, ''a'')', 'SELECT tokenize(%L, ''a'')',
    'SELECT chunk(%L, ''a'')']) AS call;
SELECT name, error_of(format('SET sembed.model = %L', name)) = 'no error' AS may_be_set FROM names
WHERE error_of(format('SET sembed.model = %L', name)) = 'no error';
SELECT DISTINCT left(error_of(format('SELECT embed(%L, ''a'')', name)), 12) AS odd
FROM unnest(ARRAY[E'tiny-bert\n', 'tiny-bert ', 'TINY-BERT', E'tiny-bert\\..', '%s%n%s', 'tiny*', '~', '$HOME',
                  'tiny-bert@int8@f3', 'tiny∕bert', repeat('a', 1000000), repeat('a', 1000000) || '@int8']) AS name;

-- Nor does anything else open a file: not a prompt's name, not the settings.
SELECT left(error_of($$SELECT embed('tiny-bert', 'a', prompt_name => '/etc/passwd')$$), 5) AS prompt;
SELECT error_of(statement) FROM unnest(ARRAY[
    $$SET sembed.model_path = '/etc'$$,
    $$SELECT set_config('sembed.model_path', '/etc', true)$$,
    $$CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql SET sembed.model_path = '/etc' AS 'SELECT 1'$$,
    $$ALTER ROLE regress_sembed_nobody SET sembed.model_path = '/etc'$$,
    $$SET sembed.cache_limit = 0$$,
    $$SET sembed.max_text_size = 0$$,
    $$SET sembed.preload_models = 'tiny-bert'$$,
    $$SELECT sembed_compile('tiny-bert')$$,
    $$CREATE FUNCTION pg_temp.f(text) RETURNS bigint LANGUAGE c AS '$libdir/sembed', 'sembed_sql_compile'$$]) AS statement;

-- What is on the search path before the extension does not change what the extension does.
CREATE SCHEMA regress_sembed_evil;
CREATE FUNCTION regress_sembed_evil.sembed_models() RETURNS SETOF text LANGUAGE sql AS $$SELECT 'evil'::text$$;
CREATE FUNCTION regress_sembed_evil.sembed_spearman_add(internal, double precision, double precision) RETURNS internal
    LANGUAGE internal AS 'int8_avg_accum'; -- only a superuser may
SET search_path = regress_sembed_evil, public;
SELECT count(*) FROM public.sembed_models WHERE name = 'evil';
SELECT spearman(x, x * x) FROM generate_series(1.0, 5.0) AS x;
RESET search_path;
DROP SCHEMA regress_sembed_evil CASCADE;

-- Symbolic links that leave the path are refused, and where they lead is not told; an administrator names it.
RESET ROLE;
SET sembed.model_path = :'links';
SET ROLE regress_sembed_nobody;
SELECT name FROM sembed_models;
SELECT name, error_of(format('SELECT embed(%L, ''a'')', name)) FROM unnest(ARRAY['whole', 'file', 'below', 'whole@int8']) AS name;
SELECT embed('inside', 'river') = embed('real', 'river') AS inside;
RESET ROLE;
SET sembed.model_path = :'links_and_good';
SET ROLE regress_sembed_nobody;
SELECT name, embed(name, 'river') = embed('tiny-bert', 'river') AS allowed FROM unnest(ARRAY['whole', 'file', 'below']) AS name;
RESET ROLE;
RESET sembed.model_path;

-- A role that an administrator trusts with it.
GRANT SET ON PARAMETER sembed.model_path TO regress_sembed_nobody;
GRANT EXECUTE ON FUNCTION sembed_compile(text) TO regress_sembed_nobody;
SET ROLE regress_sembed_nobody;
SET sembed.model_path = :'links';
SELECT cardinality(embed('real', 'river'));
SELECT sembed_compile('real') > 0 AS compiled;
RESET sembed.model_path;
RESET ROLE;
REVOKE SET ON PARAMETER sembed.model_path FROM regress_sembed_nobody;
REVOKE EXECUTE ON FUNCTION sembed_compile(text) FROM regress_sembed_nobody;

-- A text takes up to some 80 times its size in memory: how long one may be is a setting.
SHOW sembed.max_text_size;
SET sembed.max_text_size = '1kB';
SET ROLE regress_sembed_nobody;
SELECT error_of(replace(call, 'long', 'repeat(''a'', 1025)')) FROM unnest(ARRAY['SELECT embed(''tiny-bert'', long)',
    'SELECT embed(''tiny-bert'', ARRAY[''a'', long])', 'SELECT token_count(''tiny-bert'', long)', 'SELECT tokenize(''tiny-bert'', long)',
    'SELECT chunk(''tiny-bert'', long)']) AS call;
SELECT cardinality(embed('tiny-bert', repeat('a', 1024))) AS as_long_as_may_be;
RESET ROLE;
RESET sembed.max_text_size;

REVOKE CREATE ON DATABASE :"DBNAME" FROM regress_sembed_nobody;
DROP TABLE names;
DROP ROLE regress_sembed_nobody;
