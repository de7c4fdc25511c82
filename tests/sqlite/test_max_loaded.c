/* sembed_config('max_loaded', n): which models a process gives up, and that nobody notices but by time. */
#include "support.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VECTOR_SIZE = FIXTURE_DIMENSIONS * sizeof(float), NAMES = 3, ROUNDS = 60 };

static const char *const names[NAMES] = {"one", "two", "three"};
static float expected[FIXTURE_DIMENSIONS]; /* of "river" */

static void load(sqlite3 *database, const char *name)
{
    run(database, "SELECT sembed_load(%Q, '%q/" FIXTURE "')", name, fixtures_folder());
}

/* With all three names given, and a limit of their models. */
static sqlite3 *open_with_limit(int max_loaded)
{
    sqlite3 *database = open_database();
    run(database, "SELECT sembed_config('max_loaded', 0)");
    for (int i = 0; i < NAMES; i++)
        load(database, names[i]);
    run(database, "SELECT sembed_config('max_loaded', %d)", max_loaded);
    return database;
}

static int make_expected(void **state)
{
    use_fixtures(state);
    sqlite3 *database = open_database();
    float *vector = query_blob(database, VECTOR_SIZE, "SELECT embed('" FIXTURE "', 'river')");
    memcpy(expected, vector, VECTOR_SIZE);
    sqlite3_free(vector);
    close_database(database);
    return 0;
}

static void assert_embeds(sqlite3 *database, const char *name)
{
    float *vector = query_blob(database, VECTOR_SIZE, "SELECT embed(%Q, 'river')", name);
    assert_memory_equal(vector, expected, VECTOR_SIZE);
    sqlite3_free(vector);
}

/* The names that are loaded, such as "one two", in the order of the alphabet. */
static void assert_loaded(sqlite3 *database, const char *wanted)
{
    char *loaded = query_text(database, "SELECT coalesce(group_concat(name, ' '), '') FROM "
                                        "(SELECT name FROM sembed_models WHERE loaded ORDER BY 1)");
    assert_string_equal(loaded, wanted);
    sqlite3_free(loaded);
}

static void assert_setting(sqlite3 *database, const char *wanted)
{
    char *value = query_text(database, "SELECT sembed_config('max_loaded')");
    assert_string_equal(value, wanted);
    sqlite3_free(value);
}

/* Runs first. The setting is of the process, not of a connection. */
static void test_the_setting(void **state)
{
    (void)state;
    sqlite3 *database = open_database(), *other = open_database();
    assert_setting(database, "8");
    run(database, "SELECT sembed_config('max_loaded', 3)");
    assert_setting(other, "3");
    run(other, "SELECT sembed_config('max_loaded', '0')");
    assert_setting(database, "0");
    assert_fails(database, SQLITE_ERROR, "expected a number of models, 0 for no limit, found '-1'",
                 "SELECT sembed_config('max_loaded', -1)");
    assert_fails(database, SQLITE_ERROR, "found 'many'",
                 "SELECT sembed_config('max_loaded', 'many')");
    assert_fails(database, SQLITE_ERROR, "expected TEXT, found a BLOB",
                 "SELECT sembed_config('max_loaded', x'38')");
    assert_setting(database, "0");
    run(database, "SELECT sembed_config('max_loaded', NULL)");
    assert_setting(other, "8");
    close_database(other);
    close_database(database);
}

static void test_the_least_recently_used_goes(void **state)
{
    (void)state;
    sqlite3 *database = open_with_limit(0);
    assert_embeds(database, "one");
    assert_embeds(database, "three");
    assert_embeds(database, FIXTURE);
    run(database, "SELECT sembed_config('max_loaded', 3)");
    assert_loaded(database, "one three " FIXTURE);
    run(database, "SELECT sembed_config('max_loaded', 1)");
    assert_loaded(database, FIXTURE);
    close_database(database);
}

/* One that was given up is there again when it is asked for, by its name. */
static void test_names_keep_their_folders(void **state)
{
    (void)state;
    sqlite3 *database = open_with_limit(1);
    for (int i = 0; i < 2 * NAMES; i++) {
        assert_embeds(database, names[i % NAMES]);
        assert_loaded(database, names[i % NAMES]);
    }
    char *folder = query_text(database, "SELECT folder FROM sembed_models WHERE name = 'one' AND "
                                        "NOT loaded AND dimensions IS NULL");
    assert_non_null(strstr(folder, FIXTURE));
    sqlite3_free(folder);
    /* Nor does a name lose its folder to another model of the same name on the path. */
    run(database, "SELECT sembed_load('" FIXTURE "', '%q/cross-bert')", fixtures_folder());
    assert_embeds(database, "one");
    assert_embeds(database, "two");
    query_real(database, "SELECT rerank_score('" FIXTURE "', 'river', 'bank')");
    run(database, "SELECT sembed_load('" FIXTURE "', '%q/" FIXTURE "')", fixtures_folder());
    assert_embeds(database, FIXTURE);
    close_database(database);
}

/* A folder below the working folder is still the same one when that is another. */
static void test_names_outlive_the_working_folder(void **state)
{
    (void)state;
    sqlite3 *database = open_with_limit(1);
    char working[4096];
    assert_non_null(getcwd(working, sizeof working));
    assert_int_equal(chdir(fixtures_folder()), 0);
    run(database, "SELECT sembed_load('near', '" FIXTURE "')");
    assert_int_equal(chdir("/"), 0);
    run(database, "SELECT embed('one', 'river')");
    assert_embeds(database, "near");
    assert_int_equal(chdir(working), 0);
    close_database(database);
}

static bool is_expected(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_bytes(statement, column) == VECTOR_SIZE &&
           memcmp(sqlite3_column_blob(statement, column), expected, VECTOR_SIZE) == 0;
}

/* While a statement runs, its model stays, though others are used and the limit is exceeded. */
static void check_running(const char *sql)
{
    sqlite3 *database = open_with_limit(1), *other = open_database();
    sqlite3_stmt *statement = prepare(database, sql);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_embeds(other, "two");
    assert_embeds(other, "three");
    assert_loaded(other, "one");
    for (int i = 0; i < 299; i++)
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_true(is_expected(statement, 0));
    sqlite3_finalize(statement);
    assert_embeds(other, "three");
    assert_loaded(other, "three");
    close_database(other);
    close_database(database);
}

#define NUMBERS "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) "

static void test_a_running_statement_keeps_its_model(void **state)
{
    (void)state;
    check_running(NUMBERS "SELECT embed('one', substr('river', 1, 5 + 0 * i)) FROM n");
    check_running(NUMBERS "SELECT vector FROM embed_batch('one', (SELECT "
                          "json_group_array(substr('river', 1, 5 + 0 * i)) FROM n))");
    check_running(NUMBERS "SELECT embed('one', 'river'), token FROM n, tokenize('one', 'river') "
                          "WHERE start = 0");
}

/* A vector that SQLite keeps beside a constant text is not taken for another model's. */
static void test_a_kept_vector_is_of_its_model(void **state)
{
    (void)state;
    sqlite3 *database = open_with_limit(1);
    run(database, "SELECT sembed_load('other', '%q/plain')", fixtures_folder());
    char *vectors = query_text(
        database,
        "SELECT group_concat(hex(embed(name, 'river')) = hex(embed(name, printf('river'))), ' ') "
        "FROM (SELECT 'one' AS name UNION ALL SELECT 'other' UNION ALL SELECT 'two')");
    assert_string_equal(vectors, "1 1 1");
    sqlite3_free(vectors);
    close_database(database);
}

/* ------------------------------------------------------------------------------------ threads */

/* One thread; cmocka's assertions are for the main one. */
struct work {
    const char *name;
    unsigned wrong;
};

static void *embed_on_and_on(void *pointer)
{
    struct work *work = pointer;
    sqlite3 *database = open_database();
    sqlite3_stmt *statement = NULL;
    work->wrong = sqlite3_prepare_v2(database,
                                     "SELECT embed(?1, 'river'), embed(?1, substr(?2, 1)), "
                                     "(SELECT vector FROM embed_batch(?1, json_array(?2)))",
                                     -1, &statement, NULL) != SQLITE_OK;
    for (int i = 0; i < ROUNDS && !work->wrong; i++) {
        sqlite3_bind_text(statement, 1, work->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, "river", -1, SQLITE_STATIC);
        bool good = sqlite3_step(statement) == SQLITE_ROW;
        for (int column = 0; good && column < 3; column++)
            good = is_expected(statement, column);
        work->wrong += !good;
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    work->wrong += sqlite3_close(database) != SQLITE_OK;
    return NULL;
}

/* Lists, gives names anew and moves the limit while the others embed. */
static void *meddle(void *pointer)
{
    struct work *work = pointer;
    sqlite3 *database = open_database();
    char *sql = sqlite3_mprintf("SELECT count(dimensions + max_tokens) FROM sembed_models;"
                                "SELECT sembed_load('one', '%q/" FIXTURE "');"
                                "SELECT sembed_config('max_loaded', 2);"
                                "SELECT sembed_load('two', '%q/bert-saved');"
                                "SELECT sembed_load('two', '%q/" FIXTURE "');"
                                "SELECT sembed_config('max_loaded', 1);",
                                fixtures_folder(), fixtures_folder(), fixtures_folder());
    for (int i = 0; i < ROUNDS / 4; i++)
        work->wrong += sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK;
    sqlite3_free(sql);
    work->wrong += sqlite3_close(database) != SQLITE_OK;
    return NULL;
}

static void run_threads(const char *const *used, void *(*last)(void *))
{
    pthread_t threads[NAMES];
    struct work works[NAMES] = {{0}};
    for (int i = 0; i < NAMES; i++) {
        works[i].name = used[i];
        assert_int_equal(
            pthread_create(&threads[i], NULL, i + 1 < NAMES ? embed_on_and_on : last, &works[i]),
            0);
    }
    for (int i = 0; i < NAMES; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(works[i].wrong, 0);
    }
}

static void test_threads_take_each_others_models(void **state)
{
    (void)state;
    sqlite3 *database = open_with_limit(1);
    run_threads(names, embed_on_and_on);
    close_database(database);
}

static void test_threads_under_a_changing_limit(void **state)
{
    (void)state;
    const char *const used[] = {"one", "three", NULL};
    sqlite3 *database = open_with_limit(1);
    run_threads(used, meddle);
    assert_embeds(database, "two");
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_setting),
        cmocka_unit_test(test_the_least_recently_used_goes),
        cmocka_unit_test(test_names_keep_their_folders),
        cmocka_unit_test(test_names_outlive_the_working_folder),
        cmocka_unit_test(test_a_running_statement_keeps_its_model),
        cmocka_unit_test(test_a_kept_vector_is_of_its_model),
        cmocka_unit_test(test_threads_take_each_others_models),
        cmocka_unit_test(test_threads_under_a_changing_limit),
    };
    return cmocka_run_group_tests_name("max_loaded", tests, make_expected, NULL);
}
