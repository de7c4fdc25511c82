/* For the test programs test_core_*, which have the extension's objects and the core inside. */
#ifndef SEMBED_TESTS_SQLITE_LINKED_H
#define SEMBED_TESTS_SQLITE_LINKED_H

#include <sqlite3.h>

/* A database in memory with the functions of the objects inside this program. As with sqlite3_open,
 * there may be one to close where the result is an error. */
int try_open_linked(sqlite3 **database);

/* The same; fails the test where it cannot. */
sqlite3 *open_linked(void);

/* The entry point, and what SQLite hands to it. */
int sqlite3_sembed_init(sqlite3 *database, char **message,
                        const struct sqlite3_api_routines *routines);
const struct sqlite3_api_routines *linked_routines(void); /* NULL before a database was opened */

#endif
