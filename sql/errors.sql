-- Each error says what is wrong, and the session goes on.
\getenv models SEMBED_REGRESS_MODELS
\set broken :models /broken
\set empty :models /empty
\set missing :models /missing
\set VERBOSITY sqlstate
SELECT embed('no-such-model', 'river');
SELECT cardinality(embed('river'));
BEGIN;
SELECT embed('no-such-model', '{river}'::text[]);
ROLLBACK;
SELECT cardinality(embed('river'));
\set VERBOSITY default
\pset format unaligned
\pset tuples_only

SELECT error_of($$SELECT embed('no-such-model', 'river')$$);
SELECT error_of($$SELECT embed('', 'river')$$);
SELECT error_of($$SELECT embed('..', 'river')$$);
SELECT error_of($$SELECT embed('../good/tiny-bert', 'river')$$);
SELECT error_of($$SELECT embed('/etc', 'river')$$);
SELECT length(error_of($$SELECT embed(repeat('long', 100000), 'river')$$)) < 2000;

SET sembed.model_path = :'broken';
SELECT error_of($$SELECT embed('river')$$);
SELECT name, loaded FROM sembed_models ORDER BY name;
SELECT error_of($$SELECT embed('no-weights', 'river')$$);
SELECT error_of($$SELECT embed('cut-weights', 'river')$$);
SELECT error_of($$SELECT embed('cut-header', 'river')$$);
SELECT error_of($$SELECT embed('other-architecture', 'river')$$);
SELECT error_of($$SELECT embed('other-shape', 'river')$$);
SELECT error_of($$SELECT embed('cut-config', 'river')$$);
SELECT error_of($$SELECT embed('no-tokenizer', 'river')$$);
SELECT error_of($$SELECT embed('no-weights', '{river}'::text[])$$);
SELECT error_of($$CREATE TABLE never (embedding real[] DEFAULT embed('cut-weights', 'river'));
                  INSERT INTO never DEFAULT VALUES$$);

SET sembed.model_path = :'empty';
SELECT error_of($$SELECT embed('river')$$);
SELECT error_of($$SELECT embed('tiny-bert', 'river')$$);
SELECT count(*) FROM sembed_models;
SET sembed.model_path = :'missing';
SELECT error_of($$SELECT embed('river')$$);
SELECT count(*) FROM sembed_models;
SET sembed.model_path = '';
SELECT error_of($$SELECT embed('river')$$);

RESET sembed.model_path;
SELECT cardinality(embed('river'));
