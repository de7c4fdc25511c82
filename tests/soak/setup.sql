-- What the soak's scripts ask about and what they must be told: texts, models, and for each pair of them
-- the answer that one session gives when it computes one text after the other.
\set ON_ERROR_STOP 1
CREATE EXTENSION IF NOT EXISTS sembed;
CREATE SCHEMA soak;

-- One word to ninety, in several scripts; some are empty or odd.
CREATE TABLE soak.texts (id integer PRIMARY KEY, body text NOT NULL);
INSERT INTO soak.texts
SELECT id, CASE id % 20 WHEN 10 THEN '' WHEN 0 THEN repeat(E'e\u0301 \u2028', id % 7) || id ELSE
       string_agg(words[1 + (id * 7919 + place * 104729 + id * place) % 24], ' ' ORDER BY place) END
FROM (SELECT string_to_array('river ferry książka бібліотека sleep 不眠症 treatment ходьба light утро хлеб butter '
                             'βουνό search ความหมาย word water winter estación train 🌳 ventana مدينة música', ' ') AS words) AS vocabulary,
     generate_series(1, 60) AS id, generate_series(1, 1 + id * id % 90) AS place
GROUP BY id, words;

-- The models of the model path, in the precisions that this processor computes; "changing" apart.
CREATE TABLE soak.models (ranks boolean, id integer, name text NOT NULL, PRIMARY KEY (ranks, id));
DO $$
DECLARE
    candidate text;
BEGIN
    FOR candidate IN
        SELECT name || suffix FROM sembed_models, unnest(ARRAY['', '@bf16', '@int8']) AS suffix
        WHERE name <> 'changing' ORDER BY 1
    LOOP
        BEGIN
            PERFORM token_count(candidate, 'a');
            INSERT INTO soak.models
            SELECT m.labels > 0, (SELECT count(*) + 1 FROM soak.models WHERE ranks = (m.labels > 0)), candidate
            FROM sembed_models AS m WHERE name = candidate;
        EXCEPTION WHEN feature_not_supported THEN -- a precision that is not for this processor
        END;
    END LOOP;
END $$;

CREATE TABLE soak.known (model integer, text integer, embedding real[] NOT NULL, tokens integer NOT NULL, PRIMARY KEY (model, text));
INSERT INTO soak.known
SELECT m.id, t.id, embed(m.name, t.body), token_count(m.name, t.body) FROM soak.models AS m, soak.texts AS t WHERE NOT ranks;

CREATE TABLE soak.scores (model integer, query integer, document integer, score real NOT NULL, PRIMARY KEY (model, query, document));
INSERT INTO soak.scores
SELECT m.id, q.id, d.id, rerank_score(m.name, q.body, d.body)
FROM soak.models AS m, soak.texts AS q, soak.texts AS d WHERE ranks AND q.id <= 3;

-- A model whose folder is replaced all the time: by tiny-bert, by plain. Each answer is one of theirs.
CREATE TABLE soak.changing (text integer, embedding real[] NOT NULL);
INSERT INTO soak.changing SELECT k.text, k.embedding FROM soak.known AS k JOIN soak.models AS m ON m.id = k.model
WHERE NOT ranks AND m.name IN ('tiny-bert', 'plain');

CREATE TABLE soak.notes (session integer, text integer, body text NOT NULL,
    embedding real[] GENERATED ALWAYS AS (embed('tiny-bert', body)) STORED);
CREATE INDEX ON soak.notes (embed('tiny-bert', body));

-- What sessions held, when they had given up all models but one. in_use.c says what it counts.
CREATE FUNCTION soak.in_use() RETURNS bigint AS :'in_use' LANGUAGE C;
CREATE TABLE soak.held (
    client text DEFAULT current_setting('application_name'), session integer DEFAULT pg_backend_pid(),
    moment timestamptz DEFAULT clock_timestamp(), bytes bigint DEFAULT soak.in_use());

-- Ends the script, and with it the run, where an answer is wrong.
CREATE FUNCTION soak.check(answer_is_right boolean, question text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF answer_is_right IS NOT TRUE THEN
        RAISE EXCEPTION 'soak: wrong answer: %', question;
    END IF;
END $$;

-- The SQLSTATE of a statement that must fail.
CREATE FUNCTION soak.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate;
END $$;

SELECT count(*) FILTER (WHERE NOT ranks) AS embedders, count(*) FILTER (WHERE ranks) AS rerankers,
       (SELECT count(*) FROM soak.texts) AS texts FROM soak.models;
