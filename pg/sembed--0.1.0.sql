/* sembed 0.1.0: sentence-transformer models inside PostgreSQL */

\echo Use "CREATE EXTENSION sembed" to load this file. \quit

/*
 * Volatility. A model's name is the whole identity of the numbers it gives, so the form that names
 * its model is IMMUTABLE: generated columns and expression indexes may use it. The form that reads
 * the setting sembed.model or sembed.reranker is STABLE.
 *
 * Cost. Its unit is cpu_operator_cost: what a built-in operator takes, some 20 ns. An embedding of a
 * table row takes about 1 ms, 50,000 times as much. With that the planner filters and limits rows
 * before it embeds them, and finds parallel workers worth their start. A call for an array is
 * reckoned at 100 texts; a pair for a cross-encoder at twice a text. Tokenizing takes some 20 µs, a
 * similarity of two vectors of 384 dimensions some 400 ns.
 *
 * Names of arguments. They are part of the surface: embed('model', 'text', dims => 128). All
 * functions are strict, so a default is never NULL: 0 and '' stand for what the model's folder says.
 * (normalize alone would be a keyword; sentence-transformers calls it normalize_embeddings, too.)
 */

/* --------------------------------------------------------------------------------- embeddings */

CREATE FUNCTION embed(text text,
    dims integer DEFAULT 0, layers integer DEFAULT 0,
    prompt text DEFAULT '', prompt_name text DEFAULT '', normalize_embeddings text DEFAULT 'model')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 50000;
COMMENT ON FUNCTION embed(text, integer, integer, text, text, text) IS
    'embedding of a text by the default model';

CREATE FUNCTION embed(model text, text text,
    dims integer DEFAULT 0, layers integer DEFAULT 0,
    prompt text DEFAULT '', prompt_name text DEFAULT '', normalize_embeddings text DEFAULT 'model')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50000;
COMMENT ON FUNCTION embed(text, text, integer, integer, text, text, text) IS
    'embedding of a text by the named model';

CREATE FUNCTION embed(texts text[],
    dims integer DEFAULT 0, layers integer DEFAULT 0,
    prompt text DEFAULT '', prompt_name text DEFAULT '', normalize_embeddings text DEFAULT 'model')
    RETURNS SETOF real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed_array'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 5000000 ROWS 100;
COMMENT ON FUNCTION embed(text[], integer, integer, text, text, text) IS
    'embeddings of many texts by the default model: a row for each element, in order';

CREATE FUNCTION embed(model text, texts text[],
    dims integer DEFAULT 0, layers integer DEFAULT 0,
    prompt text DEFAULT '', prompt_name text DEFAULT '', normalize_embeddings text DEFAULT 'model')
    RETURNS SETOF real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed_array'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5000000 ROWS 100;
COMMENT ON FUNCTION embed(text, text[], integer, integer, text, text, text) IS
    'embeddings of many texts by the named model: a row for each element, in order';

CREATE FUNCTION embed_query(text text,
    dims integer DEFAULT 0, layers integer DEFAULT 0,
    normalize_embeddings text DEFAULT 'model')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed_query'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 50000;
COMMENT ON FUNCTION embed_query(text, integer, integer, text) IS
    'embedding of a text that asks (prompt "query" of the model) by the default model';

CREATE FUNCTION embed_query(model text, text text,
    dims integer DEFAULT 0, layers integer DEFAULT 0,
    normalize_embeddings text DEFAULT 'model')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed_query'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50000;
COMMENT ON FUNCTION embed_query(text, text, integer, integer, text) IS
    'embedding of a text that asks (prompt "query" of the model) by the named model';

CREATE FUNCTION embed_document(text text,
    dims integer DEFAULT 0, layers integer DEFAULT 0,
    normalize_embeddings text DEFAULT 'model')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed_document'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 50000;
COMMENT ON FUNCTION embed_document(text, integer, integer, text) IS
    'embedding of a text that is searched (prompt "document" of the model) by the default model';

CREATE FUNCTION embed_document(model text, text text,
    dims integer DEFAULT 0, layers integer DEFAULT 0,
    normalize_embeddings text DEFAULT 'model')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_embed_document'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50000;
COMMENT ON FUNCTION embed_document(text, text, integer, integer, text) IS
    'embedding of a text that is searched (prompt "document" of the model) by the named model';

/* ------------------------------------------------------------------ how close two vectors are */

CREATE FUNCTION cos_sim(a real[], b real[])
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'sembed_sql_cos_sim'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION cos_sim(real[], real[]) IS
    'cosine similarity of two vectors, -1 to 1; higher is closer';

CREATE FUNCTION dot_score(a real[], b real[])
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'sembed_sql_dot_score'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION dot_score(real[], real[]) IS
    'dot product of two vectors; higher is closer';

CREATE FUNCTION euclidean_sim(a real[], b real[])
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'sembed_sql_euclidean_sim'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION euclidean_sim(real[], real[]) IS
    'negative Euclidean distance of two vectors; higher is closer';

CREATE FUNCTION manhattan_sim(a real[], b real[])
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'sembed_sql_manhattan_sim'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION manhattan_sim(real[], real[]) IS
    'negative Manhattan distance of two vectors; higher is closer';

CREATE FUNCTION similarity(model text, a real[], b real[])
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'sembed_sql_similarity'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 30;
COMMENT ON FUNCTION similarity(text, real[], real[]) IS
    'similarity of two vectors, the one of the four that the model was made for';

/* -------------------------------------------------------------------- other forms of a vector */

CREATE FUNCTION truncate_dim(vector real[], dims integer)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_truncate_dim'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION truncate_dim(real[], integer) IS
    'the first numbers of a vector; not normalized again';

CREATE FUNCTION l2_normalize(vector real[])
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'sembed_sql_l2_normalize'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION l2_normalize(real[]) IS
    'the vector of the same direction and length 1';

CREATE FUNCTION quantize_int8(vector real[])
    RETURNS bytea
    AS 'MODULE_PATHNAME', 'sembed_sql_quantize_int8'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION quantize_int8(real[]) IS
    'a vector of numbers between -1 and 1 in one signed byte each, -127 to 127';

CREATE FUNCTION quantize_binary(vector real[])
    RETURNS bit varying
    AS 'MODULE_PATHNAME', 'sembed_sql_quantize_binary'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION quantize_binary(real[]) IS
    'a vector in one bit for each number, 1 where it is positive';

/* ----------------------------------------------------------------------------- cross-encoders */

CREATE FUNCTION rerank(query text, documents text[], top_k integer DEFAULT 0,
    OUT corpus_id integer, OUT score real, OUT text text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'sembed_sql_rerank'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000000 ROWS 100;
COMMENT ON FUNCTION rerank(text, text[], integer) IS
    'documents by how well they answer a query, best first, by the default reranker';

CREATE FUNCTION rerank(model text, query text, documents text[], top_k integer DEFAULT 0,
    OUT corpus_id integer, OUT score real, OUT text text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'sembed_sql_rerank'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000000 ROWS 100;
COMMENT ON FUNCTION rerank(text, text, text[], integer) IS
    'documents by how well they answer a query, best first, by the named model';

CREATE FUNCTION rerank_score(query text, document text)
    RETURNS real
    AS 'MODULE_PATHNAME', 'sembed_sql_rerank_score'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION rerank_score(text, text) IS
    'how well a document answers a query by the default reranker';

CREATE FUNCTION rerank_score(model text, query text, document text)
    RETURNS real
    AS 'MODULE_PATHNAME', 'sembed_sql_rerank_score'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION rerank_score(text, text, text) IS
    'how well a document answers a query by the named model';

/* ------------------------------------------------------------------------------------- tokens */

CREATE FUNCTION token_count(text text)
    RETURNS integer
    AS 'MODULE_PATHNAME', 'sembed_sql_token_count'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION token_count(text) IS
    'number of tokens of a text, special ones included, not cut, by the default model';

CREATE FUNCTION token_count(model text, text text)
    RETURNS integer
    AS 'MODULE_PATHNAME', 'sembed_sql_token_count'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION token_count(text, text) IS
    'number of tokens of a text, special ones included, not cut, by the named model';

CREATE FUNCTION tokenize(text text,
    OUT "position" integer, OUT id integer, OUT token text, OUT start integer, OUT stop integer)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'sembed_sql_tokenize'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 20;
COMMENT ON FUNCTION tokenize(text) IS
    'tokens of a text, special ones included, not cut, by the default model';

CREATE FUNCTION tokenize(model text, text text,
    OUT "position" integer, OUT id integer, OUT token text, OUT start integer, OUT stop integer)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'sembed_sql_tokenize'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 20;
COMMENT ON FUNCTION tokenize(text, text) IS
    'tokens of a text, special ones included, not cut, by the named model';

CREATE FUNCTION chunk(text text,
    max_tokens integer DEFAULT 0, overlap integer DEFAULT 0,
    OUT chunk_index integer, OUT text text, OUT start integer, OUT stop integer)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'sembed_sql_chunk'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000 ROWS 10;
COMMENT ON FUNCTION chunk(text, integer, integer) IS
    'a long text in pieces that a model reads whole, with the tokens by the default model';

CREATE FUNCTION chunk(model text, text text,
    max_tokens integer DEFAULT 0, overlap integer DEFAULT 0,
    OUT chunk_index integer, OUT text text, OUT start integer, OUT stop integer)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'sembed_sql_chunk'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 10;
COMMENT ON FUNCTION chunk(text, text, integer, integer) IS
    'a long text in pieces that a model reads whole, with the tokens by the named model';

/* --------------------------------------------------------------------------------- evaluation */

/*
 * The parts of the aggregates. Their arguments are costly (similarities of embeddings), and only what
 * can be combined from partial results has its arguments computed in parallel workers.
 */

CREATE FUNCTION sembed_spearman_add(internal, double precision, double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'sembed_sql_spearman_add'
    LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1;
COMMENT ON FUNCTION sembed_spearman_add(internal, double precision, double precision) IS
    'part of spearman';

CREATE FUNCTION sembed_spearman_combine(internal, internal)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'sembed_sql_spearman_combine'
    LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION sembed_spearman_combine(internal, internal) IS
    'part of spearman';

CREATE FUNCTION sembed_spearman_serialize(internal)
    RETURNS bytea
    AS 'MODULE_PATHNAME', 'sembed_sql_spearman_serialize'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION sembed_spearman_serialize(internal) IS
    'part of spearman';

CREATE FUNCTION sembed_spearman_deserialize(bytea, internal)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'sembed_sql_spearman_deserialize'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION sembed_spearman_deserialize(bytea, internal) IS
    'part of spearman';

CREATE FUNCTION sembed_spearman_result(internal)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'sembed_sql_spearman_result'
    LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION sembed_spearman_result(internal) IS
    'part of spearman';

CREATE FUNCTION sembed_mean_combine(double precision[], double precision[])
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'sembed_sql_mean_combine'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION sembed_mean_combine(double precision[], double precision[]) IS
    'part of negative_mse and triplet_accuracy';

CREATE FUNCTION sembed_mean_result(double precision[])
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'sembed_sql_mean_result'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION sembed_mean_result(double precision[]) IS
    'part of triplet_accuracy';

CREATE FUNCTION sembed_negative_mse_add(double precision[], real[], real[])
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'sembed_sql_negative_mse_add'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION sembed_negative_mse_add(double precision[], real[], real[]) IS
    'part of negative_mse';

CREATE FUNCTION sembed_negative_mse_result(double precision[])
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'sembed_sql_negative_mse_result'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION sembed_negative_mse_result(double precision[]) IS
    'part of negative_mse';

CREATE FUNCTION sembed_triplet_accuracy_add(double precision[], real[], real[], real[])
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'sembed_sql_triplet_accuracy_add'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 40;
COMMENT ON FUNCTION sembed_triplet_accuracy_add(double precision[], real[], real[], real[]) IS
    'part of triplet_accuracy';

CREATE FUNCTION sembed_triplet_accuracy_add(double precision[], real[], real[], real[], text)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'sembed_sql_triplet_accuracy_add'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 40;
COMMENT ON FUNCTION sembed_triplet_accuracy_add(double precision[], real[], real[], real[], text) IS
    'part of triplet_accuracy';

CREATE AGGREGATE spearman(x double precision, y double precision) (
    SFUNC = sembed_spearman_add, STYPE = internal, SSPACE = 65536,
    FINALFUNC = sembed_spearman_result, COMBINEFUNC = sembed_spearman_combine,
    SERIALFUNC = sembed_spearman_serialize, DESERIALFUNC = sembed_spearman_deserialize,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE spearman(double precision, double precision) IS
    'Spearman''s rank correlation, -1 to 1';

CREATE AGGREGATE negative_mse(student real[], teacher real[]) (
    SFUNC = sembed_negative_mse_add, STYPE = double precision[], INITCOND = '{0,0}',
    FINALFUNC = sembed_negative_mse_result, COMBINEFUNC = sembed_mean_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE negative_mse(real[], real[]) IS
    'mean squared difference of the numbers of two vectors, times -100; higher is closer';

CREATE AGGREGATE triplet_accuracy(anchor real[], positive real[], negative real[]) (
    SFUNC = sembed_triplet_accuracy_add, STYPE = double precision[], INITCOND = '{0,0}',
    FINALFUNC = sembed_mean_result, COMBINEFUNC = sembed_mean_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE triplet_accuracy(real[], real[], real[]) IS
    'share of triplets in which the anchor is closer to the positive than to the negative, by cosine';

CREATE AGGREGATE triplet_accuracy(anchor real[], positive real[], negative real[], metric text) (
    SFUNC = sembed_triplet_accuracy_add, STYPE = double precision[], INITCOND = '{0,0}',
    FINALFUNC = sembed_mean_result, COMBINEFUNC = sembed_mean_combine, PARALLEL = SAFE);
COMMENT ON AGGREGATE triplet_accuracy(real[], real[], real[], text) IS
    'the same by a metric: cosine, dot, euclidean, manhattan';

/* ------------------------------------------------------------------------------ what is there */

/* Restricted to the leader, because "loaded" speaks of this very process. */
CREATE FUNCTION sembed_models(
    OUT name text, OUT folder text, OUT loaded boolean, OUT "precision" text,
    OUT architecture text, OUT dimensions bigint, OUT max_tokens bigint, OUT layers bigint,
    OUT parameters bigint, OUT similarity text, OUT labels bigint,
    OUT private_bytes bigint, OUT shared_bytes bigint, OUT load_ms double precision)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'sembed_sql_models'
    LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 5000 ROWS 10;
COMMENT ON FUNCTION sembed_models() IS
    'models on sembed.model_path; what they are where this session has loaded them';

CREATE VIEW sembed_models AS
    SELECT name, folder, loaded, precision, architecture, dimensions, max_tokens, layers,
        parameters, similarity, labels, private_bytes, shared_bytes, load_ms
    FROM sembed_models();
COMMENT ON VIEW sembed_models IS
    'models on sembed.model_path; what they are where this session has loaded them';
GRANT SELECT ON sembed_models TO PUBLIC;

/* Writes a file in the data directory; who may do that, the administrator grants. */
CREATE FUNCTION sembed_compile(model text)
    RETURNS bigint
    AS 'MODULE_PATHNAME', 'sembed_sql_compile'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000;
REVOKE EXECUTE ON FUNCTION sembed_compile(text) FROM PUBLIC;
COMMENT ON FUNCTION sembed_compile(text) IS
    'makes the compiled image of a model ahead of its first use; its bytes';

CREATE FUNCTION sembed_version()
    RETURNS text
    AS 'MODULE_PATHNAME', 'sembed_sql_version'
    LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sembed_version() IS 'version of sembed and of the engine that computes';
