#include "sqlite/extension.h"

#include <stdlib.h>

struct connection {
    sqlite3 *database;
    unsigned references;
    char *default_name; /* NULL: the only model there is */
    sembed_context *context;
};

sembed_status connection_create(sqlite3 *database, struct connection **created, sembed_error *error)
{
    struct connection *connection = sqlite3_malloc64(sizeof *connection);
    if (!connection)
        return error_no_memory(error, "a connection");
    *connection = (struct connection){.database = database, .references = 1};

    const char *default_name = getenv("SEMBED_MODEL");
    if (default_name && *default_name) {
        connection->default_name = sqlite3_mprintf("%s", default_name);
        if (!connection->default_name) {
            connection_release(connection);
            return error_no_memory(error, "the default model's name");
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
    sqlite3_free(connection->default_name);
    sqlite3_free(connection);
}

/* Adds to the core's message where names come from here, which the core cannot know. */
static void explain_not_found(const struct connection *connection, const char *name,
                              sembed_error *error)
{
    const char *hint = name ? "SEMBED_MODEL_PATH in the environment names the folders to look in, "
                              "sembed_load(name, folder) loads from elsewhere"
                       : connection->default_name
                           ? "SEMBED_MODEL in the environment names the default"
                           : "SEMBED_MODEL in the environment names the default, "
                             "SEMBED_MODEL_PATH the folders to look in";
    sembed_error copy = *error;
    error_set(error, copy.code, "%s (%s)", copy.message, hint);
}

sembed_status connection_model(struct connection *connection, const char *name,
                               const sembed_model **model, sembed_error *error)
{
    sembed_poll poll = connection_poll(connection);
    const char *wanted = name ? name : connection->default_name;
    sembed_status status = sembed_registry_acquire(process_registry(), wanted, &poll, model, error);
    if (status == SEMBED_NOT_FOUND)
        explain_not_found(connection, name, error);
    return status;
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
    return SEMBED_OK;
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
