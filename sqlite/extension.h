/*
 * What the files of the SQLite extension share.
 *
 *     extension.c           the entry point; the tables of functions and of virtual tables
 *     process.c             the models, shared by all connections of the process
 *     connection.c          one connection: its settings, scratch memory, interrupts
 *     error.c               the core's errors as SQLite's
 *     value.c               arguments as texts, names and numbers
 *     vector.c              arguments and results as vectors
 *     options.c             a JSON object as the options of an embedding
 *     json_texts.c          a JSON array as texts
 *     characters.c          bytes of a text → characters, as substr counts them
 *     functions_*.c         scalar functions by subject
 *     aggregates.c          aggregate functions
 *     table.c, table_*.c    table-valued functions: what all share, and one file for each
 *
 * Everything between an argument and a result reports through sembed_error, so that one function
 * serves scalar functions (function_fail) and virtual tables (table_fail) alike.
 */
#ifndef SEMBED_SQLITE_EXTENSION_H
#define SEMBED_SQLITE_EXTENSION_H

#include "core/base/error.h"
#include "core/sembed.h"

#include <sqlite3ext.h>
#include <stdbool.h>

#ifndef SEMBED_SQLITE_ENTRY
SQLITE_EXTENSION_INIT3
#endif

/* What sqlite-vec puts on its vectors; it reads a BLOB with the first of them as float32. */
enum { SUBTYPE_FLOAT32 = 223, SUBTYPE_BINARY = 224, SUBTYPE_INT8 = 225 };

/* -------------------------------------------------------------------------------- process.c */

/* Remembers the routines of the SQLite library that loads the extension, in sqlite3_api. False
 * where another copy of SQLite in this process did so before: one library cannot serve two. */
bool process_adopt(const sqlite3_api_routines *routines);

/* Creates the registry when the first connection loads the extension. With each one that does, models
 * are looked for in the folders that SEMBED_MODEL_PATH then names, by all connections, and their images
 * kept where SEMBED_CACHE says. */
SEMBED_MUST_CHECK sembed_status process_open(sembed_error *error);

/* The registry of the process, which is never destroyed: models outlive connections, so that a
 * program which opens one connection per request loads its model once. It keeps so many models that
 * nobody uses, MAX_LOADED where sembed_config says nothing. */
enum { MAX_LOADED = 8 };
sembed_registry *process_registry(void);

/* Tells SQLite's error log where a model had to be loaded without a compiled image. */
void process_report(void);

/* ----------------------------------------------------------------------------- connection.c */

/* What one connection keeps. Used by one thread at a time, as SQLite runs functions: under the
 * connection's mutex, or by the program's promise where it switched mutexes off. */
struct connection;

SEMBED_MUST_CHECK sembed_status connection_create(sqlite3 *database, struct connection **connection,
                                                  sembed_error *error);

/* Each function and virtual table that is registered holds a reference; the last one frees. */
void connection_retain(struct connection *connection);
void connection_release(void *connection);

/* What sembed_config sets. */
enum setting {
    SETTING_MODEL,
    SETTING_RERANKER,
    SETTING_ON_TRUNCATE,
    SETTING_THREADS,
    SETTING_MAX_TEXT_SIZE,
    SETTING_COUNT,
    SETTING_MAX_LOADED = SETTING_COUNT /* of the process; the registry has it */
};

/* NULL: not set. The environment said what it begins with when the extension was loaded. */
const char *connection_setting(const struct connection *connection, enum setting setting);

/* Takes a copy; NULL goes back to what the environment says. */
SEMBED_MUST_CHECK sembed_status connection_set(struct connection *connection, enum setting setting,
                                               const char *value, sembed_error *error);

/* The number that a setting of threads says; 0 where it says none that may be. */
size_t threads_read(const char *value);

/* The number that a setting of max_text_size or max_loaded says; false where it says none. */
bool limit_read(const char *value, size_t *number);

/* Whether a text that is longer than a model reads is an error. */
bool connection_refuses_truncation(const struct connection *connection);

/* The same as flags of sembed_score. */
int connection_score_flags(const struct connection *connection);

/* The model of that name, or the connection's default for NULL: the setting, else the only model
 * there is. It stays until model_release. */
SEMBED_MUST_CHECK sembed_status connection_model(struct connection *connection, const char *name,
                                                 const sembed_model **model, sembed_error *error);

/* The same for a model that scores pairs, by the setting of the reranker. A model that gives a pair
 * several scores is refused; one that gives none is for the core to refuse. */
SEMBED_MUST_CHECK sembed_status connection_reranker(struct connection *connection, const char *name,
                                                    const sembed_model **model,
                                                    sembed_error *error);

void model_release(const sembed_model *model); /* NULL is allowed */

/* The model of one call of a scalar function; a zeroed one is allowed in call_model_end. */
struct call_model {
    sqlite3_context *context;
    const sembed_model *model;
    bool named;    /* by the function's first argument */
    bool acquired; /* by this call */
};

/* By connection_model or connection_reranker. One that is named stays with its name for as long as the
 * statement runs, where that is the same in each row: then no other model takes its place between two
 * rows, and the registry is asked once. */
SEMBED_MUST_CHECK sembed_status call_model_begin(sqlite3_context *context, const char *name,
                                                 bool reranks, struct call_model *call,
                                                 sembed_error *error);
void call_model_end(const struct call_model *call);

/* Scratch memory for a call of the core. */
SEMBED_MUST_CHECK sembed_status connection_scratch(struct connection *connection,
                                                   sembed_context **context, sembed_error *error);
void connection_trim(struct connection *connection);

/* Stops the core when sqlite3_interrupt was called on the connection. */
sembed_poll connection_poll(struct connection *connection);

/* ---------------------------------------------------------------------------------- error.c */

/* Makes the core's sentence the error of a scalar function's call. */
void function_fail(sqlite3_context *context, const sembed_error *error);

/* Makes it the error of a virtual table and returns the result code to return. */
int table_fail(sqlite3_vtab *table, const sembed_error *error);

/* The SQLITE_* code of a status. */
int error_result_code(sembed_status status);

/* ---------------------------------------------------------------------------------- value.c */

/* Which argument of which function, for messages: "embed: argument 1 (text) is …". */
struct argument {
    const char *function;
    int position; /* from 1 */
    const char *meaning;
};

/* SEMBED_INVALID_ARGUMENT with "function: argument N (meaning): " before the sentence. */
sembed_status argument_fail(struct argument argument, sembed_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a text that is not JSON: where, and what was expected and found there. */
sembed_status json_malformed(struct argument argument, size_t offset, const char *message,
                             sembed_error *error);

/* Any NULL among the arguments: the answer is NULL. */
bool any_null(int count, sqlite3_value **values);

/* TEXT, or a number as SQLite writes it. A BLOB is refused: where a text is wanted it is most often
 * a vector. The text lives as long as the value and is not converted again. */
SEMBED_MUST_CHECK sembed_status value_text(sqlite3_value *value, struct argument argument,
                                           sembed_text *text, sembed_error *error);

/* TEXT without zero bytes: a model's name, a folder. */
SEMBED_MUST_CHECK sembed_status value_string(sqlite3_value *value, struct argument argument,
                                             const char **string, sembed_error *error);

/* The first two arguments of a function that takes ([model,] text, …), meaning: what its text is. name
 * is NULL where the first of them is the text. */
SEMBED_MUST_CHECK sembed_status value_model_and_text(const char *function, bool names_model,
                                                     sqlite3_value **values, const char *meaning,
                                                     const char **name, sembed_text *text,
                                                     sembed_error *error);

/* An INTEGER of 0 or more; REAL and TEXT are refused. */
SEMBED_MUST_CHECK sembed_status value_size(sqlite3_value *value, struct argument argument,
                                           size_t *size, sembed_error *error);

/* INTEGER or REAL. */
SEMBED_MUST_CHECK sembed_status value_real(sqlite3_value *value, struct argument argument,
                                           double *number, sembed_error *error);

/* "NULL", "a number", "TEXT" or "a BLOB". */
const char *value_type_word(sqlite3_value *value);

/* --------------------------------------------------------------------------------- vector.c */

/* A vector of an argument. Free it with vector_free. */
struct vector {
    const float *values;
    size_t count;
    float *copy; /* where values had to be copied or parsed */
};

/* A BLOB of float32, or a JSON array of numbers, at least one of them. JSON that is constant in the
 * statement is parsed once, which is what the context is for: NULL in aggregates, where SQLite does not say
 * what is constant. */
SEMBED_MUST_CHECK sembed_status vector_read(sqlite3_context *context, sqlite3_value *value,
                                            struct argument argument, const sembed_poll *poll,
                                            struct vector *vector, sembed_error *error);
void vector_free(struct vector *vector);

/* Makes copy hold the numbers, to be changed. */
SEMBED_MUST_CHECK sembed_status vector_own(struct vector *vector, const sembed_poll *poll,
                                           sembed_error *error);

/* Makes a copy of values[count] the function's result: a BLOB with the subtype of float32. */
void vector_result(sqlite3_context *context, const float *values, size_t count);

/* Two vectors, the function's arguments first and first + 1 (from 0), of the same size. Free both with
 * vector_free, also where it fails. */
SEMBED_MUST_CHECK sembed_status vector_read_pair(sqlite3_context *context, const char *function,
                                                 int first, sqlite3_value **values,
                                                 const sembed_poll *poll, struct vector *a,
                                                 struct vector *b, sembed_error *error);

/* ------------------------------------------------------------------------------ options.c */

/* How texts are to be embedded. Free it with options_free. */
struct embed_options {
    sembed_options values; /* strings belong to root */
    void *root;            /* json_t */
};

/*
 * {"dims": 256, "layers": 6, "prompt": "…", "prompt_name": "…", "normalize": "always"}, all of them
 * optional; value NULL: none of them. normalize_embeddings is another name of normalize. With a role
 * ("query", "document") that names the prompt, and the object may not.
 */
SEMBED_MUST_CHECK sembed_status options_read(struct connection *connection, sqlite3_value *value,
                                             struct argument argument, const char *role,
                                             struct embed_options *options, sembed_error *error);
void options_free(struct embed_options *options); /* a zeroed one is allowed */

/* ---------------------------------------------------------------------------- json_texts.c */

/* A JSON array of strings and nulls, without escapes; invalid UTF-8 is read as U+FFFD. */
struct json_texts {
    size_t count;
    struct json_span *spans; /* [count] */
    char *bytes;
};

/* Fails where the JSON is malformed, is no array, or holds anything but strings and nulls; that
 * error names the index. */
SEMBED_MUST_CHECK sembed_status json_texts_read(sembed_text json, struct argument argument,
                                                const sembed_poll *poll, struct json_texts *texts,
                                                sembed_error *error);
void json_texts_free(struct json_texts *texts); /* a zeroed one is allowed */

/* Text i, borrowed; false where it is null. */
bool json_texts_get(const struct json_texts *texts, size_t i, sembed_text *text);

/* ---------------------------------------------------------------------------- characters.c */

/* Where the characters of a text begin. Free it with characters_free. */
struct characters {
    uint64_t *begins; /* bit i of word w: a character begins at byte 64 w + i */
    uint32_t *before; /* characters that begin before byte 64 w */
};

SEMBED_MUST_CHECK sembed_status characters_find(sembed_text text, const sembed_poll *poll,
                                                struct characters *characters, sembed_error *error);
void characters_free(struct characters *characters); /* a zeroed one is allowed */

/* How many characters begin before the byte, which may be the text's end. */
size_t characters_before(const struct characters *characters, size_t byte);

/* The number of the character that the byte belongs to; at the text's end, how many there are. */
size_t characters_at(const struct characters *characters, size_t byte);

/* ---------------------------------------------------------------------------------- table.c */

/* The head of what a table-valued function keeps of one call: a struct of its own begins with it. */
struct table_rows {
    struct connection *connection;
    size_t count; /* rows: start sets it */
    struct table_argument *arguments;
};

/* Argument i (from 0), a text or what SQLite makes one of; while the rows are read, not in start. */
sembed_text table_text(const struct table_rows *rows, int i);

enum { TABLE_MOST_ARGUMENTS = 4 };

/* A table-valued function: an eponymous virtual table that only reads, whose arguments are hidden
 * columns behind those that it shows. */
struct table_function {
    const char *name;
    const char *usage;   /* for a call with too few arguments */
    const char *columns; /* those it shows, as CREATE TABLE has them */
    int column_count;
    int fewest_arguments, most_arguments;
    bool numbered;     /* the first column rises from row to row */
    size_t state_size; /* of the struct that begins with table_rows */

    /* Reads the arguments, none of them NULL, which stay until it returns; sets the count. */
    sembed_status (*start)(struct table_rows *rows, int count, sqlite3_value **arguments,
                           sembed_error *error);
    /* Gives a column of a row to SQLite. */
    sembed_status (*column)(struct table_rows *rows, size_t row, int column,
                            sqlite3_context *context, sembed_error *error);
    void (*stop)(struct table_rows *rows); /* frees; also after a start that failed */
};

int table_register(sqlite3 *database, struct connection *connection,
                   const struct table_function *function);

/* -------------------------------------------------- what extension.c registers, by their files */

typedef void scalar_function(sqlite3_context *context, int count, sqlite3_value **values);
scalar_function function_embed, function_embed_query, function_embed_document;
scalar_function function_cos_sim, function_dot_score, function_euclidean_sim,
    function_manhattan_sim, function_similarity;
scalar_function function_truncate_dim, function_l2_normalize, function_quantize_int8,
    function_quantize_binary;
scalar_function function_rerank_score, function_token_count;
scalar_function function_sembed_load, function_sembed_config, function_sembed_version;
scalar_function function_sembed_compile;

typedef void aggregate_result(sqlite3_context *context);
scalar_function pearson_step, spearman_step, triplet_accuracy_step, negative_mse_step;
scalar_function correlation_inverse, triplet_accuracy_inverse, negative_mse_inverse;
aggregate_result pearson_value, spearman_value, triplet_accuracy_value, negative_mse_value;
aggregate_result pearson_final, spearman_final;

extern const struct table_function table_embed_batch, table_rerank, table_tokenize, table_chunk,
    table_sembed_models;

#endif
