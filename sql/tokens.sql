-- token_count and tokenize: every fixture's ids against the reference, which cuts what a model does
-- not read; ours do not.
\getenv models SEMBED_REGRESS_MODELS
\set all_models :models /all
\set good_models :models /good
SET sembed.model_path = :'all_models';
SET sembed.model = 'tiny-bert';
CREATE TABLE recorded AS
SELECT model, line, object ->> 'text' AS content,
       ARRAY(SELECT value::int FROM json_array_elements_text(object -> 'ids') AS value) AS ids
FROM goldens WHERE object -> 'ids' IS NOT NULL AND object -> 'text' IS NOT NULL;
CREATE TABLE tokenized AS
SELECT recorded.*, max_tokens, found FROM recorded,
     LATERAL (SELECT array_agg(id ORDER BY position) AS found FROM tokenize(model, content)) AS tokens,
     LATERAL (SELECT max(cardinality(ids)) AS max_tokens FROM recorded AS r WHERE r.model = recorded.model) AS longest;
SELECT count(DISTINCT model) > 10 AS models, count(*) > 300 AS lines FROM tokenized;
SELECT model, line, ids, found FROM tokenized
WHERE CASE WHEN cardinality(ids) < max_tokens THEN found IS DISTINCT FROM ids
           ELSE found[1 : max_tokens - 1] IS DISTINCT FROM ids[1 : max_tokens - 1] END
ORDER BY model, line;
SELECT bool_and(token_count(model, content) = cardinality(found)) AS counted,
       sum((token_count(model, content) > max_tokens)::int) > 5 AS some_are_long FROM tokenized;

-- Spellings and places, as the tokenizers library has them: characters, from 0, stop exclusive.
SELECT * FROM tokenize('tiny-bert', U&'Le caf\00e9 est l\00e0 \+01f44d\+01f3fd ok');
SELECT * FROM tokenize('roberta', U&'Le caf\00e9 est l\00e0 \+01f44d\+01f3fd ok');
SELECT * FROM tokenize('xlm-roberta', U&'Le caf\00e9 est l\00e0 \+01f44d\+01f3fd ok');
SELECT position, token, substr(content, start + 1, stop - start) AS source
FROM (SELECT U&'\0420\0435\043a\0430 and the \+01f44d ferry' AS content OFFSET 0) AS texts, tokenize(content);
-- Places lie in the text, in every fixture.
SELECT count(*) > 5000 AS tokens, bool_and(start BETWEEN 0 AND stop AND stop <= length(content)) AS inside,
       bool_and((start IS NULL) = (stop IS NULL)) AS both
FROM tokenized, tokenize(model, content);

-- The default model; empty text; NULL; what is not cut.
SELECT token_count(''), token_count('river'), token_count('tiny-bert', 'the river'), token_count(NULL) IS NULL AS of_null;
SELECT * FROM tokenize('');
SELECT count(*) AS of_null FROM tokenize(NULL);
SELECT token_count(repeat('river ', 100000));
SELECT count(*), max(stop) FROM tokenize(repeat('river ', 10000));
SELECT count(*) FROM (SELECT * FROM tokenize(repeat('river ', 10000)) LIMIT 3) AS three;
SELECT count(*) FROM (SELECT tokenize(repeat('river ', 10000)) LIMIT 3) AS three;
-- A cross-encoder has a tokenizer, too.
SELECT token_count('cross-bert', 'river') > 2 AS of_cross_encoder;
PREPARE count_one AS SELECT token_count($1);
PREPARE count_two AS SELECT token_count($1, $2);
PREPARE tokens_one AS SELECT tokenize($1);
PREPARE tokens_two AS SELECT tokenize($1, $2);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;
DEALLOCATE ALL;
SET sembed.model_path = :'good_models';
SELECT error_of($$SELECT token_count('no-such-model', 'x')$$);
SELECT error_of($$SELECT tokenize('no-such-model', 'x')$$);
SET sembed.model_path = :'all_models';

-- A text that takes too long.
SET statement_timeout = '20ms';
SELECT token_count(repeat('river mountain ', 3000000));
SELECT count(*) FROM tokenize(repeat('river mountain ', 3000000));
RESET statement_timeout;
SELECT token_count('river');
DROP TABLE recorded, tokenized;
