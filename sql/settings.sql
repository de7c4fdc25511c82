\getenv models SEMBED_REGRESS_MODELS
\set good :models /good
\set broken :models /broken
\set empty :models /empty
\set both :broken ':' :good

-- The default model: the only one, the one that is set, none where there are several.
SELECT cardinality(embed('river'));
SET sembed.model = 'tiny-bert';
SELECT cardinality(embed('river'));
SET sembed.model = 'no-such-model';
SELECT error_of($$SELECT embed('river')$$);
SELECT cardinality(embed('tiny-bert', 'river'));
RESET sembed.model;
SET sembed.model_path = :'both';
SELECT error_of($$SELECT embed('river')$$) ~ 'several' AS several;
SET sembed.model = 'tiny-bert';
SELECT cardinality(embed('river'));

-- Set between two calls of one statement, in a function, in a transaction that is rolled back.
SELECT error_of($$
    SELECT embed('river'), CASE WHEN i = 2 THEN set_config('sembed.model', 'no-weights', false) END
    FROM generate_series(1, 3) AS i$$) ~ 'no-weights/model.safetensors' AS changed;
SELECT error_of($$
    SELECT embed('tiny-bert', 'river ' || i), CASE WHEN i = 2 THEN set_config('sembed.model_path', '', false) END
    FROM generate_series(1, 3) AS i$$);
RESET sembed.model;
CREATE FUNCTION embed_with_setting(content text) RETURNS real[]
    LANGUAGE sql SET sembed.model = 'tiny-bert' RETURN embed(content);
SELECT cardinality(embed_with_setting('river'));
SELECT error_of($$SELECT embed('river')$$) ~ 'several' AS several;
BEGIN;
SET LOCAL sembed.model = 'tiny-bert';
SELECT cardinality(embed('river'));
ROLLBACK;
SELECT error_of($$SELECT embed('river')$$) ~ 'several' AS several;

-- A model that was loaded is not found under a path without it.
SET sembed.model_path = :'empty';
SELECT error_of($$SELECT embed('tiny-bert', 'river')$$);
RESET sembed.model_path;
SELECT cardinality(embed('tiny-bert', 'river'));

-- Values are looked at when they are set.
SET sembed.model = '../good/tiny-bert';
SET sembed.model = '.hidden';
SET sembed.model_path = 'models';
SET sembed.model_path = '/models:models';
SET sembed.no_such_setting = 1;
SELECT name, vartype, context FROM pg_settings WHERE name LIKE 'sembed.%' ORDER BY name;

-- Threads share the texts of a call, to the same bits.
CREATE TEMP TABLE alone AS SELECT row_number() OVER () AS i, v FROM
    embed('tiny-bert', ARRAY(SELECT repeat('river ' || i || ' ', i % 20) FROM generate_series(1, 300) AS i)) AS v;
SET sembed.threads = 3;
SELECT count(*), bool_and(a.v = s.v) AS same FROM alone AS a JOIN (SELECT row_number() OVER () AS i, v FROM
    embed('tiny-bert', ARRAY(SELECT repeat('river ' || i || ' ', i % 20) FROM generate_series(1, 300) AS i)) AS v) AS s
    USING (i);
SET sembed.threads = 0;
SET sembed.threads = 257;
RESET sembed.threads;

-- A model that is given up between two rows of the listing, by the same statement.
\set all_models :models /all
SET sembed.model_path = :'all_models';
SELECT count(embed(name, 'river')) FROM unnest(ARRAY['tiny-bert', 'plain', 'prompts', 'roberta']) AS name;
SET sembed.max_loaded = 1;
SELECT (listed).name, (listed).architecture, (listed).similarity, cardinality(embedding)
FROM (SELECT sembed_models() AS listed, embed('plain', 'river ' || i) AS embedding FROM generate_series(1, 1) AS i OFFSET 0) AS rows
WHERE (listed).loaded;
SELECT name FROM sembed_models WHERE loaded;
RESET sembed.max_loaded;
RESET sembed.model_path;

-- Which folders the server reads is the administrator's to say.
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_sembed_reader;
RESET client_min_messages;
CREATE ROLE regress_sembed_reader;
SET ROLE regress_sembed_reader;
SET sembed.model_path = '/tmp';
SET sembed.model = 'tiny-bert';
SELECT cardinality(embed('river'));
SELECT name, loaded FROM sembed_models;
RESET ROLE;
-- Nor by a value that was set before the library is loaded and knows better.
\c
SET SESSION AUTHORIZATION regress_sembed_reader;
SET sembed.model_path = '/tmp';
SET sembed.model = '../x';
SELECT cardinality(embed('river'));
SELECT current_setting('sembed.model_path') = :'good' AS as_configured;
RESET SESSION AUTHORIZATION;
DROP ROLE regress_sembed_reader;
