/* sembed 0.1.0: sentence-transformer models inside PostgreSQL */

\echo Use "CREATE EXTENSION sembed" to load this file. \quit

/*
 * Volatility. A model's name is the whole identity of the numbers it gives, so the form that names
 * its model is IMMUTABLE: generated columns and expression indexes may use it. The form that reads
 * the setting sembed.model is STABLE.
 *
 * Cost. Its unit is cpu_operator_cost: what a built-in operator takes, some 20 ns. An embedding of a
 * table row takes about 1 ms, 50,000 times as much. With that the planner filters and limits rows
 * before it embeds them, and finds parallel workers worth their start. A call for an array is
 * reckoned at 100 texts. cos_sim of two vectors of 384 dimensions takes some 400 ns.
 */

CREATE FUNCTION embed(text text) RETURNS real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed_default'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 50000;
COMMENT ON FUNCTION embed(text) IS
    'embedding of a text by the default model (sembed.model, else the only one there is)';

CREATE FUNCTION embed(model text, text text) RETURNS real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50000;
COMMENT ON FUNCTION embed(text, text) IS 'embedding of a text by the named model';

CREATE FUNCTION embed(texts text[]) RETURNS SETOF real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed_array_default'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 5000000 ROWS 100;
COMMENT ON FUNCTION embed(text[]) IS
    'embeddings of many texts by the default model: a row for each element, in order';

CREATE FUNCTION embed(model text, texts text[]) RETURNS SETOF real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed_array'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5000000 ROWS 100;
COMMENT ON FUNCTION embed(text, text[]) IS
    'embeddings of many texts by the named model: a row for each element, in order';

CREATE FUNCTION cos_sim(a real[], b real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'sembed_sql_cos_sim'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION cos_sim(real[], real[]) IS
    'cosine similarity of two vectors, -1 to 1; higher is closer';

/* Restricted to the leader, because "loaded" speaks of this very process. */
CREATE FUNCTION sembed_models(
    OUT name text, OUT folder text, OUT loaded boolean, OUT architecture text,
    OUT dimensions bigint, OUT max_tokens bigint, OUT layers bigint, OUT parameters bigint,
    OUT similarity text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'sembed_sql_models'
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 5000 ROWS 10;
COMMENT ON FUNCTION sembed_models() IS
    'models on sembed.model_path; what they are where this session has loaded them';

CREATE VIEW sembed_models AS
    SELECT name, folder, loaded, architecture, dimensions, max_tokens, layers, parameters, similarity
    FROM sembed_models();
COMMENT ON VIEW sembed_models IS
    'models on sembed.model_path; what they are where this session has loaded them';
GRANT SELECT ON sembed_models TO PUBLIC;

CREATE FUNCTION sembed_version() RETURNS text
    AS 'MODULE_PATHNAME', 'sembed_sql_version'
    LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sembed_version() IS 'version of sembed and of the engine that computes';
