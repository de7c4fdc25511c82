#include "sqlite/extension.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct connection {
    sqlite3 *database;
    unsigned references;
    char *settings[SETTING_COUNT]; /* NULL: not set */
    sembed_context *context;
};

/* The variable that a setting begins with; NULL: it begins with nothing. */
static const char *const variables[SETTING_COUNT] = {
    [SETTING_MODEL] = "SEMBED_MODEL",
    [SETTING_RERANKER] = "SEMBED_RERANKER",
};

const char *connection_setting(const struct connection *connection, enum setting setting)
{
    return connection->settings[setting];
}

sembed_status connection_set(struct connection *connection, enum setting setting, const char *value,
                             sembed_error *error)
{
    char *copy = NULL;
    if (!value && variables[setting])
        value = getenv(variables[setting]);
    if (value && *value) {
        copy = sqlite3_mprintf("%s", value);
        if (!copy)
            return error_no_memory(error, "a setting");
    }
    sqlite3_free(connection->settings[setting]);
    connection->settings[setting] = copy;
    return SEMBED_OK;
}

size_t threads_read(const char *value)
{
    char *end;
    errno = 0;
    unsigned long threads = strtoul(value, &end, 10);
    bool is_number = *value >= '0' && *value <= '9' && !*end && !errno;
    return is_number && threads <= SEMBED_MAX_THREADS ? threads : 0;
}

bool limit_read(const char *value, size_t *number)
{
    char *end;
    errno = 0;
    *number = strtoul(value, &end, 10);
    return *value >= '0' && *value <= '9' && !*end && !errno;
}

bool connection_refuses_truncation(const struct connection *connection)
{
    const char *on_truncate = connection->settings[SETTING_ON_TRUNCATE];
    return on_truncate && strcmp(on_truncate, "error") == 0;
}

int connection_score_flags(const struct connection *connection)
{
    return connection_refuses_truncation(connection) ? SEMBED_SCORE_REFUSE_TRUNCATION : 0;
}

sembed_status connection_create(sqlite3 *database, struct connection **created, sembed_error *error)
{
    struct connection *connection = sqlite3_malloc64(sizeof *connection);
    if (!connection)
        return error_no_memory(error, "a connection");
    *connection = (struct connection){.database = database, .references = 1};

    for (enum setting i = 0; i < SETTING_COUNT; i++) {
        sembed_status status = connection_set(connection, i, NULL, error);
        if (status) {
            connection_release(connection);
            return status;
        }
    }
    *created = connection;
    return SEMBED_OK;
}

void connection_retain(struct connection *connection)
{
    connection->references++;
}

void connection_release(void *pointer)
{
    struct connection *connection = pointer;
    if (--connection->references)
        return;
    sembed_context_destroy(connection->context);
    for (enum setting i = 0; i < SETTING_COUNT; i++)
        sqlite3_free(connection->settings[i]);
    sqlite3_free(connection);
}

/* Adds to the core's message where names come from here, which the core cannot know. */
static void explain_not_found(const struct connection *connection, const char *name,
                              enum setting setting, sembed_error *error)
{
    const char *key = setting == SETTING_RERANKER ? "reranker" : "model";
    sembed_error copy = *error;
    if (name)
        error_set(error, copy.code,
                  "%s (SEMBED_MODEL_PATH in the environment names the folders to look in, "
                  "sembed_load(name, folder) loads from elsewhere)",
                  copy.message);
    else
        error_set(error, copy.code,
                  "%s (sembed_config('%s', name) or %s in the environment names the default%s)",
                  copy.message, key, variables[setting],
                  connection->settings[setting] ? ""
                                                : ", SEMBED_MODEL_PATH the folders to look in");
}

/* The named model, else the one that the setting names, else the only one. */
static sembed_status acquire(struct connection *connection, const char *name, enum setting setting,
                             const sembed_model **model, sembed_error *error)
{
    sembed_poll poll = connection_poll(connection);
    const char *wanted = name ? name : connection->settings[setting];
    sembed_status status = sembed_registry_use(process_registry(), wanted, &poll, model, error);
    process_report();
    if (status == SEMBED_NOT_FOUND)
        explain_not_found(connection, name, setting, error);
    return status;
}

sembed_status connection_model(struct connection *connection, const char *name,
                               const sembed_model **model, sembed_error *error)
{
    return acquire(connection, name, SETTING_MODEL, model, error);
}

sembed_status connection_reranker(struct connection *connection, const char *name,
                                  const sembed_model **model, sembed_error *error)
{
    sembed_status status = acquire(connection, name, SETTING_RERANKER, model, error);
    if (status)
        return status;
    sembed_model_info info;
    sembed_model_describe(*model, &info);
    if (info.labels > 1) {
        status =
            error_set(error, SEMBED_INVALID_ARGUMENT,
                      "model '%s' gives a pair %zu scores: reranking takes a model that gives one",
                      info.name, info.labels);
        model_release(*model);
        *model = NULL;
    }
    return status;
}

void model_release(const sembed_model *model)
{
    if (model)
        sembed_registry_end_use(process_registry(), model);
}

/* Of what SQLite keeps beside a constant name. */
static void release_kept(void *model)
{
    model_release(model);
}

sembed_status call_model_begin(sqlite3_context *context, const char *name, bool reranks,
                               struct call_model *call, sembed_error *error)
{
    struct connection *connection = sqlite3_user_data(context);
    *call = (struct call_model){.context = context, .named = name != NULL};
    if (name)
        call->model = sqlite3_get_auxdata(context, 0);
    if (call->model)
        return SEMBED_OK;
    sembed_status status = reranks ? connection_reranker(connection, name, &call->model, error)
                                   : connection_model(connection, name, &call->model, error);
    call->acquired = status == SEMBED_OK;
    return status;
}

void call_model_end(const struct call_model *call)
{
    if (call->acquired && call->named) /* releases it at once where the next row has another name */
        sqlite3_set_auxdata(call->context, 0, (void *)call->model, release_kept);
    else if (call->acquired)
        model_release(call->model);
}

sembed_status connection_scratch(struct connection *connection, sembed_context **context,
                                 sembed_error *error)
{
    if (!connection->context) {
        sembed_status status = sembed_context_create(&connection->context, error);
        if (status)
            return status;
    }
    *context = connection->context;
    const char *max_text_size = connection->settings[SETTING_MAX_TEXT_SIZE];
    size_t bytes = SEMBED_MAX_TEXT;
    if (max_text_size)
        limit_read(max_text_size, &bytes);
    sembed_context_set_max_text(*context, bytes);
    const char *threads = connection->settings[SETTING_THREADS];
    return sembed_context_set_threads(*context, threads ? threads_read(threads) : 1, error);
}

void connection_trim(struct connection *connection)
{
    if (connection->context)
        sembed_context_trim(connection->context);
}

/*
 * SQLite 3.41 brought sqlite3_is_interrupted. Before it no interface tells, but "new SQL statements
 * that are started after the sqlite3_interrupt() call and before the running statement count reaches
 * zero are interrupted" (sqlite3_interrupt's page), and here a statement is always running. So an
 * empty text is prepared: the parser looks at the flag before it finds that there is no statement.
 * Nothing is compiled, no authorizer, trace or schema is asked, and it takes some 140 ns.
 */
static int is_interrupted(void *state)
{
    sqlite3 *database = state;
#if SQLITE_VERSION_NUMBER >= 3041000
    if (sqlite3_libversion_number() >= 3041000)
        return sqlite3_is_interrupted(database);
#endif
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(database, "", -1, &statement, NULL);
    sqlite3_finalize(statement);
    return result == SQLITE_INTERRUPT;
}

sembed_poll connection_poll(struct connection *connection)
{
    return (sembed_poll){is_interrupted, connection->database};
}
