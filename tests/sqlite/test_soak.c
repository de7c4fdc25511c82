/*
 * Two threads with four connections each mix embed, embed_batch, rerank, tokenize, errors, settings and
 * loading, while a third interrupts any of them at random moments. Every answer is checked against its
 * known bits, and the process holds no more memory at the end.
 *
 *     SOAK_SECONDS   how long (2); with the thread sanitizer: make tsan
 */
#include "support.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    THREADS = 2,
    EACH = 4,
    CONNECTIONS = THREADS * EACH,
    TEXTS = 40,
    LOADS = 6,
    MAY_GROW = 16 << 20 /* oneDNN keeps some 100 kB for each number of rows that it meets */
};

static const char *const models[] = {"tiny-bert", "roberta", "xlm-roberta", "tiny-bert@int8",
                                     "tiny-bert@bf16"};
enum { MODELS = sizeof models / sizeof *models };

/* What one connection says when nothing else goes on; NULL: a precision that is not for this processor. */
static struct {
    char *texts[TEXTS];
    char *embeddings[MODELS][TEXTS]; /* in hexadecimal */
    char *batches[MODELS];           /* of all texts */
    char *ranking, *tokens, *array;
} known;

/* The first column of the first row; *result the code that it ended with. NULL: no row. */
static char *ask(sqlite3 *database, int *result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments), *answer = NULL;
    va_end(arguments);
    sqlite3_stmt *statement = NULL;
    *result = sqlite3_prepare_v2(database, sql, -1, &statement, NULL);
    if (!*result) {
        *result = sqlite3_step(statement);
        if (*result == SQLITE_ROW)
            answer = sqlite3_mprintf("%s", sqlite3_column_text(statement, 0));
        int ended = sqlite3_finalize(statement);
        *result = *result == SQLITE_ROW ? SQLITE_OK : ended;
    }
    if (*result == SQLITE_ERROR)
        answer = sqlite3_mprintf("%s", sqlite3_errmsg(database));
    /* So SQLite says that it was interrupted while it had a table-valued function declare itself. */
    if (*result == SQLITE_ERROR && answer && strstr(answer, "constructor failed"))
        *result = SQLITE_INTERRUPT;
    sqlite3_free(sql);
    return answer;
}

#define EMBED  "SELECT hex(embed(%Q, %Q))"
#define BATCH  "SELECT group_concat(hex(vector)) FROM embed_batch(%Q, %Q)"
#define RANK   "SELECT group_concat(corpus_id || ' ' || score) FROM rerank('cross-bert', 'river', %Q)"
#define TOKENS "SELECT group_concat(id) FROM tokenize('roberta', %Q)"

static int make_known(void **state)
{
    use_fixtures(state);
    sqlite3 *database = open_database();
    int result;
    run(database, "CREATE TABLE t(i INTEGER PRIMARY KEY, body)");
    for (unsigned i = 0; i < TEXTS; i++) {
        known.texts[i] = make_sentence(i);
        run(database, "INSERT INTO t VALUES(%u, %Q)", i, known.texts[i]);
    }
    known.array =
        query_text(database, "SELECT json_group_array(body) FROM (SELECT body FROM t ORDER BY i)");
    for (unsigned m = 0; m < MODELS; m++) {
        char *answer = ask(database, &result, BATCH, models[m], known.array);
        if (result) {
            assert_non_null(strstr(answer, "precision"));
            sqlite3_free(answer);
            continue;
        }
        known.batches[m] = answer;
        for (unsigned i = 0; i < TEXTS; i++)
            known.embeddings[m][i] = ask(database, &result, EMBED, models[m], known.texts[i]);
    }
    known.ranking = ask(database, &result, RANK, known.array);
    known.tokens = ask(database, &result, TOKENS, known.texts[7]);
    close_database(database);
    return 0;
}

static int free_known(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TEXTS; i++)
        sqlite3_free(known.texts[i]);
    for (unsigned m = 0; m < MODELS; m++) {
        for (unsigned i = 0; i < TEXTS; i++)
            sqlite3_free(known.embeddings[m][i]);
        sqlite3_free(known.batches[m]);
    }
    sqlite3_free(known.ranking);
    sqlite3_free(known.tokens);
    sqlite3_free(known.array);
    return 0;
}

/* -------------------------------------------------------------------------------- the threads */

struct soak {
    sqlite3 *databases[CONNECTIONS];
    atomic_bool ends;
    atomic_uint interrupts, stopped, right, wrong, loads;
};

struct worker {
    struct soak *soak;
    unsigned number, seed;
};

static unsigned random_below(struct worker *worker, unsigned n)
{
    return (unsigned)rand_r(&worker->seed) / 7 % n;
}

static void count_wrong(struct soak *soak, const char *answer, int result, const char *expected)
{
    if (atomic_fetch_add(&soak->wrong, 1) < 5)
        fprintf(stderr, "expected %.60s…, found %.200s (%s)\n", expected ? expected : "NULL",
                answer ? answer : "NULL", sqlite3_errstr(result));
}

/* Counts an answer: as it must be, or none because of an interrupt. */
static void count(struct soak *soak, char *answer, int result, const char *expected)
{
    if (result == SQLITE_INTERRUPT)
        atomic_fetch_add(&soak->stopped, 1);
    else if (answer && expected && !result && strcmp(answer, expected) == 0)
        atomic_fetch_add(&soak->right, 1);
    else
        count_wrong(soak, answer, result, expected);
    sqlite3_free(answer);
}

static void count_error(struct soak *soak, char *answer, int result, int expected)
{
    bool good = result == expected || result == SQLITE_INTERRUPT;
    if (good)
        atomic_fetch_add(&soak->right, 1);
    else
        count_wrong(soak, answer, result, sqlite3_errstr(expected));
    sqlite3_free(answer);
}

static void work(struct worker *worker, sqlite3 *database)
{
    struct soak *soak = worker->soak;
    unsigned model = random_below(worker, MODELS), text = random_below(worker, TEXTS);
    int result;
    char *answer;
    if (!known.batches[model])
        model = 0;
    switch (random_below(worker, 8)) {
    case 0:
        answer = ask(database, &result, BATCH, models[model], known.array);
        count(soak, answer, result, known.batches[model]);
        break;
    case 1:
        answer = ask(database, &result, RANK, known.array);
        count(soak, answer, result, known.ranking);
        break;
    case 2:
        answer = ask(database, &result, TOKENS, known.texts[7]);
        count(soak, answer, result, known.tokens);
        break;
    case 3:
        answer = ask(database, &result, "SELECT embed('nobody', 'a')");
        count_error(soak, answer, result, SQLITE_ERROR);
        answer = ask(database, &result, "SELECT embed('tiny-bert', 'a', '{\"dims\": 100000}')");
        count_error(soak, answer, result, SQLITE_ERROR);
        break;
    case 4:
        answer = ask(database, &result, "SELECT sembed_config('threads', %d)",
                     1 + random_below(worker, 2));
        count_error(soak, answer, result, SQLITE_OK);
        break;
    case 5:
        if (atomic_fetch_add(&soak->loads, 1) < LOADS) {
            answer = ask(database, &result, "SELECT sembed_load('%s-again', '%q/%s')", FIXTURE,
                         fixtures_folder(), random_below(worker, 2) ? "tiny-bert" : "tiny-bert/");
            count_error(soak, answer, result, SQLITE_OK);
        }
        break;
    default:
        answer = ask(database, &result, EMBED, models[model], known.texts[text]);
        count(soak, answer, result, known.embeddings[model][text]);
    }
}

static void *work_on_four(void *pointer)
{
    struct worker *worker = pointer;
    while (!atomic_load(&worker->soak->ends))
        work(worker, worker->soak->databases[worker->number * EACH + random_below(worker, EACH)]);
    return NULL;
}

static void *interrupt_any(void *pointer)
{
    struct worker *worker = pointer;
    while (!atomic_load(&worker->soak->ends)) {
        nanosleep(&(struct timespec){.tv_nsec = 1000 * (long)random_below(worker, 8000)}, NULL);
        sqlite3_interrupt(worker->soak->databases[random_below(worker, CONNECTIONS)]);
        atomic_fetch_add(&worker->soak->interrupts, 1);
    }
    return NULL;
}

static size_t bytes_in_use(void)
{
    return mallinfo2().uordblks;
}

static size_t soak_for(double seconds, unsigned loads, unsigned seed)
{
    static struct soak soak;
    struct worker workers[THREADS + 1];
    pthread_t threads[THREADS + 1];
    memset(&soak, 0, sizeof soak);
    atomic_store(&soak.loads, LOADS - loads);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        soak.databases[i] = open_database();
    for (unsigned i = 0; i <= THREADS; i++) {
        workers[i] = (struct worker){&soak, i, seed + i};
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i < THREADS ? work_on_four : interrupt_any, &workers[i]),
                         0);
    }
    nanosleep(
        &(struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)},
        NULL);
    atomic_store(&soak.ends, true);
    for (unsigned i = 0; i <= THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        close_database(soak.databases[i]);
    print_message("  %u answers right, %u stopped by %u interrupts, %u wrong; %zu bytes in use\n",
                  soak.right, soak.stopped, soak.interrupts, soak.wrong, bytes_in_use());
    assert_int_equal(soak.wrong, 0);
    assert_true(soak.right > 0);
    return bytes_in_use();
}

static void test_soak(void **state)
{
    (void)state;
    const char *wanted = getenv("SOAK_SECONDS");
    double seconds = wanted ? atof(wanted) : 2;
    size_t early = soak_for(seconds / 4, LOADS, 1), late = soak_for(seconds * 3 / 4, 0, 100);
    if (late > early + MAY_GROW)
        fail_msg("%zu bytes in use, then %zu", early, late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_soak)};
    return cmocka_run_group_tests_name("soak", tests, make_known, free_known);
}
