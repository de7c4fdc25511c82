/* sqlite3_interrupt from another thread ends a long call within 100 ms, and the next call works. */
#include "support.h"

#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#if defined SEMBED_COUNTS_LINES || defined __SANITIZE_THREAD__
/* Each line counts itself, for all threads to see; or each byte is looked at that SQLite copies. */
enum { LATEST_MS = 1000 };
#else
enum { LATEST_MS = 100 };
#endif
enum { TEXTS = 40000 };

/* Processor time of this process: what else the machine does must not fail the test. */
static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

struct interruption {
    sqlite3 *database;
    long after_ms;
    sem_t begun;   /* the statement: sqlite3_interrupt says nothing to one that begins later */
    double called; /* when */
};

static int note_begin(unsigned kind, void *begun, void *statement, void *sql)
{
    (void)kind, (void)statement, (void)sql;
    return sem_post(begun);
}

static void *interrupt(void *pointer)
{
    struct interruption *interruption = pointer;
    while (sem_wait(&interruption->begun) != 0)
        continue;
    nanosleep(&(struct timespec){.tv_nsec = interruption->after_ms * 1000000}, NULL);
    interruption->called = milliseconds();
    sqlite3_interrupt(interruption->database);
    return NULL;
}

/* Runs the statement to its end and interrupts it on the way; false where it had ended before. */
static bool interrupt_after(sqlite3 *database, const char *sql, long after_ms)
{
    struct interruption interruption = {.database = database, .after_ms = after_ms};
    sqlite3_stmt *statement = prepare(database, sql);
    pthread_t thread;
    sem_init(&interruption.begun, 0, 0);
    sqlite3_trace_v2(database, SQLITE_TRACE_STMT, note_begin, &interruption.begun);
    assert_int_equal(pthread_create(&thread, NULL, interrupt, &interruption), 0);
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW)
        continue;
    double ended = milliseconds();
    sem_post(&interruption.begun); /* it may have failed before it began */
    pthread_join(thread, NULL);
    sqlite3_trace_v2(database, 0, NULL, NULL);
    sem_destroy(&interruption.begun);
    assert_int_equal(sqlite3_finalize(statement), result == SQLITE_DONE ? SQLITE_OK : result);
    if (result != SQLITE_DONE) {
        assert_int_equal(result, SQLITE_INTERRUPT);
        assert_true(ended - interruption.called < LATEST_MS);
    }
    assert_int_equal(query_integer(database, "SELECT length(embed('river'))"),
                     FIXTURE_DIMENSIONS * sizeof(float));
    return result == SQLITE_INTERRUPT;
}

/* The same of a statement that takes seconds. */
static void assert_interruptible(sqlite3 *database, const char *sql, long after_ms)
{
    assert_true(interrupt_after(database, sql, after_ms));
}

/* Long texts, so that the whole would take seconds. */
static sqlite3 *open_with_texts(void)
{
    sqlite3 *database = open_database();
    run(database, "SELECT embed('a model that is loaded')");
    run(database,
        "CREATE TABLE docs(body TEXT);"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        "INSERT INTO docs SELECT replace(hex(zeroblob(60)), '00', 'river stone ' || i || ' ')"
        " FROM n",
        TEXTS);
    return database;
}

/* Arrays of so many texts, one after the other: SQLite asks nobody while it hands over an array, and all
 * texts in one would have it copy 42 MB. */
static sqlite3 *open_with_arrays(int texts)
{
    sqlite3 *database = open_with_texts();
    run(database,
        "CREATE TABLE arrays AS SELECT json_group_array(body) AS texts FROM docs"
        " GROUP BY rowid / %d",
        texts);
    return database;
}

static void test_embed_batch(void **state)
{
    (void)state;
    sqlite3 *database = open_with_arrays(1000);
    for (long after = 20; after <= 100; after += 40)
        assert_interruptible(database, "SELECT sum(length(vector)) FROM arrays, embed_batch(texts)",
                             after);
    close_database(database);
}

static void test_embed_of_rows(void **state)
{
    (void)state;
    sqlite3 *database = open_with_texts();
    assert_interruptible(database, "SELECT sum(length(embed(body))) FROM docs", 50);
    close_database(database);
}

/* No row is in between where SQLite itself would stop: the core has to ask. */
static void test_one_chunk(void **state)
{
    (void)state;
    static const char sql[] =
        "SELECT count(vector) FROM (SELECT texts FROM arrays LIMIT 1), embed_batch(texts)";
    sqlite3 *database = open_with_arrays(256);
    double start = milliseconds();
    run(database, "%s", sql);
    double whole = milliseconds() - start;
    /* It takes some ten milliseconds, and on a busy machine the other thread may come too late. */
    int tries = 0;
    while (!interrupt_after(database, sql, (long)(whole / 4)))
        assert_in_range(++tries, 1, 100);
    close_database(database);
}

/* The transaction of an interrupted INSERT is rolled back by SQLite; the connection goes on. */
static void test_insert(void **state)
{
    (void)state;
    sqlite3 *database = open_with_arrays(1000);
    run(database, "CREATE TABLE vectors(vector BLOB)");
    assert_interruptible(database,
                         "INSERT INTO vectors SELECT vector FROM arrays, embed_batch(texts)", 50);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM vectors"), 0);
    run(database, "INSERT INTO vectors SELECT vector FROM embed_batch('[\"river\"]')");
    assert_int_equal(query_integer(database, "SELECT count(*) FROM vectors"), 1);
    close_database(database);
}

/* Arguments that take long to be read: a vector as JSON, many texts, JSON that is not valid UTF-8. */
static void test_long_arguments(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "CREATE TABLE long AS SELECT"
                  " '[' || replace(hex(zeroblob(8000000)), '00', '0.1,') || '1]' AS vector,"
                  " '[' || replace(hex(zeroblob(4000000)), '00', '\"a\\n\",') || 'null]' AS texts,"
                  " replace(hex(zeroblob(20000000)), '00', CAST(x'FF' AS TEXT)) AS invalid");
    static const char *const statements[] = {
        "SELECT l2_normalize(vector) FROM long",
        "SELECT negative_mse(vector, vector) FROM long",
        "SELECT count(*) FROM long, embed_batch(texts)",
        "SELECT count(*) FROM long, embed_batch(invalid)",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        assert_interruptible(database, statements[i], 50);
    close_database(database);
}

/* Asking SQLite must show nowhere: not to a tracer, nor to an authorizer. */
static int count_trace(unsigned kind, void *counter, void *statement, void *sql)
{
    (void)kind, (void)statement, (void)sql;
    ++*(int *)counter;
    return 0;
}

static int count_authorizer(void *counter, int action, const char *a, const char *b, const char *c,
                            const char *d)
{
    (void)action, (void)a, (void)b, (void)c, (void)d;
    ++*(int *)counter;
    return SQLITE_OK;
}

static void test_asking_is_invisible(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    int traced = 0, authorized = 0;
    sqlite3_stmt *statement = prepare(database, "SELECT embed('river'), embed('stone')");
    sqlite3_trace_v2(database, SQLITE_TRACE_STMT, count_trace, &traced);
    sqlite3_set_authorizer(database, count_authorizer, &authorized);
    /* That prepares it again. */
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int once = authorized;
    sqlite3_reset(statement);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(authorized, once);
    assert_int_equal(traced, 2);
    sqlite3_finalize(statement);
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embed_batch),         cmocka_unit_test(test_embed_of_rows),
        cmocka_unit_test(test_one_chunk),           cmocka_unit_test(test_insert),
        cmocka_unit_test(test_asking_is_invisible), cmocka_unit_test(test_long_arguments),
    };
    return cmocka_run_group_tests_name("interrupt", tests, use_fixtures, NULL);
}
