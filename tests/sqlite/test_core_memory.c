/*
 * Memory that runs out, at every allocation in turn: the core's, SQLite's, jansson's. Each time the
 * statement gives SQLITE_NOMEM, nothing is lost (the address sanitizer looks), and with memory there
 * again the same connection works. An emulated processor takes every seventh allocation.
 */
#include "core/base/memory.h"
#include "linked.h"
#include "support.h"

#include <stdlib.h>

/* ---------------------------------------------------------------- allocators that fail on demand */

/* The nth allocation from now (1: the next) fails, and every later one too; 0: none does. */
static size_t sqlite_fails_from, jansson_fails_from;
static sqlite3_mem_methods sqlite_memory;

static bool fails(size_t *fails_from)
{
    if (*fails_from == 0)
        return false;
    if (*fails_from == 1)
        return true;
    --*fails_from;
    return false;
}

static void *sqlite_malloc(int size)
{
    return fails(&sqlite_fails_from) ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_realloc(void *pointer, int size)
{
    return fails(&sqlite_fails_from) ? NULL : sqlite_memory.xRealloc(pointer, size);
}

static void *jansson_malloc(size_t size)
{
    return fails(&jansson_fails_from) ? NULL : malloc(size);
}

static void sqlite_fail_from(size_t nth)
{
    sqlite_fails_from = nth;
}

static void jansson_fail_from(size_t nth)
{
    jansson_fails_from = nth;
}

static int install_allocators(void **state)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory);
    sqlite3_mem_methods failing = sqlite_memory;
    failing.xMalloc = sqlite_malloc;
    failing.xRealloc = sqlite_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
    /* Small pieces of each connection's own store would never fail. */
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
    json_set_alloc_funcs(jansson_malloc, free);
    return use_fixtures(state);
}

/* ---------------------------------------------------------------------------------- the tests */

static const char *const statements[] = {
    "SELECT embed('river'), embed(body) FROM docs",
    "SELECT embed('tiny-bert', 'river')",
    "SELECT id, vector FROM embed_batch('[\"river\", null, \"stone\"]')",
    "SELECT vector FROM embed_batch('tiny-bert', json_array(CAST(x'ff' AS TEXT)))",
    "SELECT vector FROM embed_batch('[\"\\u00e9\", \"a\\nb\"]')",
    "SELECT cos_sim('[1, 2]', '[3, 4]'), cos_sim('[1]', x'00000000')",
    "SELECT length(l2_normalize('[' || replace(hex(zeroblob(600)), '00', '1,') || '1]'))",
    "SELECT embed('tiny-bert', 'river', '{\"dims\": 8, \"prompt\": \"a \"}')",
    "SELECT l2_normalize('[3, 4]'), quantize_int8('[1]'), quantize_binary('[1,1,1,1,1,1,1,1]'),"
    " truncate_dim(x'0000000000000000', 1)",
    "SELECT token, start FROM tokenize('the river'), docs",
    "SELECT text, start FROM chunk('the river runs. the stone stays. it rains.', 8, 1)",
    "SELECT text, score FROM rerank('cross-bert', 'river', '[\"stone\", null, \"water\"]')",
    "SELECT rerank_score('cross-bert', 'river', 'stone'), token_count('river')",
    "SELECT spearman(rowid, rowid), pearson(rowid, 1.5), negative_mse('[1]', x'00000000'),"
    " triplet_accuracy('[1]', '[2]', '[3]', 'dot') FROM docs",
    "SELECT spearman(rowid, 2 * rowid) OVER w, triplet_accuracy('[1]', '[2]', '[3]') OVER w FROM "
    "docs"
    " WINDOW w AS (ORDER BY rowid ROWS 1 PRECEDING)",
    "SELECT sembed_config('model', 'tiny-bert'), sembed_config('on_truncate', 'error')",
    "SELECT * FROM sembed_models",
    "SELECT sembed_version()",
};

/* Opens a database, runs a statement and reads all it gives. */
static int attempt(const char *sql)
{
    sqlite3 *database = NULL;
    int result = try_open_linked(&database);
    if (result == SQLITE_OK)
        result = sqlite3_exec(database,
                              "CREATE TABLE docs(body TEXT);"
                              "INSERT INTO docs VALUES ('a text'), ('another')",
                              NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_exec(database, sql, NULL, NULL, NULL);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    return result;
}

static void fail_everywhere(void (*fail_from)(size_t), const char *sql)
{
    fail_from(0);
    assert_int_equal(attempt(sql), SQLITE_OK); /* loads the model */
    for (size_t nth = 1;; nth += is_emulated() ? 7 : 1) {
        fail_from(nth);
        int result = attempt(sql);
        fail_from(0);
        if (result == SQLITE_OK)
            break;
        if (result != SQLITE_NOMEM)
            fail_msg("result %d without the allocation %zu: %s", result, nth, sql);
        assert_int_equal(attempt(sql), SQLITE_OK);
        assert_true(nth < 100000);
    }
}

static void test_core(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        fail_everywhere(memory_fail_from, statements[i]);
}

static void test_sqlite(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        fail_everywhere(sqlite_fail_from, statements[i]);
}

static void test_jansson(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        fail_everywhere(jansson_fail_from, statements[i]);
}

/* One connection, at the first embedding and at later ones. */
static void test_connection_goes_on(void **state)
{
    (void)state;
    sqlite3 *database = open_linked();
    for (size_t nth = 1; nth < 20; nth++) {
        memory_fail_from(nth);
        int result = sqlite3_exec(database, statements[2], NULL, NULL, NULL);
        memory_fail_from(0);
        assert_true(result == SQLITE_OK || result == SQLITE_NOMEM);
        assert_int_equal(query_integer(database, "SELECT length(embed('river'))"),
                         FIXTURE_DIMENSIONS * sizeof(float));
    }
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core),
        cmocka_unit_test(test_sqlite),
        cmocka_unit_test(test_jansson),
        cmocka_unit_test(test_connection_goes_on),
    };
    return cmocka_run_group_tests_name("core memory", tests, install_allocators, NULL);
}
