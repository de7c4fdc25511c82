#include "sqlite/extension.h"

/*
 * SQLITE_IOERR, SQLITE_FULL and SQLITE_CORRUPT are not used although some would fit: on the first
 * two SQLite rolls the program's transaction back, and all three say that the database is damaged. A
 * fault of a model folder is neither.
 */
int error_result_code(sembed_status status)
{
    switch (status) {
    case SEMBED_OK:
        return SQLITE_OK;
    case SEMBED_NO_MEMORY:
        return SQLITE_NOMEM;
    case SEMBED_CANCELED:
        return SQLITE_INTERRUPT;
    case SEMBED_LIMIT:
        return SQLITE_TOOBIG;
    default:
        return SQLITE_ERROR;
    }
}

void function_fail(sqlite3_context *context, const sembed_error *error)
{
    if (error->code == SEMBED_NO_MEMORY) {
        sqlite3_result_error_nomem(context);
        return;
    }
    sqlite3_result_error(context, error->message, -1);
    sqlite3_result_error_code(context, error_result_code(error->code));
}

int table_fail(sqlite3_vtab *table, const sembed_error *error)
{
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = sqlite3_mprintf("%s", error->message);
    return error_result_code(error->code);
}
