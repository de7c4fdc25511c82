/* embed(text), embed(model, text): the numbers, the kinds of arguments, what a vector is in SQL. */
#include "support.h"

#include <string.h>

enum { VECTOR_SIZE = FIXTURE_DIMENSIONS * sizeof(float) };

static void test_goldens(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    char *path = sqlite3_mprintf("%s/" FIXTURE "/golden.jsonl", fixtures_folder());
    assert_true(check_goldens(database, FIXTURE, path, FIXTURE_DIMENSIONS, 1) >= 50);
    sqlite3_free(path);
    close_database(database);
}

static void test_both_forms_give_the_same_bits(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_int_equal(query_integer(database, "SELECT embed('river') = embed(%Q, 'river')", FIXTURE),
                     1);
    assert_int_equal(query_integer(database, "SELECT embed('river') = embed('stone')"), 0);
    close_database(database);
}

static void test_null_gives_null(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_null(query_text(database, "SELECT embed(NULL)"));
    assert_null(query_text(database, "SELECT embed(%Q, NULL)", FIXTURE));
    assert_null(query_text(database, "SELECT embed(NULL, 'river')"));
    assert_null(query_text(database, "SELECT embed('no such model', NULL)"));
    close_database(database);
}

static void test_empty_text_is_a_text(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    sqlite3_free(query_blob(database, VECTOR_SIZE, "SELECT embed('')"));
    assert_int_equal(query_integer(database, "SELECT embed('') = embed('river')"), 0);
    close_database(database);
}

static void test_numbers_are_texts(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_int_equal(query_integer(database, "SELECT embed(42) = embed('42')"), 1);
    assert_int_equal(query_integer(database, "SELECT embed(2.5) = embed('2.5')"), 1);
    close_database(database);
}

static void test_a_blob_is_no_text(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_fails(database, SQLITE_ERROR, "argument 1 (text): expected TEXT, found a BLOB",
                 "SELECT embed(embed('river'))");
    assert_fails(database, SQLITE_ERROR, "argument 2 (text): expected TEXT, found a BLOB",
                 "SELECT embed(%Q, x'00')", FIXTURE);
    assert_fails(database, SQLITE_ERROR, "argument 1 (model): expected TEXT, found a BLOB",
                 "SELECT embed(x'00', 'river')");
    close_database(database);
}

static void test_a_megabyte(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const char *words = "replace(hex(zeroblob(500000)), '00', 'river stone ')";
    assert_true(query_integer(database, "SELECT length(%s)", words) > 1000000);
    sqlite3_free(query_blob(database, VECTOR_SIZE, "SELECT embed(%s)", words));
    const char *one_word = "replace(hex(zeroblob(500000)), '0', 'a')";
    assert_int_equal(query_integer(database, "SELECT length(%s)", one_word), 1000000);
    sqlite3_free(query_blob(database, VECTOR_SIZE, "SELECT embed(%s)", one_word));
    close_database(database);
}

static void test_invalid_utf8_is_replaced(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const char *const faults[] = {"FF", "C0AF", "EDA080", "F4908080", "E282", "80"};
    const char *const replaced[] = {
        "EFBFBD", "EFBFBDEFBFBD", "EFBFBDEFBFBDEFBFBD", "EFBFBDEFBFBDEFBFBDEFBFBD",
        "EFBFBD", "EFBFBD"};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        assert_int_equal(query_integer(database,
                                       "SELECT embed(CAST(x'61%s62' AS TEXT)) ="
                                       " embed(CAST(x'61%s62' AS TEXT))",
                                       faults[i], replaced[i]),
                         1);
    sqlite3_free(query_blob(database, VECTOR_SIZE, "SELECT embed(CAST(x'ff' AS TEXT))"));
    close_database(database);
}

/* The text goes on after a zero byte. */
static void test_embedded_nul(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_int_equal(query_integer(database, "SELECT embed('river' || char(0) || ' stone') ="
                                             " embed('river')"),
                     0);
    assert_int_equal(query_integer(database, "SELECT embed('river' || char(0) || ' stone') ="
                                             " embed('river' || char(0) || ' water')"),
                     0);
    close_database(database);
}

static void test_utf16_database(void **state)
{
    (void)state;
    sqlite3 *database = open_database(), *wide = open_database();
    run(wide, "PRAGMA encoding = 'UTF-16'; CREATE TABLE docs(body TEXT);"
              "INSERT INTO docs VALUES ('café 東京 🚲')");
    float *expected = query_blob(database, VECTOR_SIZE, "SELECT embed('café 東京 🚲')");
    float *vector = query_blob(wide, VECTOR_SIZE, "SELECT embed(%Q, body) FROM docs", FIXTURE);
    assert_memory_equal(vector, expected, VECTOR_SIZE);
    sqlite3_free(vector);
    sqlite3_free(expected);
    close_database(wide);
    close_database(database);
}

static void subtype_of(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    sqlite3_result_int64(context, sqlite3_value_subtype(values[0]));
}

static void test_subtype(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    sqlite3_create_function(database, "subtype_of", 1, SQLITE_UTF8, NULL, subtype_of, NULL, NULL);
    assert_int_equal(query_integer(database, "SELECT subtype_of(embed('river'))"), 223);
    assert_int_equal(query_integer(database, "SELECT subtype_of(embed(%Q, 'river'))", FIXTURE),
                     223);
    assert_int_equal(query_integer(database, "SELECT subtype_of(vector)"
                                             " FROM embed_batch('[\"river\"]')"),
                     223);
    close_database(database);
}

/* A constant text is embedded once per statement, and only then: not where it changes from row to
 * row, nor in the statement's next run with another value bound. */
static void test_a_kept_vector_belongs_to_its_text(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "CREATE TABLE docs(body TEXT); INSERT INTO docs VALUES ('river'), ('stone')");
    assert_int_equal(query_integer(database, "SELECT count(DISTINCT embed(body)) FROM docs"), 2);
    assert_int_equal(
        query_integer(database, "SELECT count(DISTINCT embed('water')) FROM docs, docs"), 1);

    sqlite3_stmt *statement = prepare(database, "SELECT embed(?1) = embed(body) FROM docs");
    const char *const bodies[] = {"river", "stone"};
    for (int i = 0; i < 2; i++) {
        sqlite3_bind_text(statement, 1, bodies[i], -1, SQLITE_STATIC);
        for (int row = 0; row < 2; row++) {
            assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
            assert_int_equal(sqlite3_column_int(statement, 0), i == row);
        }
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    close_database(database);
}

/* The kept vector of a constant text is of no use for another model. */
static void test_constant_text_by_changing_models(void **state)
{
    (void)state;
    char *folder = make_folder();
    copy_fixture(folder, "cut");
    put_file(folder, "cut", "sentence_bert_config.json", "{\"max_seq_length\": 4}", 21);
    sqlite3 *database = open_database();
    run(database, "SELECT sembed_load('cut', '%q/cut')", folder);
    assert_int_equal(query_integer(database,
                                   "SELECT count(DISTINCT embed(value, 'river stone water fox'))"
                                   " FROM json_each('[\"%s\", \"cut\", \"%s\"]')",
                                   FIXTURE, FIXTURE),
                     2);
    close_database(database);
    remove_folder(folder);
}

static void test_wrong_number_of_arguments(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_fails(database, SQLITE_ERROR, "wrong number of arguments", "SELECT embed()");
    assert_fails(database, SQLITE_ERROR, "wrong number of arguments", "SELECT cos_sim('[1]')");
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),
        cmocka_unit_test(test_both_forms_give_the_same_bits),
        cmocka_unit_test(test_null_gives_null),
        cmocka_unit_test(test_empty_text_is_a_text),
        cmocka_unit_test(test_numbers_are_texts),
        cmocka_unit_test(test_a_blob_is_no_text),
        cmocka_unit_test(test_a_megabyte),
        cmocka_unit_test(test_invalid_utf8_is_replaced),
        cmocka_unit_test(test_embedded_nul),
        cmocka_unit_test(test_utf16_database),
        cmocka_unit_test(test_subtype),
        cmocka_unit_test(test_a_kept_vector_belongs_to_its_text),
        cmocka_unit_test(test_constant_text_by_changing_models),
        cmocka_unit_test(test_wrong_number_of_arguments),
    };
    return cmocka_run_group_tests_name("embed", tests, use_fixtures, NULL);
}
