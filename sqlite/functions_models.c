#include "sqlite/extension.h"

#include <stdio.h>
#include <string.h>

/*
 * sembed_load(name, folder) → name
 *
 * Loads at once, for every connection of the process. A NULL is an error here: a call for the sake of
 * what it does must not do nothing in silence.
 */
void function_sembed_load(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct connection *connection = sqlite3_user_data(context);
    sembed_error error = {0};
    sembed_poll poll = connection_poll(connection);
    const char *name = NULL, *folder = NULL;

    if (value_string(values[0], (struct argument){"sembed_load", 1, "name"}, &name, &error) ||
        value_string(values[1], (struct argument){"sembed_load", 2, "folder"}, &folder, &error) ||
        sembed_registry_load(process_registry(), name, folder, &poll, &error)) {
        function_fail(context, &error);
        return;
    }
    process_report();
    sqlite3_result_value(context, values[0]);
}

/* ------------------------------------------------------------------------------- settings */

static sembed_status read_setting(sqlite3_value *value, enum setting *setting, sembed_error *error)
{
    static const char *const keys[] = {"model",   "reranker",      "on_truncate",
                                       "threads", "max_text_size", "max_loaded"};
    const struct argument argument = {"sembed_config", 1, "key"};
    const char *key = NULL;
    sembed_status status = value_string(value, argument, &key, error);
    if (status)
        return status;
    for (enum setting i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0) {
            *setting = i;
            return SEMBED_OK;
        }
    return argument_fail(
        argument, error,
        "expected 'model', 'reranker', 'on_truncate', 'threads', 'max_text_size' or 'max_loaded', "
        "found '%s'",
        key);
}

/* A model that is there, loaded or not. */
static sembed_status check_model(struct connection *connection, const char *name,
                                 sembed_error *error)
{
    sembed_listing listing = {0};
    sembed_status status = sembed_registry_list(process_registry(), &listing, error);
    bool found = false;
    for (size_t i = 0; i < listing.count; i++)
        found = found || strcmp(listing.entries[i].name, name) == 0;
    sembed_listing_free(&listing);
    const sembed_model *model = NULL;
    /* For its error, which lists what there is. */
    if (!status && !found)
        status = connection_model(connection, name, &model, error);
    model_release(model);
    return status;
}

/* A setting is kept as text; a number is as good. */
static sembed_status read_value(enum setting setting, sqlite3_value *value, const char **text,
                                sembed_error *error)
{
    if (sqlite3_value_type(value) == SQLITE_NULL)
        return SEMBED_OK;
    bool is_number = setting == SETTING_THREADS || setting == SETTING_MAX_TEXT_SIZE ||
                     setting == SETTING_MAX_LOADED;
    if (!is_number || sqlite3_value_type(value) != SQLITE_INTEGER)
        return value_string(value, (struct argument){"sembed_config", 2, "value"}, text, error);
    *text = (const char *)sqlite3_value_text(value);
    return *text ? SEMBED_OK : error_no_memory(error, "a setting");
}

static sembed_status check_value(struct connection *connection, enum setting setting,
                                 const char *value, sembed_error *error)
{
    const struct argument argument = {"sembed_config", 2, "value"};
    if (setting == SETTING_MODEL || setting == SETTING_RERANKER)
        return check_model(connection, value, error);
    if (setting == SETTING_THREADS)
        return threads_read(value) ? SEMBED_OK
                                   : argument_fail(argument, error, "expected 1 to %d, found '%s'",
                                                   SEMBED_MAX_THREADS, value);
    size_t number;
    if (setting == SETTING_MAX_TEXT_SIZE || setting == SETTING_MAX_LOADED)
        return limit_read(value, &number)
                   ? SEMBED_OK
                   : argument_fail(argument, error,
                                   "expected a number of %s, 0 for no limit, found '%s'",
                                   setting == SETTING_MAX_LOADED ? "models" : "bytes", value);
    if (strcmp(value, "truncate") == 0 || strcmp(value, "error") == 0)
        return SEMBED_OK;
    return argument_fail(argument, error, "expected 'truncate' or 'error', found '%s'", value);
}

static sembed_status set(struct connection *connection, enum setting setting, const char *value,
                         sembed_error *error)
{
    size_t max_loaded = MAX_LOADED;
    if (setting != SETTING_MAX_LOADED)
        return connection_set(connection, setting, value, error);
    if (value)
        limit_read(value, &max_loaded);
    sembed_registry_set_max_loaded(process_registry(), max_loaded);
    return SEMBED_OK;
}

/* What holds now, which may be in number[size]; NULL: nothing. */
static const char *current_value(const struct connection *connection, enum setting setting,
                                 char *number, size_t size)
{
    const char *value =
        setting == SETTING_MAX_LOADED ? NULL : connection_setting(connection, setting);
    if (value)
        return value;
    switch (setting) {
    case SETTING_ON_TRUNCATE:
        return "truncate";
    case SETTING_THREADS:
        return "1";
    case SETTING_MAX_TEXT_SIZE:
        snprintf(number, size, "%zu", SEMBED_MAX_TEXT);
        return number;
    case SETTING_MAX_LOADED:
        snprintf(number, size, "%zu", sembed_registry_max_loaded(process_registry()));
        return number;
    default:
        return NULL;
    }
}

/*
 * sembed_config(key) → TEXT, sembed_config(key, value) → TEXT
 *
 * What holds now; NULL: no setting. A value of NULL goes back to what the environment says. max_loaded is
 * the process's, the others are the connection's.
 */
void function_sembed_config(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct connection *connection = sqlite3_user_data(context);
    sembed_error error = {0};
    enum setting setting = SETTING_MODEL;
    const char *value = NULL;
    sembed_status status = read_setting(values[0], &setting, &error);
    if (!status && count > 1) {
        status = read_value(setting, values[1], &value, &error);
        if (!status && value)
            status = check_value(connection, setting, value, &error);
        if (!status)
            status = set(connection, setting, value, &error);
    }
    if (status) {
        function_fail(context, &error);
        return;
    }
    char number[32];
    sqlite3_result_text(context, current_value(connection, setting, number, sizeof number), -1,
                        SQLITE_TRANSIENT);
}

/* -------------------------------------------------------------------------------- version */

/* sembed_version() → TEXT, such as "0.1.0 (oneDNN 2.6.3)" */
void function_sembed_version(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count, (void)values;
    char *version = sqlite3_mprintf("%s (%s)", sembed_version(), sembed_engine());
    if (version)
        sqlite3_result_text(context, version, -1, sqlite3_free);
    else
        sqlite3_result_error_nomem(context);
}
