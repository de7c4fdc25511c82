#include "sqlite/extension.h"

/*
 * sembed_compile(model) → INTEGER
 *
 * Makes the compiled image of a model ahead of its first use; its bytes. Like sembed_load, a call for
 * the sake of what it does: NULL is an error.
 */
void function_sembed_compile(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    struct connection *connection = sqlite3_user_data(context);
    sembed_error error = {0};
    sembed_poll poll = connection_poll(connection);
    const char *name = NULL;
    uint64_t bytes = 0;

    if (value_string(values[0], (struct argument){"sembed_compile", 1, "model"}, &name, &error) ||
        sembed_registry_compile(process_registry(), name, &poll, &bytes, &error)) {
        function_fail(context, &error);
        return;
    }
    sqlite3_result_int64(context, (sqlite3_int64)bytes);
}
