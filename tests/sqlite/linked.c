#include "linked.h"
#include "support.h"

static const struct sqlite3_api_routines *routines_seen;

/* SQLite hands its routines to automatic extensions. */
static int enter(sqlite3 *database, char **message, const struct sqlite3_api_routines *routines)
{
    routines_seen = routines;
    return sqlite3_sembed_init(database, message, routines);
}

int try_open_linked(sqlite3 **database)
{
    int result = sqlite3_auto_extension((void (*)(void))enter);
    if (result == SQLITE_OK)
        result = sqlite3_open(":memory:", database);
    return result;
}

sqlite3 *open_linked(void)
{
    sqlite3 *database = NULL;
    assert_int_equal(try_open_linked(&database), SQLITE_OK);
    return database;
}

const struct sqlite3_api_routines *linked_routines(void)
{
    return routines_seen;
}
