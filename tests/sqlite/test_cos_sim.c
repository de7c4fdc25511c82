/* cos_sim(a, b): values, kinds of vectors, faults. */
#include "support.h"

#include <math.h>
#include <string.h>

static void test_values(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const struct {
        const char *a, *b;
        double expected;
    } cases[] = {
        {"[1, 0]", "[1, 0]", 1},
        {"[1, 0]", "[0, 3]", 0},
        {"[1, 2]", "[-2, -4]", -1},
        {"[1, 0]", "[1, 1]", M_SQRT1_2},
        {"[0, 0]", "[1, 1]", 0},
        {"[3e38, 0]", "[3e38, 3e38]", M_SQRT1_2}, /* squares overflow a float */
        {"[1e-30, 0]", "[1e-30, 1e-30]", M_SQRT1_2},
        {"[5]", "[-0.25]", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(fabs(query_real(database, "SELECT cos_sim(%Q, %Q)", cases[i].a, cases[i].b) -
                         cases[i].expected) < 1e-7);
    close_database(database);
}

static void test_blobs_are_little_endian_floats(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    /* 1.0 and −2.0, whatever the machine. */
    assert_true(query_real(database, "SELECT cos_sim(x'0000803F000000C0', '[1, -2]')") > 0.9999999);
    assert_true(query_real(database, "SELECT cos_sim('[2, 1]', x'0000803F000000C0')") == 0);
    assert_true(query_real(database, "SELECT cos_sim(embed('river'), embed('river'))") > 0.9999999);
    close_database(database);
}

/* As Python reads them: -0 is a whole number, 0. */
static void test_json_numbers(void **state)
{
    (void)state;
    static const float expected[4] = {0, -0.0f, 1}; /* and 1.08e-28 */
    sqlite3 *database = open_database();
    void *floats = query_blob(database, sizeof expected,
                              "SELECT l2_normalize(' [-0, -0.0,9223372036854775807 ,1E-9] ')");
    assert_memory_equal(floats, expected, 3 * sizeof(float));
    assert_true(((float *)floats)[3] < 1e-27f && ((float *)floats)[3] > 1e-29f);
    sqlite3_free(floats);
    close_database(database);
}

static void test_null(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_null(query_text(database, "SELECT cos_sim(NULL, '[1]')"));
    assert_null(query_text(database, "SELECT cos_sim('[1]', NULL)"));
    /* NaN is NULL in SQLite. */
    assert_null(query_text(database, "SELECT cos_sim(x'0000C07F', '[1]')"));
    close_database(database);
}

static void test_sizes_must_agree(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_fails(database, SQLITE_ERROR, "3 and 4 dimensions",
                 "SELECT cos_sim('[1,2,3]', '[1,2,3,4]')");
    assert_fails(database, SQLITE_ERROR, "24 and 1 dimensions",
                 "SELECT cos_sim(embed('river'), x'00000000')");
    close_database(database);
}

/* SQLITE_RESULT_SUBTYPE, which Debian 13's SQLite insists on and Debian 12's does not know. */
enum { RESULT_SUBTYPE = 0x001000000 };

static void set_subtype(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    sqlite3_result_value(context, values[0]);
    sqlite3_result_subtype(context, (unsigned)sqlite3_value_int(values[1]));
}

static void test_no_vectors(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    sqlite3_create_function(database, "set_subtype", 2, SQLITE_UTF8 | RESULT_SUBTYPE, NULL,
                            set_subtype, NULL, NULL);
    const struct {
        const char *argument, *fragment;
    } cases[] = {
        {"x'000000'", "found 3 bytes, no whole number of floats"},
        {"x'0000803F00'", "found 5 bytes, no whole number of floats"},
        {"x''", "found an empty BLOB"},
        {"zeroblob(0)", "found an empty BLOB"},
        {"7", "found a number"},
        {"'river'", "found TEXT that is not JSON"},
        {"'[]'", "found an empty array"},
        {"'{}'", "found another kind of JSON"},
        {"'[1, \"2\"]'", "found something else at index 1"},
        {"'[1e39]'", "found something else at index 0"},
        {"set_subtype(x'00000000', 224)", "found a binary vector"},
        {"set_subtype(x'00000000', 225)", "found an int8 vector"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(database, SQLITE_ERROR, cases[i].fragment, "SELECT cos_sim(%s, '[1]')",
                     cases[i].argument);
        assert_fails(database, SQLITE_ERROR,
                     "cos_sim: argument 2 (vector): ", "SELECT cos_sim('[1]', %s)",
                     cases[i].argument);
    }
    assert_true(query_real(database, "SELECT cos_sim(set_subtype(x'0000803F', 223), '[1]')") == 1);
    close_database(database);
}

/* A program may bind memory at any address; the address sanitizer's companion for undefined behaviour
 * sees where it is read as floats. */
static void test_unaligned_blobs(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const float values[] = {1, -2, 0.5f};
    char memory[sizeof values + 1];
    memcpy(memory + 1, values, sizeof values);
    sqlite3_stmt *statement = prepare(database, "SELECT cos_sim(?1, '[1, -2, 0.5]')");
    sqlite3_bind_blob(statement, 1, memory + 1, sizeof values, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_true(sqlite3_column_double(statement, 0) > 0.9999999);
    sqlite3_finalize(statement);
    close_database(database);
}

/* Constant JSON is parsed once per statement, and each argument by itself. */
static void test_json_that_varies(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    char *similarities = query_text(
        database, "SELECT group_concat(cos_sim(value, '[0, 1]') || ' ' || cos_sim('[1, 0]', value))"
                  " FROM json_each('[\"[0, 1]\", \"[1, 0]\", \"[0, -1]\"]')");
    assert_string_equal(similarities, "1.0 0.0,0.0 1.0,-1.0 0.0");
    sqlite3_free(similarities);
    close_database(database);
}

static void test_search(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    make_sentences(database, 500);
    run(database, "ALTER TABLE sentences ADD COLUMN vector BLOB;"
                  "UPDATE sentences SET vector = embed(body)");
    sqlite3_stmt *statement =
        prepare(database, "SELECT id, cos_sim(vector, embed((SELECT body FROM sentences WHERE"
                          " id = 123))) AS score FROM sentences ORDER BY score DESC, id LIMIT 20");
    double last = 2;
    for (int row = 0; row < 20; row++) {
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        double score = sqlite3_column_double(statement, 1);
        if (row == 0) {
            assert_int_equal(sqlite3_column_int(statement, 0), 123);
            assert_true(score > 0.9999999);
        }
        assert_true(score <= last && score > -1);
        last = score;
    }
    sqlite3_finalize(statement);
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_blobs_are_little_endian_floats),
        cmocka_unit_test(test_json_numbers),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_sizes_must_agree),
        cmocka_unit_test(test_no_vectors),
        cmocka_unit_test(test_unaligned_blobs),
        cmocka_unit_test(test_json_that_varies),
        cmocka_unit_test(test_search),
    };
    return cmocka_run_group_tests_name("cos_sim", tests, use_fixtures, NULL);
}
