/* The options of embed, embed_query, embed_document and embed_batch; sembed_config. What options give
 * is in tests/sql-cases. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

static void test_faults(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const struct {
        const char *options, *fragment;
    } cases[] = {
        {"'dims'", "embed: argument 3 (options): malformed JSON at byte"},
        {"''", "malformed JSON"},
        {"'[1]'", "expected a JSON object, found an array"},
        {"7", "expected a JSON object, found an integer"},
        {"x'7B7D'", "expected TEXT, found a BLOB"},
        {"'{\"dims\": -1}'", "key 'dims': expected an integer of 0 or more, found -1"},
        {"'{\"dims\": 1.5}'", "key 'dims': expected an integer of 0 or more, found a fraction"},
        {"'{\"dims\": \"8\"}'", "key 'dims': expected an integer of 0 or more, found a string"},
        {"'{\"dims\": true}'", "key 'dims': expected an integer of 0 or more, found a boolean"},
        {"'{\"dims\": 25}'", "dims: expected at most the 24 of model 'tiny-bert', found 25"},
        {"'{\"dims\": 99999999999999999999}'",
         "key 'dims': expected an integer of 0 or more, found a fraction"},
        {"'{\"layers\": -2}'", "key 'layers': expected an integer of 0 or more, found -2"},
        {"'{\"layers\": 3}'", "layers: expected at most the 2 of model 'tiny-bert', found 3"},
        {"'{\"normalize\": true}'", "key 'normalize': expected a string, found a boolean"},
        {"'{\"normalize\": \"yes\"}'", "expected 'model', 'always' or 'never', found 'yes'"},
        {"'{\"prompt\": 1}'", "key 'prompt': expected a string"},
        {"'{\"prompt\": \"a\\u0000b\"}'", "key 'prompt': expected a string, found one with a zero"},
        {"'{\"prompt_name\": \"x\"}'", "model 'tiny-bert' has no prompt 'x'"},
        {"'{\"prompt\": \"a\", \"prompt_name\": \"query\"}'", "prompt and prompt_name are given"},
        {"'{\"Dims\": 8}'",
         "unknown key 'Dims': the keys are dims, layers, prompt, prompt_name, normalize"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(database, SQLITE_ERROR, cases[i].fragment, "SELECT embed(%Q, 'river', %s)",
                     FIXTURE, cases[i].options);
        char *batch = sqlite3_mprintf("SELECT vector FROM embed_batch(%Q, '[\"river\"]', %s)",
                                      FIXTURE, cases[i].options);
        const char *fragment = strstr(cases[i].fragment, "embed: ");
        assert_fails(database, SQLITE_ERROR,
                     fragment ? "embed_batch: argument 3 (options): " : cases[i].fragment, "%s",
                     batch);
        sqlite3_free(batch);
    }
    /* Their prompt is the model's to say. */
    assert_fails(database, SQLITE_ERROR,
                 "unknown key 'prompt': the keys are dims, layers, normalize",
                 "SELECT embed_query(%Q, 'river', '{\"prompt\": \"a\"}')", FIXTURE);
    assert_fails(database, SQLITE_ERROR, "embed_document: argument 3 (options): unknown key",
                 "SELECT embed_document(%Q, 'river', '{\"prompt_name\": \"query\"}')", FIXTURE);
    close_database(database);
}

static void test_what_changes_nothing(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const char *const same[] = {"{}",
                                "{\"dims\": 0, \"layers\": 0}",
                                "{\"dims\": 24, \"layers\": 2}",
                                "{\"dims\": null, \"prompt\": null}",
                                "{\"prompt\": \"\"}",
                                "{\"prompt_name\": \"none\"}",
                                "{\"normalize\": \"model\"}"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_int_equal(query_integer(database, "SELECT embed(%Q, 'river', %Q) = embed('river')",
                                       FIXTURE, same[i]),
                         1);
        assert_int_equal(query_integer(database,
                                       "SELECT vector = embed('river')"
                                       " FROM embed_batch(%Q, '[\"river\"]', %Q)",
                                       FIXTURE, same[i]),
                         1);
    }
    assert_null(query_text(database, "SELECT embed(%Q, 'river', NULL)", FIXTURE));
    assert_int_equal(query_integer(database,
                                   "SELECT count(*) FROM embed_batch(%Q, '[\"river\"]', NULL)",
                                   FIXTURE),
                     0);
    /* The default prompt of this model is not none. */
    assert_int_equal(query_integer(database,
                                   "SELECT embed('prompts', 'a', '{\"prompt\": \"\"}') ="
                                   " embed('prompts', 'a', '{\"prompt_name\": \"none\"}')"),
                     1);
    assert_int_equal(query_integer(database, "SELECT embed('prompts', 'a', '{\"prompt\": \"\"}') ="
                                             " embed('prompts', 'a')"),
                     0);
    close_database(database);
}

/* The vector kept beside a constant text is of no use with other options. */
static void test_constant_text_by_changing_options(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    char *sizes = query_text(database,
                             "SELECT group_concat(length(embed(%Q, 'river', value))) FROM"
                             " json_each('[\"{}\", \"{\\\"dims\\\":4}\", \"{\\\"dims\\\":8}\"]')",
                             FIXTURE);
    assert_string_equal(sizes, "96,16,32");
    sqlite3_free(sizes);
    close_database(database);
}

static void test_generated_column(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database,
        "CREATE TABLE docs(body TEXT, vector BLOB GENERATED ALWAYS AS"
        " (embed_document('prompts', body, '{\"dims\": 8, \"normalize\": \"always\"}')) STORED);"
        "INSERT INTO docs(body) VALUES ('river')");
    assert_int_equal(query_integer(database, "SELECT vector = l2_normalize(truncate_dim("
                                             "embed_document('prompts', body), 8)) FROM docs"),
                     1);
    close_database(database);
}

/* ------------------------------------------------------------------------------------- settings */

static void test_config(void **state)
{
    (void)state;
    sqlite3 *database = open_database(), *other = open_database();
    char *value = query_text(database, "SELECT sembed_config('model')");
    assert_string_equal(value, FIXTURE); /* SEMBED_MODEL */
    sqlite3_free(value);
    assert_null(query_text(database, "SELECT sembed_config('reranker')"));
    value = query_text(database, "SELECT sembed_config('on_truncate')");
    assert_string_equal(value, "truncate");
    sqlite3_free(value);

    value = query_text(database, "SELECT sembed_config('model', 'mpnet')");
    assert_string_equal(value, "mpnet");
    sqlite3_free(value);
    assert_int_equal(query_integer(database, "SELECT embed('a') = embed('mpnet', 'a')"), 1);
    assert_int_equal(query_integer(other, "SELECT embed('a') = embed(%Q, 'a')", FIXTURE), 1);
    run(database, "SELECT sembed_config('model', NULL)");
    assert_int_equal(query_integer(database, "SELECT embed('a') = embed(%Q, 'a')", FIXTURE), 1);

    assert_fails(database, SQLITE_ERROR, "several", "SELECT rerank_score('a', 'b')");
    assert_fails(database, SQLITE_ERROR, "SEMBED_RERANKER", "SELECT rerank_score('a', 'b')");
    run(database, "SELECT sembed_config('reranker', 'cross-bert')");
    assert_int_equal(query_integer(database, "SELECT rerank_score('a', 'b') ="
                                             " rerank_score('cross-bert', 'a', 'b')"),
                     1);
    close_database(database);
    close_database(other);
}

static void test_config_faults(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_fails(database, SQLITE_ERROR,
                 "expected 'model', 'reranker', 'on_truncate', 'threads', 'max_text_size' or "
                 "'max_loaded', found 'dims'",
                 "SELECT sembed_config('dims', 1)");
    assert_fails(database, SQLITE_ERROR,
                 "sembed_config: argument 1 (key): expected TEXT, found NULL",
                 "SELECT sembed_config(NULL)");
    assert_fails(database, SQLITE_ERROR, "expected 'truncate' or 'error', found 'cut'",
                 "SELECT sembed_config('on_truncate', 'cut')");
    assert_fails(database, SQLITE_ERROR, "model 'nobody' is not found; there are: ",
                 "SELECT sembed_config('model', 'nobody')");
    assert_fails(database, SQLITE_ERROR, "model 'nobody' is not found; there are: ",
                 "SELECT sembed_config('reranker', 'nobody')");
    char *value = query_text(database, "SELECT sembed_config('model')"); /* as it was */
    assert_string_equal(value, FIXTURE);
    sqlite3_free(value);
    run(database, "CREATE VIEW setter AS SELECT sembed_config('model', 'mpnet')");
    assert_fails(database, SQLITE_ERROR, "unsafe use of sembed_config()", "SELECT * FROM setter");
    close_database(database);
}

static void test_threads_share_a_batch(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    char *value = query_text(database, "SELECT sembed_config('threads')");
    assert_string_equal(value, "1");
    sqlite3_free(value);
    run(database,
        "CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT);" /* found by id: one batch in all */
        "INSERT INTO docs WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1"
        " FROM n WHERE i < 299) SELECT i, printf('river %%d %%.*c', i, i %% 40, 'x') FROM n");
    value = query_text(database, "SELECT sembed_config('threads', 3)");
    assert_string_equal(value, "3");
    sqlite3_free(value);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM embed_batch((SELECT"
                                             " json_group_array(body) FROM docs)) JOIN docs"
                                             " USING (id) WHERE vector = embed(body)"),
                     300);
    run(database, "SELECT sembed_config('threads', NULL)");
    assert_fails(database, SQLITE_ERROR, "expected 1 to 256, found '0'",
                 "SELECT sembed_config('threads', 0)");
    assert_fails(database, SQLITE_ERROR, "found '257'", "SELECT sembed_config('threads', 257)");
    assert_fails(database, SQLITE_ERROR, "found 'two'", "SELECT sembed_config('threads', 'two')");
    assert_fails(database, SQLITE_ERROR, "expected 1 to 256, found '1.5'",
                 "SELECT sembed_config('threads', 1.5)");
    close_database(database);
}

static void test_on_truncate_of_batches(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "CREATE TABLE docs(body TEXT); INSERT INTO docs VALUES ('short'),"
                  " (replace(hex(zeroblob(100)), '00', 'river '))");
    const char *batch = "SELECT sum(length(vector))"
                        " FROM embed_batch((SELECT json_group_array(body) FROM docs))";
    assert_int_equal(query_integer(database, batch), 2 * FIXTURE_DIMENSIONS * sizeof(float));
    run(database, "SELECT sembed_config('on_truncate', 'error')");
    assert_fails(database, SQLITE_ERROR, "model 'tiny-bert' reads at most 64", "%s", batch);
    run(database, "SELECT sembed_config('on_truncate', 'truncate')");
    assert_int_equal(query_integer(database, batch), 2 * FIXTURE_DIMENSIONS * sizeof(float));
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_what_changes_nothing),
        cmocka_unit_test(test_constant_text_by_changing_options),
        cmocka_unit_test(test_generated_column),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_config_faults),
        cmocka_unit_test(test_threads_share_a_batch),
        cmocka_unit_test(test_on_truncate_of_batches),
    };
    return cmocka_run_group_tests_name("options", tests, use_fixtures, NULL);
}
