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
    scalar_function *call;
};

struct aggregate {
    const char *name;
    int arguments;
    int flags;
    scalar_function *step, *inverse;
    aggregate_result *final, *value;
};

/*
 * SQLITE_DETERMINISTIC: the answer depends on the arguments alone, so the function may stand in
 * generated columns and expression indexes. A model's name is the identity of the numbers it gives;
 * the default model is a setting, hence the forms that name no model have no such flag.
 *
 * SQLITE_INNOCUOUS: what a schema by a stranger may call even under PRAGMA trusted_schema=OFF. What
 * takes a model is not: a call may read a model folder and keep its weights in memory for good, and
 * its error tells which models exist. (It cannot leave the model path: names hold no slash.)
 *
 * SQLITE_DIRECTONLY: never from a schema. sembed_load opens the folder that its argument names;
 * sembed_compile writes a file; sembed_config changes what later statements give. SQLite looks for this
 * flag in a CHECK constraint only where the function is also deterministic (seen in 3.40; resolve.c),
 * so these are said to be.
 */
enum {
    BY_MODEL = SQLITE_DETERMINISTIC,
    DIRECT = SQLITE_DIRECTONLY | SQLITE_DETERMINISTIC,
    READS_VECTORS = SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS | SQLITE_SUBTYPE,
    MAKES_VECTOR = SQLITE_RESULT_SUBTYPE,
    READS_NUMBERS = SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
};

static const struct function functions[] = {
    {"embed", 1, MAKES_VECTOR, function_embed},
    {"embed", 2, MAKES_VECTOR | BY_MODEL, function_embed},
    {"embed", 3, MAKES_VECTOR | BY_MODEL, function_embed},
    {"embed_query", 1, MAKES_VECTOR, function_embed_query},
    {"embed_query", 2, MAKES_VECTOR | BY_MODEL, function_embed_query},
    {"embed_query", 3, MAKES_VECTOR | BY_MODEL, function_embed_query},
    {"embed_document", 1, MAKES_VECTOR, function_embed_document},
    {"embed_document", 2, MAKES_VECTOR | BY_MODEL, function_embed_document},
    {"embed_document", 3, MAKES_VECTOR | BY_MODEL, function_embed_document},
    {"cos_sim", 2, READS_VECTORS, function_cos_sim},
    {"dot_score", 2, READS_VECTORS, function_dot_score},
    {"euclidean_sim", 2, READS_VECTORS, function_euclidean_sim},
    {"manhattan_sim", 2, READS_VECTORS, function_manhattan_sim},
    {"similarity", 3, BY_MODEL | SQLITE_SUBTYPE, function_similarity},
    {"truncate_dim", 2, READS_VECTORS | MAKES_VECTOR, function_truncate_dim},
    {"l2_normalize", 1, READS_VECTORS | MAKES_VECTOR, function_l2_normalize},
    {"quantize_int8", 1, READS_VECTORS | MAKES_VECTOR, function_quantize_int8},
    {"quantize_binary", 1, READS_VECTORS | MAKES_VECTOR, function_quantize_binary},
    {"rerank_score", 2, 0, function_rerank_score},
    {"rerank_score", 3, BY_MODEL, function_rerank_score},
    {"token_count", 1, 0, function_token_count},
    {"token_count", 2, BY_MODEL, function_token_count},
    {"sembed_load", 2, DIRECT, function_sembed_load},
    {"sembed_compile", 1, DIRECT, function_sembed_compile},
    {"sembed_config", 1, DIRECT, function_sembed_config},
    {"sembed_config", 2, DIRECT, function_sembed_config},
    {"sembed_version", 0, SQLITE_INNOCUOUS, function_sembed_version},
};

static const struct aggregate aggregates[] = {
    {"pearson", 2, READS_NUMBERS, pearson_step, correlation_inverse, pearson_final, pearson_value},
    {"spearman", 2, READS_NUMBERS, spearman_step, correlation_inverse, spearman_final,
     spearman_value},
    {"triplet_accuracy", 3, READS_VECTORS, triplet_accuracy_step, triplet_accuracy_inverse,
     triplet_accuracy_value, triplet_accuracy_value},
    {"triplet_accuracy", 4, READS_VECTORS, triplet_accuracy_step, triplet_accuracy_inverse,
     triplet_accuracy_value, triplet_accuracy_value},
    {"negative_mse", 2, READS_VECTORS, negative_mse_step, negative_mse_inverse, negative_mse_value,
     negative_mse_value},
};

static const struct table_function *const tables[] = {
    &table_embed_batch, &table_rerank, &table_tokenize, &table_chunk, &table_sembed_models,
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
    for (size_t i = 0; !result && i < sizeof aggregates / sizeof *aggregates; i++) {
        const struct aggregate *aggregate = &aggregates[i];
        connection_retain(connection);
        result = sqlite3_create_window_function(database, aggregate->name, aggregate->arguments,
                                                SQLITE_UTF8 | aggregate->flags, connection,
                                                aggregate->step, aggregate->final, aggregate->value,
                                                aggregate->inverse, connection_release);
    }
    for (size_t i = 0; !result && i < sizeof tables / sizeof *tables; i++)
        result = table_register(database, connection, tables[i]);
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
    /* Models and the threads of the engine outlive the connection, so the code must too: the library is
     * linked to stay (-z nodelete). SQLITE_OK_LOAD_PERMANENTLY would do for load_extension, but
     * sqlite3_auto_extension takes all but SQLITE_OK for an error. */
    int result = register_all(database, connection);
    connection_release(connection);
    return result;
}
