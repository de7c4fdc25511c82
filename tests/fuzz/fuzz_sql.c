/*
 * SQL arguments: the input is read as choices, and with them a statement is put together from our
 * functions, table-valued functions and aggregates, with numbers, JSON, and texts and BLOBs of any
 * bytes (what lies before a byte 0xFF, taken from the input where they are used). The statement gives
 * rows or an error, and the connection embeds as before.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/sqlite/linked.h"
#include "tests/unit/folder.h"

#include <stdlib.h>
#include <string.h>

#define DEEPEST   4
#define MOST_ROWS 100

static sqlite3 *database;

/* A statement that is being put together. */
struct statement {
    struct fuzz_input input;
    sqlite3_str *sql;
    sembed_text values[32];
    bool blobs[32];
    int count;
};

struct function {
    const char *name;
    unsigned least, most; /* arguments */
};

static const struct function scalars[] = {
    {"embed", 1, 3},         {"embed_query", 1, 3},    {"embed_document", 1, 3},
    {"cos_sim", 2, 2},       {"dot_score", 2, 2},      {"euclidean_sim", 2, 2},
    {"manhattan_sim", 2, 2}, {"similarity", 3, 3},     {"truncate_dim", 2, 2},
    {"l2_normalize", 1, 1},  {"quantize_int8", 1, 1},  {"quantize_binary", 1, 1},
    {"rerank_score", 2, 3},  {"token_count", 1, 2},    {"sembed_config", 1, 2},
    {"sembed_load", 2, 2},   {"sembed_compile", 1, 1}, {"sembed_version", 0, 0},
    {"length", 1, 1},        {"json_array", 1, 3},     {"subtype", 1, 1},
};

static const struct function tables[] = {
    {"embed_batch", 1, 3}, {"rerank", 2, 4},        {"tokenize", 1, 2},
    {"chunk", 1, 4},       {"sembed_models", 0, 0},
};

static const struct function aggregates[] = {
    {"pearson", 2, 2},
    {"spearman", 2, 2},
    {"triplet_accuracy", 3, 4},
    {"negative_mse", 2, 2},
};

/* What stands in SQL as it is. */
static const char *const literals[] = {
    "NULL",
    "0",
    "1",
    "-1",
    "3",
    "24",
    "64",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "0.5",
    "1e308",
    "1e999",
    "-1e999",
    "''",
    "'a river'",
    "zeroblob(96)",
    "zeroblob(7)",
    "randomblob(8)",
    "'tiny-bert'",
    "'cross-bert'",
    "'tiny-bert@int8'",
    "'../tiny-bert'",
    "'tests/fixtures/plain'",
    "'model'",
    "'reranker'",
    "'on_truncate'",
    "'error'",
    "'cosine'",
    "'[1, 2, 3]'",
    "'[1e400, -0.0, 1e-400]'",
    "'[\"a river\", null, \"\\u0000\\ud800\", \"stone\"]'",
    "json_array('a', NULL, char(0xD7FF), x'61')",
    "'{\"dims\": 8, \"normalize\": \"always\"}'",
    "'{\"layers\": 1, \"prompt\": \"\\u0000\", \"prompt_name\": null}'",
    "embed('tiny-bert', 'a river')",
    "body",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static unsigned choose(struct statement *statement, size_t count)
{
    return fuzz_take_byte(&statement->input) % (unsigned)count;
}

static void add_value(struct statement *statement, bool blob)
{
    if (statement->count == (int)COUNT(statement->values)) {
        sqlite3_str_appendall(statement->sql, "NULL");
        return;
    }
    statement->values[statement->count] = fuzz_take_text(&statement->input);
    statement->blobs[statement->count++] = blob;
    sqlite3_str_appendf(statement->sql, "?%d", statement->count);
}

static void add_call(struct statement *statement, const struct function *functions, size_t count,
                     unsigned depth);

static void add_expression(struct statement *statement, unsigned depth)
{
    unsigned kind = choose(statement, 8);
    if (kind < 2)
        add_value(statement, kind == 1);
    else if (kind < 4 && depth < DEEPEST)
        add_call(statement, scalars, COUNT(scalars), depth + 1);
    else
        sqlite3_str_appendall(statement->sql, literals[choose(statement, COUNT(literals))]);
}

static void add_call(struct statement *statement, const struct function *functions, size_t count,
                     unsigned depth)
{
    const struct function *function = &functions[choose(statement, count)];
    unsigned arguments = function->least + choose(statement, function->most - function->least + 1);
    sqlite3_str_appendf(statement->sql, "%s(", function->name);
    for (unsigned i = 0; i < arguments; i++) {
        if (i)
            sqlite3_str_appendall(statement->sql, ", ");
        add_expression(statement, depth);
    }
    sqlite3_str_appendall(statement->sql, ")");
}

static void add_statement(struct statement *statement)
{
    switch (choose(statement, 4)) {
    case 0:
        sqlite3_str_appendall(statement->sql, "SELECT ");
        add_call(statement, scalars, COUNT(scalars), 0);
        sqlite3_str_appendall(statement->sql, " FROM docs");
        break;
    case 1:
        sqlite3_str_appendall(statement->sql, "SELECT f.* FROM docs, ");
        add_call(statement, tables, COUNT(tables), 0);
        sqlite3_str_appendall(statement->sql, " AS f WHERE f.rowid <> ");
        add_expression(statement, DEEPEST);
        break;
    case 2:
        sqlite3_str_appendall(statement->sql, "SELECT ");
        add_call(statement, aggregates, COUNT(aggregates), 0);
        sqlite3_str_appendall(statement->sql, " FROM docs");
        break;
    default:
        sqlite3_str_appendall(statement->sql, "SELECT ");
        add_call(statement, aggregates, COUNT(aggregates), 0);
        sqlite3_str_appendall(statement->sql, " OVER (ORDER BY rowid ROWS 1 PRECEDING) FROM docs");
    }
}

static void run(const struct statement *statement, const char *sql)
{
    sqlite3_stmt *prepared = NULL;
    int result = sqlite3_prepare_v2(database, sql, -1, &prepared, NULL);
    for (int i = 0; result == SQLITE_OK && i < statement->count; i++) {
        const sembed_text *value = &statement->values[i];
        result =
            statement->blobs[i]
                ? sqlite3_bind_blob64(prepared, i + 1, value->data, value->length, SQLITE_STATIC)
                : sqlite3_bind_text64(prepared, i + 1, value->data, value->length, SQLITE_STATIC,
                                      SQLITE_UTF8);
    }
    for (int row = 0; row < MOST_ROWS && (result == SQLITE_OK || result == SQLITE_ROW); row++)
        result = sqlite3_step(prepared);
    fuzz_require(result == SQLITE_OK || result == SQLITE_ROW || result == SQLITE_DONE ||
                 result == SQLITE_ERROR || result == SQLITE_TOOBIG);
    fuzz_require(result != SQLITE_ERROR || sqlite3_errmsg(database)[0]);
    sqlite3_finalize(prepared);
}

static void open_connection(void)
{
    setenv("SEMBED_MODEL_PATH", fixtures_folder(), 1);
    setenv("SEMBED_MODEL", "tiny-bert", 1);
    setenv("SEMBED_RERANKER", "cross-bert", 1);
    setenv("SEMBED_CACHE", "", 1);
    fuzz_require(try_open_linked(&database) == SQLITE_OK);
    fuzz_require(
        sqlite3_exec(database,
                     "CREATE TABLE docs(body); INSERT INTO docs VALUES ('a river'), (NULL),"
                     " ('stone'), (x'0000803f'), ('[1, 2]')",
                     NULL, NULL, NULL) == SQLITE_OK);
}

/* sembed_load gives a name another folder: that of the model which is checked gets its own again. */
static void load_default(void)
{
    char *sql =
        sqlite3_mprintf("SELECT sembed_load('tiny-bert', '%q/tiny-bert')", fixtures_folder());
    fuzz_require(sql != NULL && sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_free(sql);
}

/* The same bits as the first time. */
static void check_connection(void)
{
    static unsigned char before[4096];
    static int size;
    sqlite3_stmt *prepared = NULL;
    fuzz_require(
        sqlite3_exec(database,
                     "SELECT sembed_config('model', NULL), sembed_config('reranker', NULL),"
                     " sembed_config('on_truncate', NULL), sembed_config('threads', 1)",
                     NULL, NULL, NULL) == SQLITE_OK);
    fuzz_require(sqlite3_prepare_v2(database, "SELECT embed('the river runs')", -1, &prepared,
                                    NULL) == SQLITE_OK);
    fuzz_require(sqlite3_step(prepared) == SQLITE_ROW);
    const void *vector = sqlite3_column_blob(prepared, 0);
    if (!size) {
        size = sqlite3_column_bytes(prepared, 0);
        fuzz_require(size > 0 && (size_t)size <= sizeof before);
        memcpy(before, vector, (size_t)size);
    }
    fuzz_require(sqlite3_column_bytes(prepared, 0) == size &&
                 memcmp(vector, before, (size_t)size) == 0);
    sqlite3_finalize(prepared);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!database) {
        open_connection();
        check_connection();
    }
    struct statement statement = {.input = {data, size}, .sql = sqlite3_str_new(database)};
    add_statement(&statement);
    char *sql = sqlite3_str_finish(statement.sql);
    fuzz_require(sql != NULL);
    run(&statement, sql);
    if (strstr(sql, "sembed_load"))
        load_default();
    sqlite3_free(sql);
    check_connection();
    return 0;
}
