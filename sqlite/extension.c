/*
 * The SQLite extension's entry point. What SQL sees is in two tables here; the code is by subject in
 * the files that extension.h lists.
 */
#define SEMBED_SQLITE_ENTRY
#include "sqlite/extension.h"

SQLITE_EXTENSION_INIT1

/* From 3.45; older versions ignore the bit. */
#ifndef SQLITE_RESULT_SUBTYPE
#define SQLITE_RESULT_SUBTYPE 0x001000000
#endif

/* SQLITE_INNOCUOUS and SQLITE_DIRECTONLY came with 3.31, and so did generated columns. */
enum { OLDEST_SQLITE = 3031000 };

struct function {
    const char *name;
    int arguments;
    int flags;
    void (*call)(sqlite3_context *context, int count, sqlite3_value **values);
};

/*
 * SQLITE_DETERMINISTIC: the answer depends on the arguments alone, so the function may stand in
 * generated columns and expression indexes. A model's name is the identity of the numbers it gives;
 * the default model is a matter of the environment, hence embed(text) has no such flag.
 *
 * SQLITE_INNOCUOUS: what a schema by a stranger may call even under PRAGMA trusted_schema=OFF.
 * embed is not: a call may read a model folder and keep its weights in memory for good, and its
 * error tells which models exist. (It cannot leave the model path: names hold no slash.)
 *
 * SQLITE_DIRECTONLY: never from a schema. sembed_load opens the folder that its argument names.
 */
static const struct function functions[] = {
    {"embed", 1, SQLITE_RESULT_SUBTYPE, function_embed},
    {"embed", 2, SQLITE_RESULT_SUBTYPE | SQLITE_DETERMINISTIC, function_embed},
    {"cos_sim", 2, SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS | SQLITE_SUBTYPE, function_cos_sim},
    {"sembed_load", 2, SQLITE_DIRECTONLY, function_sembed_load},
    {"sembed_version", 0, SQLITE_INNOCUOUS, function_sembed_version},
};

static const struct {
    const char *name;
    const sqlite3_module *module;
} tables[] = {
    {"embed_batch", &table_embed_batch},
    {"sembed_models", &table_sembed_models},
};

/* Registers everything; SQLite releases the reference that goes with each, also where it fails. */
static int register_all(sqlite3 *database, struct connection *connection)
{
    int result = SQLITE_OK;
    for (size_t i = 0; !result && i < sizeof functions / sizeof *functions; i++) {
        const struct function *function = &functions[i];
        connection_retain(connection);
        result = sqlite3_create_function_v2(database, function->name, function->arguments,
                                            SQLITE_UTF8 | function->flags, connection,
                                            function->call, NULL, NULL, connection_release);
    }
    for (size_t i = 0; !result && i < sizeof tables / sizeof *tables; i++) {
        connection_retain(connection);
        result = sqlite3_create_module_v2(database, tables[i].name, tables[i].module, connection,
                                          connection_release);
    }
    return result;
}

/* What load_extension calls in a file named sembed.so. */
__attribute__((visibility("default"))) int
sqlite3_sembed_init(sqlite3 *database, char **message, const sqlite3_api_routines *routines);

int sqlite3_sembed_init(sqlite3 *database, char **message, const sqlite3_api_routines *routines)
{
    if (routines->libversion_number() < OLDEST_SQLITE) {
        *message = routines->mprintf("sembed needs SQLite 3.31 or later, this is %s",
                                     routines->libversion());
        return SQLITE_ERROR;
    }
    if (!process_adopt(routines)) {
        *message = routines->mprintf("sembed is already loaded by another copy of SQLite in this "
                                     "process");
        return SQLITE_ERROR;
    }

    sembed_error error = {0};
    struct connection *connection = NULL;
    sembed_status status = process_open(&error);
    if (!status)
        status = connection_create(database, &connection, &error);
    if (status) {
        *message = sqlite3_mprintf("%s", error.message);
        return error_result_code(status);
    }
    int result = register_all(database, connection);
    connection_release(connection);
    /* Models and the threads of the engine outlive the connection, so the code must too. */
    return result ? result : SQLITE_OK_LOAD_PERMANENTLY;
}
