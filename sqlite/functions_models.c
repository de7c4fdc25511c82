#include "sqlite/extension.h"

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
    sqlite3_result_value(context, values[0]);
}

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
