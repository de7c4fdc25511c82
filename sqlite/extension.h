/*
 * What the files of the SQLite extension share.
 *
 *     extension.c           the entry point; the tables of functions and of virtual tables
 *     process.c             the models, shared by all connections of the process
 *     connection.c          one connection: its default model, scratch memory, interrupts
 *     error.c               the core's errors as SQLite's
 *     value.c               arguments as texts and names
 *     vector.c              arguments and results as vectors
 *     functions_*.c         scalar functions by subject
 *     table.c, table_*.c    table-valued functions
 *     json_texts.c          a JSON array as texts
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
 * are looked for in the folders that SEMBED_MODEL_PATH then names, by all connections. */
SEMBED_MUST_CHECK sembed_status process_open(sembed_error *error);

/* The registry of the process, which is never destroyed: models outlive connections, so that a
 * program which opens one connection per request loads its model once. */
sembed_registry *process_registry(void);

/* ----------------------------------------------------------------------------- connection.c */

/* What one connection keeps. Used by one thread at a time, as SQLite runs functions: under the
 * connection's mutex, or by the program's promise where it switched mutexes off. */
struct connection;

SEMBED_MUST_CHECK sembed_status connection_create(sqlite3 *database, struct connection **connection,
                                                  sembed_error *error);

/* Each function and virtual table that is registered holds a reference; the last one frees. */
void connection_retain(struct connection *connection);
void connection_release(void *connection);

/* The model of that name, or the connection's default for NULL: SEMBED_MODEL as it was when the
 * extension was loaded, else the only model there is. */
SEMBED_MUST_CHECK sembed_status connection_model(struct connection *connection, const char *name,
                                                 const sembed_model **model, sembed_error *error);

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

/* Any NULL among the arguments: the answer is NULL. */
bool any_null(int count, sqlite3_value **values);

/* TEXT, or a number as SQLite writes it. A BLOB is refused: where a text is wanted it is most often
 * a vector. The text lives as long as the value and is not converted again. */
SEMBED_MUST_CHECK sembed_status value_text(sqlite3_value *value, struct argument argument,
                                           sembed_text *text, sembed_error *error);

/* TEXT without zero bytes: a model's name, a folder. */
SEMBED_MUST_CHECK sembed_status value_string(sqlite3_value *value, struct argument argument,
                                             const char **string, sembed_error *error);

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
 * statement is parsed once, which is what context and position (from 0) are for. */
SEMBED_MUST_CHECK sembed_status vector_read(sqlite3_context *context, sqlite3_value *value,
                                            struct argument argument, struct vector *vector,
                                            sembed_error *error);
void vector_free(struct vector *vector);

/* Makes a copy of values[count] the function's result: a BLOB with the subtype of float32. */
void vector_result(sqlite3_context *context, const float *values, size_t count);

/* ---------------------------------------------------------------------------- json_texts.c */

/* A JSON array of strings and nulls. */
struct json_texts {
    void *root; /* json_t */
    size_t count;
};

/* Fails where the JSON is malformed, is no array, or holds anything but strings and nulls; that
 * error names the index. Invalid UTF-8 is read as U+FFFD. */
SEMBED_MUST_CHECK sembed_status json_texts_read(sembed_text json, struct argument argument,
                                                const sembed_poll *poll, struct json_texts *texts,
                                                sembed_error *error);
void json_texts_free(struct json_texts *texts); /* a zeroed one is allowed */

/* Text i, borrowed; false where it is null. */
bool json_texts_get(const struct json_texts *texts, size_t i, sembed_text *text);

/* ---------------------------------------------------------------------------------- table.c */

/* A table-valued function: an eponymous virtual table that only reads. */
struct table {
    sqlite3_vtab base;
    struct connection *connection;
};

/* Declares the columns; `declaration` is the CREATE TABLE that sqlite3_declare_vtab takes. */
int table_connect(sqlite3 *database, struct connection *connection, const char *declaration,
                  sqlite3_vtab **table);
int table_disconnect(sqlite3_vtab *table);

/* -------------------------------------------------- what extension.c registers, by their files */

void function_embed(sqlite3_context *context, int count, sqlite3_value **values);
void function_cos_sim(sqlite3_context *context, int count, sqlite3_value **values);
void function_sembed_load(sqlite3_context *context, int count, sqlite3_value **values);
void function_sembed_version(sqlite3_context *context, int count, sqlite3_value **values);

extern const sqlite3_module table_embed_batch;
extern const sqlite3_module table_sembed_models;

#endif
