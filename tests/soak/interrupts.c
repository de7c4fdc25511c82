/*
 * Stops statements at random moments, each in one of four ways, and looks at what follows:
 *
 *     interrupts CONNECTIONS COUNT SECONDS LATEST MODEL RERANKER
 *
 * Each connection does so until all together have stopped COUNT statements, or SECONDS have passed (0:
 * no bound). LATEST is the processor time in ms that a statement may take after its interrupt. The
 * environment says how to connect, as for psql, and in SEMBED_SERVER_DATA where the server's data are,
 * whose images of models are removed so that they are made again. Wants the schema of setup.sql.
 *
 *     cancel      pg_cancel_backend's signal, by PQcancel
 *     timeout     statement_timeout
 *     terminate   pg_terminate_backend
 *     gone        the client closes its socket; client_connection_check_interval notices
 *
 * Prints for each way how often, in which work, and how long after the interrupt the statement ended:
 * on the clock, and in processor time of its backend, which other processes do not disturb. Fails
 * where a statement ends in any other way, where the next call is wrong, where it takes more
 * processor time than it may, and where the connection that is never terminated keeps files or mappings.
 * That connection writes into soak.held what it has allocated, for growth.sql.
 */
#include <dirent.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PROMISED_MS = 100,
    LONGEST_MS = 400,
    PATIENCE_MS = 600000,          /* by the clock, of a backend that is given no processor */
    PATIENCE_PROCESSOR_MS = 10000, /* of one that is */
    MOST_CONNECTIONS = 64,
    MOST_STOPPED = 20000,
    SAMPLE_ROUNDS = 10, /* a sample of what a connection holds after so many of its statements */
    MOST_SAMPLES = 4096
};

enum way { CANCEL, TIMEOUT, TERMINATE, GONE, WAYS };
static const char *const way_names[WAYS] = {"cancel", "timeout", "terminate", "gone"};

/* What is interrupted. %1$s is the model, %2$s the reranker. */
static const struct work {
    const char *name, *settings, *statement;
    bool removes_images;
} works[] = {
    {"load", "SET sembed.cache_limit = 0", "SELECT token_count('%1$s', 'a')", false},
    {"image", "RESET sembed.cache_limit", "SELECT sembed_compile('%1$s')", true},
    {"tokenize", "RESET sembed.cache_limit",
     "SELECT token_count('%1$s', repeat('rivers, ferries and 不眠症 ', 300000))", false},
    {"one word", "RESET sembed.cache_limit", "SELECT token_count('%1$s', repeat('river', 2000000))",
     false},
    {"chunk", "RESET sembed.cache_limit",
     "SELECT count(*) FROM chunk('%1$s', repeat('A river. A ferry! ', 50000), 32, 8)", false},
    {"embed rows", "RESET sembed.cache_limit",
     "SELECT sum(cardinality(embed('%1$s', repeat(body, 20) || i))) FROM soak.texts, "
     "generate_series(1, 100) AS i",
     false},
    {"embed array", "SET sembed.threads = 1",
     "SELECT count(*) FROM embed('%1$s', ARRAY(SELECT repeat(body, 20) || i FROM soak.texts, "
     "generate_series(1, 100) AS i))",
     false},
    {"two threads", "SET sembed.threads = 2",
     "SELECT count(*) FROM embed('%1$s', ARRAY(SELECT repeat(body, 20) || i FROM soak.texts, "
     "generate_series(1, 100) AS i))",
     false},
    {"rerank", "RESET sembed.threads",
     "SELECT count(*) FROM rerank('%2$s', 'river', ARRAY(SELECT repeat(body, 20) || i FROM "
     "soak.texts, generate_series(1, 100) AS i))",
     false},
};
enum { WORKS = sizeof works / sizeof *works };

/* ---------------------------------------------------------------------------------- figures */

struct figures {
    unsigned count, late; /* late: after more than PROMISED_MS by the clock */
    double longest_processor_ms;
    float ms[MOST_STOPPED]; /* [count], by the clock */
};

static struct {
    pthread_mutex_t lock;
    unsigned connections, wanted, stopped, finished_first, asked_again, bad;
    double latest_ms, ends; /* 0: when all are stopped */
    const char *model, *reranker;
    struct figures ways[WAYS], works[WORKS];
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static void sleep_ms(double wanted)
{
    struct timespec time = {(time_t)(wanted / 1000), (long)(wanted * 1e6) % 1000000000L};
    nanosleep(&time, NULL);
}

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void complain(const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    pthread_mutex_lock(&all.lock);
    printf("wrong: %s\n", line);
    all.bad++;
    pthread_mutex_unlock(&all.lock);
}

static void add(struct figures *figures, double ms, double processor_ms)
{
    if (figures->count < MOST_STOPPED)
        figures->ms[figures->count++] = (float)ms;
    figures->late += ms > PROMISED_MS;
    if (processor_ms > figures->longest_processor_ms)
        figures->longest_processor_ms = processor_ms;
}

static void note(enum way way, unsigned work, double ms, double processor_ms)
{
    pthread_mutex_lock(&all.lock);
    all.stopped++;
    add(&all.ways[way], ms, processor_ms);
    add(&all.works[work], ms, processor_ms);
    pthread_mutex_unlock(&all.lock);
    if (processor_ms > all.latest_ms)
        complain("%s in \"%s\" took %.1f ms of processor time, %.1f ms by the clock",
                 way_names[way], works[work].name, processor_ms, ms);
}

/* ------------------------------------------------------------------------------- a process */

/* The first number of /proc/PID/FILE after the word, or at its beginning; -1: no such process. */
static double process_number(int pid, const char *file, const char *word)
{
    char path[64], line[256];
    double number = -1;
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *stream = fopen(path, "r");
    if (!stream)
        return -1;
    while (number < 0 && fgets(line, sizeof line, stream))
        if (strncmp(line, word, strlen(word)) == 0)
            number = strtod(line + strlen(word), NULL);
    fclose(stream);
    return number;
}

/* Milliseconds that the process's main thread has had a processor. */
static double processor_ms(int pid)
{
    return process_number(pid, "schedstat", "") * 1e-6;
}

static unsigned count_mappings(int pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *stream = fopen(path, "r");
    for (int c; stream && (c = getc(stream)) != EOF;)
        count += c == '\n';
    if (stream)
        fclose(stream);
    return count;
}

static unsigned count_open_files(int pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *directory = opendir(path);
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

static bool ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name);
    return length >= strlen(ending) && strcmp(name + length - strlen(ending), ending) == 0;
}

/* What a backend holds. */
struct holding {
    double private_kb; /* malloc's free memory included, unlike in soak.held */
    unsigned files, mappings;
};

static struct holding holding_of(int pid)
{
    return (struct holding){process_number(pid, "smaps_rollup", "Private_Dirty:"),
                            count_open_files(pid), count_mappings(pid)};
}

static void remove_images(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/sembed_cache", getenv("SEMBED_SERVER_DATA"));
    DIR *directory = opendir(path);
    const struct dirent *item;
    while (directory && (item = readdir(directory)) != NULL)
        if (ends_with(item->d_name, ".image")) /* not what is being written, nor its lock */
            unlinkat(dirfd(directory), item->d_name, 0);
    if (directory)
        closedir(directory);
}

/* ------------------------------------------------------------------------------ connections */

static void ignore_notice(void *unused, const char *message)
{
    (void)unused, (void)message; /* one that is to be terminated may have ended by itself */
}

static PGconn *connect_to_server(void)
{
    /* PostgreSQL's JIT compiler takes some 300 ms of processor time and looks at no interrupt. */
    PGconn *connection = PQconnectdb("application_name=interrupts options='-c jit=off'");
    if (PQstatus(connection) != CONNECTION_OK) {
        fprintf(stderr, "%s", PQerrorMessage(connection));
        exit(1);
    }
    PQsetNoticeProcessor(connection, ignore_notice, NULL);
    return connection;
}

static void run(PGconn *connection, const char *statement)
{
    PGresult *result = PQexec(connection, statement);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        complain("%s: %s", statement, PQerrorMessage(connection));
    PQclear(result);
}

/* That embedding and ranking give what they gave before any interrupt. */
static void check_next_call(PGconn *connection)
{
    static const char statement[] =
        "SELECT bool_and(embed(m.name, t.body) = k.embedding) FROM soak.known AS k"
        " JOIN soak.models AS m ON m.id = k.model JOIN soak.texts AS t ON t.id = k.text"
        " WHERE NOT m.ranks AND m.name = $1 AND t.id BETWEEN 5 AND 8 UNION ALL "
        "SELECT bool_and(rerank_score(m.name, q.body, d.body) = s.score) FROM soak.scores AS s"
        " JOIN soak.models AS m ON m.id = s.model JOIN soak.texts AS q ON q.id = s.query"
        " JOIN soak.texts AS d ON d.id = s.document"
        " WHERE m.ranks AND m.name = $2 AND d.id BETWEEN 5 AND 6";
    const char *const values[] = {all.model, all.reranker};
    PGresult *result = PQexecParams(connection, statement, 2, NULL, values, NULL, NULL, 0);
    if (PQntuples(result) != 2 || strcmp(PQgetvalue(result, 0, 0), "t") != 0 ||
        strcmp(PQgetvalue(result, 1, 0), "t") != 0)
        complain("the next call: %s %s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "no answer",
                 PQerrorMessage(connection));
    PQclear(result);
}

/*
 * Whether a backend goes on for good: it has had a processor for long since the interrupt and works on,
 * or stands still. One that has to wait for a processor, on a busy machine, is not to blame.
 */
static bool goes_on(int pid, double called, double processor)
{
    return processor_ms(pid) - processor > PATIENCE_PROCESSOR_MS ||
           milliseconds() - called > PATIENCE_MS;
}

/* Waits until a result, or the end of the connection, is there; false: not within so many ms. */
static bool wait_for_answer(PGconn *connection, double patience_ms)
{
    double until = milliseconds() + patience_ms;
    while (PQisBusy(connection)) {
        struct pollfd ready = {PQsocket(connection), POLLIN, 0};
        double left = until - milliseconds();
        if (left <= 0)
            return false;
        if (poll(&ready, 1, (int)left) > 0 && !PQconsumeInput(connection))
            return true; /* the connection has ended */
    }
    return true;
}

/* The SQLSTATE of what a statement ended with, "" where it ended well; drains the connection. */
static void end_of_statement(PGconn *connection, char state[8])
{
    PGresult *result;
    state[0] = '\0';
    while ((result = PQgetResult(connection)) != NULL) {
        const char *found = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        if (found && !state[0])
            snprintf(state, 8, "%s", found);
        else if (PQresultStatus(result) == PGRES_FATAL_ERROR && !state[0])
            snprintf(state, 8, "closed");
        PQclear(result);
    }
}

/* ------------------------------------------------------------------------------- interrupts */

struct worker {
    unsigned seed;
    PGconn *kept;              /* only statements of it are stopped */
    PGconn *other;             /* terminates */
    double duration_ms[WORKS]; /* of the whole, where it is less than LONGEST_MS */
    unsigned rounds, samples;
    struct holding held[MOST_SAMPLES]; /* [samples] */
};

static double random_ms(struct worker *worker, unsigned work)
{
    double whole = worker->duration_ms[work] ? worker->duration_ms[work] : LONGEST_MS;
    return whole * rand_r(&worker->seed) / RAND_MAX;
}

/* Makes everything ready and sends the work's statement. */
static bool begin(PGconn *connection, unsigned work, const char *last_setting)
{
    char statement[1024];
    if (works[work].removes_images)
        remove_images();
    run(connection, works[work].settings);
    if (last_setting)
        run(connection, last_setting);
        /* The one place where the format is not a literal: a table of this file. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(statement, sizeof statement, works[work].statement, all.model, all.reranker);
#pragma GCC diagnostic pop
    if (PQsendQuery(connection, statement))
        return true;
    complain("cannot send: %s", PQerrorMessage(connection));
    return false;
}

static void note_finished(struct worker *worker, unsigned work, double ms)
{
    worker->duration_ms[work] = ms;
    pthread_mutex_lock(&all.lock);
    all.finished_first++;
    pthread_mutex_unlock(&all.lock);
}

static void note_asked_again(void)
{
    pthread_mutex_lock(&all.lock);
    all.asked_again++;
    pthread_mutex_unlock(&all.lock);
}

/* Seconds since 1970, as PostgreSQL counts them. */
static double wall_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* When the server began with the statement of the kept connection; later than all where it has not. */
static double began_at(struct worker *worker)
{
    char statement[256];
    snprintf(statement, sizeof statement,
             "SELECT extract(epoch FROM query_start) FROM pg_stat_activity"
             " WHERE pid = %d AND state = 'active'",
             PQbackendPID(worker->kept));
    PGresult *result = PQexec(worker->other, statement);
    double began = PQntuples(result) ? atof(PQgetvalue(result, 0, 0)) : HUGE_VAL;
    PQclear(result);
    return began;
}

/*
 * Ends the statement by a cancel request. One that comes before the server has begun with the statement
 * is nothing to it, as PostgreSQL defines it, and only such a one is made again: one that was asked for
 * before the statement began, for when the signal came between asking and its return nobody knows.
 */
static void cancel(struct worker *worker, unsigned work)
{
    PGconn *connection = worker->kept;
    int pid = PQbackendPID(connection);
    char state[8], message[256];
    double start = milliseconds();
    if (!begin(connection, work, NULL))
        return;
    sleep_ms(random_ms(worker, work));
    PGcancel *handle = PQgetCancel(connection);
    double called, processor, asked;
    bool answered = false;
    do {
        called = milliseconds(), processor = processor_ms(pid), asked = wall_clock();
        if (!PQcancel(handle, message, sizeof message))
            complain("PQcancel: %s", message);
        while (!(answered = wait_for_answer(connection, LONGEST_MS)) &&
               !goes_on(pid, called, processor) && began_at(worker) < asked)
            ;
        if (!answered && !goes_on(pid, called, processor))
            note_asked_again();
    } while (!answered && !goes_on(pid, called, processor));
    PQfreeCancel(handle);
    double ms = milliseconds() - called, used = processor_ms(pid) - processor;
    if (!answered)
        complain("canceled \"%s\" goes on", works[work].name);
    end_of_statement(connection, state);
    if (answered && strcmp(state, "57014") == 0)
        note(CANCEL, work, ms, used);
    else if (!state[0])
        note_finished(worker, work, milliseconds() - start);
    else
        complain("canceled \"%s\" ended with %s", works[work].name, state);
}

/* The timeout is for this statement as well, which is made until it is through. */
static void end_timeouts(PGconn *connection)
{
    bool timed_out;
    do {
        PGresult *result = PQexec(connection, "RESET statement_timeout");
        const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        timed_out = state && strcmp(state, "57014") == 0;
        if (state && !timed_out)
            complain("RESET: %s", PQerrorMessage(connection));
        PQclear(result);
    } while (timed_out);
}

static void time_out(struct worker *worker, unsigned work)
{
    PGconn *connection = worker->kept;
    char state[8], setting[64];
    int timeout = 1 + (int)random_ms(worker, work);
    snprintf(setting, sizeof setting, "SET statement_timeout = %d", timeout);
    if (!begin(connection, work, setting))
        return;
    double start = milliseconds(), processor = processor_ms(PQbackendPID(connection));
    bool answered;
    while (!(answered = wait_for_answer(connection, LONGEST_MS)) &&
           !goes_on(PQbackendPID(connection), start, processor))
        ;
    double ms = milliseconds() - start;
    double used = processor_ms(PQbackendPID(connection)) - processor;
    if (!answered)
        complain("\"%s\" goes on after its timeout", works[work].name);
    end_of_statement(connection, state);
    end_timeouts(connection);
    if (answered && strcmp(state, "57014") == 0)
        note(TIMEOUT, work, ms - timeout, used - timeout);
    else if (!state[0])
        note_finished(worker, work, ms);
    else
        complain("\"%s\", timed out, ended with %s", works[work].name, state);
}

static void terminate(struct worker *worker, unsigned work)
{
    PGconn *connection = connect_to_server();
    int pid = PQbackendPID(connection);
    char state[8], kill[64];
    snprintf(kill, sizeof kill, "SELECT pg_terminate_backend(%d)", pid);
    double start = milliseconds();
    if (begin(connection, work, NULL)) {
        sleep_ms(random_ms(worker, work));
        double called = milliseconds(), processor = processor_ms(pid), seen = processor, now;
        run(worker->other, kill);
        while ((now = processor_ms(pid)) >= 0 && !goes_on(pid, called, processor)) {
            seen = now;
            sleep_ms(0.5);
        }
        double ms = milliseconds() - called;
        end_of_statement(connection, state);
        if (now >= 0)
            complain("terminated \"%s\" goes on", works[work].name);
        else if (strcmp(state, "57P01") == 0)
            note(TERMINATE, work, ms, seen - processor);
        else if (!state[0] || strcmp(state, "closed") == 0)
            note_finished(worker, work, milliseconds() - start);
        else
            complain("terminated \"%s\" ended with %s", works[work].name, state);
    }
    PQfinish(connection);
}

/* The interval at which the server looks is part of the time. */
static void go_away(struct worker *worker, unsigned work)
{
    PGconn *connection = connect_to_server();
    int pid = PQbackendPID(connection);
    if (!begin(connection, work, "SET client_connection_check_interval = 10")) {
        PQfinish(connection);
        return;
    }
    sleep_ms(random_ms(worker, work));
    bool running = PQconsumeInput(connection) && PQisBusy(connection);
    double called = milliseconds(), processor = processor_ms(pid), seen = processor, now;
    /* PQfinish would say good-bye. The number stays taken, for PQfinish to close. */
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, PQsocket(connection));
    close(nothing);
    while ((now = processor_ms(pid)) >= 0 && !goes_on(pid, called, processor)) {
        seen = now;
        sleep_ms(0.5);
    }
    double ms = milliseconds() - called;
    PQfinish(connection);
    if (now >= 0)
        complain("\"%s\" goes on though its client is gone", works[work].name);
    else if (running)
        note(GONE, work, ms, seen - processor);
    else
        note_finished(worker, work, LONGEST_MS);
}

static bool is_over(void)
{
    pthread_mutex_lock(&all.lock);
    bool over =
        (all.wanted && all.stopped >= all.wanted) || (all.ends > 0 && milliseconds() >= all.ends);
    pthread_mutex_unlock(&all.lock);
    return over;
}

/* What the kept connection holds when it has given up all models but those of the next call. */
static struct holding settled(struct worker *worker)
{
    run(worker->kept, "SET sembed.max_loaded = 1");
    run(worker->kept, "RESET sembed.cache_limit");
    check_next_call(worker->kept);
    check_next_call(worker->kept);
    struct holding holding = holding_of(PQbackendPID(worker->kept));
    run(worker->kept, "INSERT INTO soak.held DEFAULT VALUES");
    run(worker->kept, "RESET sembed.max_loaded");
    return holding;
}

static struct holding least_of(const struct worker *worker, unsigned begin, unsigned end)
{
    struct holding least = worker->held[begin];
    for (unsigned i = begin + 1; i < end; i++) {
        struct holding held = worker->held[i];
        least.private_kb = held.private_kb < least.private_kb ? held.private_kb : least.private_kb;
        least.files = held.files < least.files ? held.files : least.files;
        least.mappings = held.mappings < least.mappings ? held.mappings : least.mappings;
    }
    return least;
}

/*
 * Whether a connection keeps files and mappings of models: the fewest in the second fourth of its
 * samples against the fewest in the last. What it has allocated is judged by growth.sql; of private
 * memory most is free and comes and goes.
 */
static void check_holding(const struct worker *worker, unsigned number)
{
    unsigned samples = worker->samples;
    if (samples < 4)
        return;
    struct holding early = least_of(worker, samples / 4, samples / 2);
    struct holding late = least_of(worker, samples * 3 / 4, samples);
    printf("connection %u: %u rounds, at least %.1f MB private, then %.1f; %u files open, then %u; "
           "%u mappings, then %u\n",
           number, worker->rounds, early.private_kb / 1024, late.private_kb / 1024, early.files,
           late.files, early.mappings, late.mappings);
    if (late.files > early.files + 4)
        complain("connection %u holds %u files", number, late.files);
    if (late.mappings > early.mappings + 16)
        complain("connection %u holds %u mappings", number, late.mappings);
}

static void *interrupt_at_random(void *pointer)
{
    struct worker *worker = pointer;
    static void (*const interrupt[WAYS])(struct worker *, unsigned) = {cancel, time_out, terminate,
                                                                       go_away};
    worker->kept = connect_to_server();
    worker->other = connect_to_server();
    while (!is_over()) {
        unsigned work = rand_r(&worker->seed) / 7 % WORKS;
        interrupt[rand_r(&worker->seed) / 7 % WAYS](worker, work);
        check_next_call(worker->kept);
        if (++worker->rounds % SAMPLE_ROUNDS == 0 && worker->samples < MOST_SAMPLES)
            worker->held[worker->samples++] = settled(worker);
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void print_figures(const char *name, struct figures *figures)
{
    if (!figures->count)
        return;
    qsort(figures->ms, figures->count, sizeof figures->ms[0], by_size);
    printf(
        "%-12s %6u stopped, half within %6.1f ms, 99 of 100 within %6.1f ms, %6.1f ms of processor "
        "time at most, %u after more than %d ms\n",
        name, figures->count, (double)figures->ms[figures->count / 2],
        (double)figures->ms[(figures->count - 1) * 99 / 100], figures->longest_processor_ms,
        figures->late, PROMISED_MS);
}

int main(int count, char **arguments)
{
    pthread_t threads[MOST_CONNECTIONS];
    static struct worker workers[MOST_CONNECTIONS];
    if (count != 7 || !getenv("SEMBED_SERVER_DATA")) {
        fprintf(stderr,
                "interrupts CONNECTIONS COUNT SECONDS LATEST MODEL RERANKER, SEMBED_SERVER_DATA "
                "in the environment\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    all.connections = (unsigned)atoi(arguments[1]);
    if (all.connections > MOST_CONNECTIONS)
        all.connections = MOST_CONNECTIONS;
    all.wanted = (unsigned)atoi(arguments[2]);
    all.ends = atoi(arguments[3]) ? milliseconds() + atof(arguments[3]) * 1000 : 0;
    all.latest_ms = atof(arguments[4]);
    all.model = arguments[5], all.reranker = arguments[6];
    for (unsigned i = 0; i < all.connections; i++) {
        workers[i].seed = i + 1;
        if (pthread_create(&threads[i], NULL, interrupt_at_random, &workers[i]))
            return 1;
    }
    for (unsigned i = 0; i < all.connections; i++)
        pthread_join(threads[i], NULL);

    for (unsigned i = 0; i < WAYS; i++)
        print_figures(way_names[i], &all.ways[i]);
    for (unsigned i = 0; i < WORKS; i++)
        print_figures(works[i].name, &all.works[i]);
    for (unsigned i = 0; i < all.connections; i++) {
        check_holding(&workers[i], i);
        PQfinish(workers[i].kept);
        PQfinish(workers[i].other);
    }
    printf("%u statements stopped, %u had finished before, %u requests came before their "
           "statement, %u wrong\n",
           all.stopped, all.finished_first, all.asked_again, all.bad);
    return all.bad != 0;
}
