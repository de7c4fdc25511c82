/* Several threads: a connection each, one connection by turns, one connection at once. */
#include "support.h"

#include <pthread.h>
#include <string.h>

enum { THREADS = 4, TEXTS = 400, VECTOR_SIZE = FIXTURE_DIMENSIONS * sizeof(float) };

/* What one thread says when all were embedded alone. */
static char *texts[TEXTS];
static float expected[TEXTS][FIXTURE_DIMENSIONS];

static int make_expected(void **state)
{
    use_fixtures(state);
    sqlite3 *database = open_database();
    for (unsigned i = 0; i < TEXTS; i++) {
        texts[i] = make_sentence(i);
        float *vector = query_blob(database, VECTOR_SIZE, "SELECT embed(%Q)", texts[i]);
        memcpy(expected[i], vector, VECTOR_SIZE);
        sqlite3_free(vector);
    }
    close_database(database);
    return 0;
}

static int free_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TEXTS; i++)
        sqlite3_free(texts[i]);
    return 0;
}

struct work {
    sqlite3 *database; /* NULL: open one */
    unsigned first;
    unsigned wrong; /* cmocka's assertions are for the main thread; this is what it looks at */
};

/* Embeds every text, from a place of its own on, and counts those that are not as expected. */
static unsigned count_wrong(sqlite3 *database, unsigned first)
{
    sqlite3_stmt *statement = NULL;
    unsigned wrong = 0;
    if (sqlite3_prepare_v2(database, "SELECT embed(?1), embed('tiny-bert', ?1)", -1, &statement,
                           NULL))
        return TEXTS;
    for (unsigned i = 0; i < TEXTS; i++) {
        unsigned text = (first + i) % TEXTS;
        sqlite3_bind_text(statement, 1, texts[text], -1, SQLITE_STATIC);
        bool good = sqlite3_step(statement) == SQLITE_ROW;
        for (int column = 0; good && column < 2; column++)
            good = sqlite3_column_bytes(statement, column) == VECTOR_SIZE &&
                   memcmp(sqlite3_column_blob(statement, column), expected[text], VECTOR_SIZE) == 0;
        wrong += !good;
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    return wrong;
}

static void *embed_all(void *pointer)
{
    struct work *work = pointer;
    sqlite3 *database = work->database ? work->database : open_database();
    work->wrong = count_wrong(database, work->first);
    if (!work->database && sqlite3_close(database))
        work->wrong++;
    return NULL;
}

static void run_threads(sqlite3 *shared)
{
    pthread_t threads[THREADS];
    struct work works[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        works[i] = (struct work){.database = shared, .first = i * TEXTS / THREADS};
        assert_int_equal(pthread_create(&threads[i], NULL, embed_all, &works[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(works[i].wrong, 0);
    }
}

/* They load the extension at the same time, too. */
static void test_a_connection_each(void **state)
{
    (void)state;
    run_threads(NULL);
}

static void test_one_connection_at_once(void **state)
{
    (void)state;
    if (sqlite3_threadsafe() != 1)
        skip(); /* SQLite is built without serialized mode */
    sqlite3 *database = open_database();
    run_threads(database);
    close_database(database);
}

static void test_one_connection_by_turns(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_t thread;
        struct work work = {.database = database};
        assert_int_equal(pthread_create(&thread, NULL, embed_all, &work), 0);
        pthread_join(thread, NULL);
        assert_int_equal(work.wrong, 0);
    }
    close_database(database);
}

/* Some threads load models under the names that others read. */
static void *load_again(void *pointer)
{
    struct work *work = pointer;
    sqlite3 *database = open_database();
    char *sql =
        sqlite3_mprintf("SELECT sembed_load('%s', '%q/%s')", FIXTURE, fixtures_folder(), FIXTURE);
    for (int i = 0; i < 10; i++)
        work->wrong += sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK;
    sqlite3_free(sql);
    sqlite3_close(database);
    return NULL;
}

static void test_loading_beside_embedding(void **state)
{
    (void)state;
    pthread_t loader;
    struct work work = {0};
    assert_int_equal(pthread_create(&loader, NULL, load_again, &work), 0);
    run_threads(NULL);
    pthread_join(loader, NULL);
    assert_int_equal(work.wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_connection_each),
        cmocka_unit_test(test_one_connection_at_once),
        cmocka_unit_test(test_one_connection_by_turns),
        cmocka_unit_test(test_loading_beside_embedding),
    };
    return cmocka_run_group_tests_name("threads", tests, make_expected, free_texts);
}
