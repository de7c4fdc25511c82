#include "sqlite/extension.h"

int table_connect(sqlite3 *database, struct connection *connection, const char *declaration,
                  sqlite3_vtab **created)
{
    int result = sqlite3_declare_vtab(database, declaration);
    if (result)
        return result;
    struct table *table = sqlite3_malloc64(sizeof *table);
    if (!table)
        return SQLITE_NOMEM;
    *table = (struct table){.connection = connection};
    *created = &table->base;
    return SQLITE_OK;
}

int table_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}
