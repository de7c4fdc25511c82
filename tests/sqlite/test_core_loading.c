/* Which SQLite libraries the extension lets load it, and how. */
#define SQLITE_CORE 1 /* sqlite3_* stay the library's own functions here */
#include "linked.h"
#include "support.h"

#include <sqlite3ext.h>
#include <string.h>

static int version_3_30(void)
{
    return 3030001;
}

static const char *name_of_3_30(void)
{
    return "3.30.1";
}

static void assert_refused(sqlite3 *database, const sqlite3_api_routines *routines,
                           const char *fragment)
{
    char *message = NULL;
    assert_int_equal(sqlite3_sembed_init(database, &message, routines), SQLITE_ERROR);
    assert_non_null(strstr(message, fragment));
    sqlite3_free(message);
    assert_int_equal(query_integer(database, "SELECT length(embed('river'))"),
                     FIXTURE_DIMENSIONS * sizeof(float));
}

static void test_an_old_sqlite(void **state)
{
    (void)state;
    sqlite3 *database = open_linked();
    sqlite3_api_routines old = *linked_routines();
    old.libversion_number = version_3_30;
    old.libversion = name_of_3_30;
    assert_refused(database, &old, "needs SQLite 3.31 or later, this is 3.30.1");
    close_database(database);
}

/* As a program may have it that brings its own SQLite and uses the system's as well. */
static void test_another_sqlite_in_the_process(void **state)
{
    (void)state;
    sqlite3 *database = open_linked();
    sqlite3_api_routines other = *linked_routines();
    assert_refused(database, &other, "another copy of SQLite");
    close_database(database);
}

static int calls;

static int count_calls(sqlite3 *database, char **message, const sqlite3_api_routines *routines)
{
    (void)database, (void)message, (void)routines;
    calls++;
    return SQLITE_OK;
}

/* sqlite3_auto_extension takes all but SQLITE_OK for an error: databases do not open where result codes
 * are extended, and the extensions behind it are not called. */
static void test_as_an_automatic_extension(void **state)
{
    (void)state;
    sqlite3 *database = NULL;
    sqlite3_reset_auto_extension();
    sqlite3_auto_extension((void (*)(void))sqlite3_sembed_init);
    sqlite3_auto_extension((void (*)(void))count_calls);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXRESCODE;
    assert_int_equal(sqlite3_open_v2(":memory:", &database, flags, NULL), SQLITE_OK);
    assert_string_equal(sqlite3_errmsg(database), "not an error");
    assert_int_equal(calls, 1);
    assert_int_equal(query_integer(database, "SELECT length(embed('river'))"),
                     FIXTURE_DIMENSIONS * sizeof(float));
    close_database(database);
    sqlite3_reset_auto_extension();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_old_sqlite),
        cmocka_unit_test(test_another_sqlite_in_the_process),
        cmocka_unit_test(test_as_an_automatic_extension),
    };
    return cmocka_run_group_tests_name("core loading", tests, use_fixtures, NULL);
}
