/* embed_batch(json_array), embed_batch(model, json_array). */
#include "support.h"

#include <stdio.h>
#include <string.h>

static void test_rows_in_input_order(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    char *ids =
        query_text(database, "SELECT group_concat(batch.id || ' ' || (vector = embed(value)))"
                             " FROM embed_batch('[\"river\", \"\", \"stone\"]') AS batch"
                             " JOIN json_each('[\"river\", \"\", \"stone\"]')"
                             " ON key = batch.id ORDER BY batch.id");
    assert_string_equal(ids, "0 1,1 1,2 1");
    sqlite3_free(ids);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM embed_batch('[]')"), 0);
    assert_int_equal(query_integer(database, "SELECT rowid FROM embed_batch('[\"river\", \"x\"]')"
                                             " WHERE vector = embed('x')"),
                     1);
    close_database(database);
}

static void test_named_model(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_int_equal(query_integer(database,
                                   "SELECT vector = embed('river')"
                                   " FROM embed_batch(%Q, '[\"river\"]')",
                                   FIXTURE),
                     1);
    assert_fails(database, SQLITE_ERROR, "model 'nobody' is not found",
                 "SELECT vector FROM embed_batch('nobody', '[\"river\"]')");
    close_database(database);
}

/*
 * The contract that makes batches safe to use: a text's bits do not depend on its neighbours. One
 * call per row, all in one batch, and batches cut at odd places, one of them past a chunk's end.
 */
static void test_same_bits_however_split(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const int sentences = is_emulated() ? 600 : 2000;
    make_sentences(database, (unsigned)sentences);
    run(database, "CREATE TABLE one_by_one AS SELECT id, embed(body) AS vector FROM sentences");
    const int sizes[] = {sentences, sentences - 1, 700, 257, 256, 255, 31, 7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        run(database,
            "CREATE TABLE batches AS"
            " SELECT part, texts FROM (SELECT id / %d AS part, json_group_array(body) AS texts"
            " FROM (SELECT * FROM sentences ORDER BY id) GROUP BY part)",
            sizes[i]);
        assert_int_equal(query_integer(database,
                                       "SELECT count(*) FROM batches, embed_batch(%Q, texts) AS b"
                                       " JOIN one_by_one AS o ON o.id = part * %d + b.id"
                                       " WHERE o.vector = b.vector",
                                       FIXTURE, sizes[i]),
                         sentences);
        run(database, "DROP TABLE batches");
    }
    assert_true(query_integer(database, "SELECT count(DISTINCT vector) FROM one_by_one") >
                sentences * 3 / 4);
    close_database(database);
}

/* Nulls at the beginning, at a chunk's end and beyond it, where positions in the chunk shift. */
static void test_null_elements(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    make_sentences(database, 600);
    run(database, "CREATE TABLE holes AS SELECT id,"
                  " CASE WHEN id %% 3 = 0 OR id BETWEEN 250 AND 520 THEN NULL ELSE body END AS body"
                  " FROM sentences ORDER BY id");
    assert_int_equal(query_integer(database, "SELECT count(*) FROM embed_batch("
                                             " (SELECT json_group_array(body) FROM holes)) AS b"
                                             " JOIN holes USING (id)"
                                             " WHERE b.vector IS embed(body)"),
                     600);
    assert_null(query_text(database, "SELECT vector FROM embed_batch('[null]')"));
    close_database(database);
}

static void test_null_argument_gives_no_rows(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_int_equal(query_integer(database, "SELECT count(*) FROM embed_batch(NULL)"), 0);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM embed_batch(NULL, '[\"a\"]')"),
                     0);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM embed_batch(%Q, NULL)", FIXTURE),
                     0);
    close_database(database);
}

static void test_texts_with_any_bytes(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT);"
                  "INSERT INTO docs VALUES (0, CAST(x'72FF69C0AFEDA080E282' AS TEXT)),"
                  " (1, 'river' || char(0) || ' stone'), (2, '\"\\' || char(10)), (3, '東京 🚲'),"
                  " (4, CAST(x'F09F9A' AS TEXT)), (5, 'e' || char(769)), (6, CAST(x'C3' AS TEXT))");
    assert_int_equal(
        query_integer(database,
                      "SELECT count(*) FROM embed_batch("
                      " (SELECT json_group_array(body) FROM (SELECT * FROM docs ORDER BY id))) AS b"
                      " JOIN docs USING (id) WHERE b.vector = embed(body)"),
        7);
    close_database(database);
}

static void test_bad_arrays(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const struct {
        const char *json, *fragment;
    } cases[] = {
        {"[\"a\", 7]", "expected a string or null at index 1, found an integer"},
        {"[\"a\", \"b\", [\"c\"]]", "at index 2, found an array"},
        {"[{}]", "at index 0, found an object"},
        {"[true]", "at index 0, found"},
        {"{\"a\": \"b\"}", "expected a JSON array of strings, found an object"},
        {"\"river\"", "expected a JSON array of strings, found a string"},
        {"river", "malformed JSON at byte"},
        {"[\"a\",", "malformed JSON at byte"},
        {"[\"a\"] x", "malformed JSON at byte"},
        {"", "malformed JSON at byte"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(database, SQLITE_ERROR, cases[i].fragment, "SELECT id FROM embed_batch(%Q)",
                     cases[i].json);
        assert_fails(database, SQLITE_ERROR,
                     "embed_batch: argument 2 (texts): ", "SELECT id FROM embed_batch(%Q, %Q)",
                     FIXTURE, cases[i].json);
    }
    assert_fails(database, SQLITE_ERROR, "argument 1 (texts): expected TEXT, found a BLOB",
                 "SELECT id FROM embed_batch(x'5B5D')");
    close_database(database);
}

static void test_missing_argument(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const char *expected = "embed_batch: an argument is missing: embed_batch(json_array)";
    assert_fails(database, SQLITE_ERROR, expected, "SELECT * FROM embed_batch");
    assert_fails(database, SQLITE_ERROR, expected, "SELECT * FROM embed_batch()");
    assert_fails(database, SQLITE_ERROR, expected, "SELECT * FROM embed_batch WHERE id = 1");
    assert_fails(database, SQLITE_ERROR, "too many arguments",
                 "SELECT * FROM embed_batch('a', 'b', 'c', 'd')");
    close_database(database);
}

/* Plans in which the arguments cannot be used at first: an OR, an argument from another table,
 * whichever is named first, an outer join, IN. */
static void test_every_plan_finds_the_arguments(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "CREATE TABLE docs(texts TEXT);"
                  "INSERT INTO docs VALUES ('[\"a\", \"b\"]'), ('[]'), ('[\"c\"]')");
    assert_int_equal(query_integer(database,
                                   "SELECT count(*) FROM embed_batch('[\"a\",\"b\",\"c\"]')"
                                   " WHERE id = 0 OR vector = embed('c')"),
                     2);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM embed_batch(docs.texts), docs"),
                     3);
    assert_int_equal(
        query_integer(database, "SELECT count(*) FROM docs, embed_batch(%Q, docs.texts)", FIXTURE),
        3);
    assert_int_equal(
        query_integer(database, "SELECT count(*) FROM docs LEFT JOIN embed_batch(docs.texts)"), 4);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM embed_batch WHERE"
                                             " argument_1 IN ('[\"a\"]', '[\"b\", \"c\"]')"),
                     3);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM docs, embed_batch('[\"c\"]')"
                                             " WHERE argument_1 = docs.texts"),
                     1);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM embed_batch('[\"a\"]')"
                                             " WHERE argument_1 LIKE '[%%' AND argument_2 IS NULL"),
                     1);
    close_database(database);
}

static void test_order_is_known_to_the_planner(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const char *texts = "[\"a\",\"b\",\"c\"]";
    char *ids = query_text(database,
                           "SELECT group_concat(id, '') FROM"
                           " (SELECT id FROM embed_batch(%Q) ORDER BY id DESC)",
                           texts);
    assert_string_equal(ids, "210");
    sqlite3_free(ids);
    sqlite3_stmt *plan =
        prepare(database, "EXPLAIN QUERY PLAN SELECT id FROM embed_batch('[]') ORDER BY id");
    while (sqlite3_step(plan) == SQLITE_ROW)
        assert_null(strstr((const char *)sqlite3_column_text(plan, 3), "TEMP B-TREE"));
    sqlite3_finalize(plan);
    close_database(database);
}

/* Two cursors of one connection at once, each in the middle of a chunk. */
static void test_cursors_do_not_disturb_each_other(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    make_sentences(database, 300);
    const char *sql = "SELECT b.vector = embed(body) FROM embed_batch("
                      "(SELECT json_group_array(body) FROM (SELECT * FROM sentences ORDER BY id)))"
                      " AS b JOIN sentences USING (id)";
    sqlite3_stmt *statements[] = {prepare(database, sql), prepare(database, sql)};
    for (int row = 0; row < 300; row++)
        for (int i = 0; i < 2; i++) {
            assert_int_equal(sqlite3_step(statements[i]), SQLITE_ROW);
            assert_int_equal(sqlite3_column_int(statements[i], 0), 1);
        }
    sqlite3_finalize(statements[0]);
    sqlite3_finalize(statements[1]);
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_in_input_order),
        cmocka_unit_test(test_named_model),
        cmocka_unit_test(test_same_bits_however_split),
        cmocka_unit_test(test_null_elements),
        cmocka_unit_test(test_null_argument_gives_no_rows),
        cmocka_unit_test(test_texts_with_any_bytes),
        cmocka_unit_test(test_bad_arrays),
        cmocka_unit_test(test_missing_argument),
        cmocka_unit_test(test_every_plan_finds_the_arguments),
        cmocka_unit_test(test_order_is_known_to_the_planner),
        cmocka_unit_test(test_cursors_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests_name("embed_batch", tests, use_fixtures, NULL);
}
