/* tests/sql-cases/cases.jsonl, which both hosts run: see its README.md. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int use_models(void **state)
{
    setenv("SEMBED_RERANKER", "cross-bert", 1);
    return use_fixtures(state);
}

/* The statement with what follows each @ as SQLite spells it: JSON in quotes. sqlite3_free. */
static char *spell(const char *statement)
{
    sqlite3_str *out = sqlite3_str_new(NULL);
    while (*statement) {
        json_error_t end = {0};
        json_t *value = NULL;
        if (statement[0] == '@' && (statement[1] == '[' || statement[1] == '{'))
            value = json_loads(statement + 1, JSON_DISABLE_EOF_CHECK, &end);
        if (value) {
            sqlite3_str_appendf(out, "'%.*q'", end.position, statement + 1);
            statement += 1 + end.position;
            json_decref(value);
        } else {
            sqlite3_str_appendchar(out, 1, *statement++);
        }
    }
    return sqlite3_str_finish(out);
}

static bool is_close(double found, const json_t *expected)
{
    double number = json_number_value(expected);
    return json_is_number(expected) && fabs(found - number) <= 5e-6 * fmax(1, fabs(number));
}

static bool is_vector(sqlite3_stmt *statement, int column, const json_t *expected)
{
    size_t count = json_array_size(expected);
    const float *values = sqlite3_column_blob(statement, column);
    if (sqlite3_column_type(statement, column) != SQLITE_BLOB ||
        (size_t)sqlite3_column_bytes(statement, column) != count * sizeof *values)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!is_close(values[i], json_array_get(expected, i)))
            return false;
    return true;
}

static bool is_text(sqlite3_stmt *statement, int column, const json_t *expected)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return sqlite3_column_type(statement, column) == SQLITE_TEXT &&
           strcmp(text, json_string_value(expected)) == 0;
}

static bool equals(sqlite3_stmt *statement, int column, const json_t *expected)
{
    int type = sqlite3_column_type(statement, column);
    switch (json_typeof(expected)) {
    case JSON_NULL:
        return type == SQLITE_NULL;
    case JSON_STRING:
        return is_text(statement, column, expected);
    case JSON_ARRAY:
        return is_vector(statement, column, expected);
    default:
        return (type == SQLITE_INTEGER || type == SQLITE_FLOAT) &&
               is_close(sqlite3_column_double(statement, column), expected);
    }
}

static void check_rows(sqlite3_stmt *statement, const char *name, const json_t *expected)
{
    for (size_t row = 0; row < json_array_size(expected); row++) {
        const json_t *values = json_array_get(expected, row);
        if (sqlite3_step(statement) != SQLITE_ROW)
            fail_msg("%s: row %zu is missing: %s", name, row,
                     sqlite3_errmsg(sqlite3_db_handle(statement)));
        assert_int_equal(sqlite3_column_count(statement), json_array_size(values));
        for (size_t i = 0; i < json_array_size(values); i++)
            if (!equals(statement, (int)i, json_array_get(values, i)))
                fail_msg("%s: row %zu, column %zu: found %s", name, row, i,
                         sqlite3_column_text(statement, (int)i));
    }
    if (sqlite3_step(statement) != SQLITE_DONE)
        fail_msg("%s: expected %zu rows, found more, or %s", name, json_array_size(expected),
                 sqlite3_errmsg(sqlite3_db_handle(statement)));
}

/* May fail when it is prepared too: SQLite computes constants then. */
static void check_error(sqlite3 *database, const char *sql, const char *name, const char *fragment)
{
    char *message = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &message) != SQLITE_ERROR)
        fail_msg("%s: does not fail with SQLITE_ERROR: %s", name, message ? message : "no error");
    if (!strstr(message, fragment))
        fail_msg("%s: no '%s' in '%s'", name, fragment, message);
    sqlite3_free(message);
}

/* Whether this processor and build compute in a precision; where not, the error says what it needs. */
static bool has_precision(sqlite3 *database, const char *precision)
{
    char *sql = sqlite3_mprintf("SELECT embed('tiny-bert@%q', 'a')", precision), *message = NULL;
    char *lacking = sqlite3_mprintf("precision %s needs", precision);
    bool has = sqlite3_exec(database, sql, NULL, NULL, &message) == SQLITE_OK;
    if (!has && strncmp(message, lacking, strlen(lacking)) != 0)
        fail_msg("%s: expected '%s …', found '%s'", sql, lacking, message);
    sqlite3_free(sql);
    sqlite3_free(message);
    sqlite3_free(lacking);
    return has;
}

/* True where the case is for SQLite, and for this processor and build. */
static bool check_case(sqlite3 *database, const json_t *line)
{
    const char *name = json_string_value(json_object_get(line, "name"));
    const char *written = json_string_value(json_object_get(line, "sql"));
    if (!written)
        written = json_string_value(json_object_get(line, "sqlite"));
    const char *precision = json_string_value(json_object_get(line, "needs"));
    if (!written || (precision && !has_precision(database, precision)))
        return false;
    json_t *settings = json_object_get(line, "settings"), *value;
    const char *key;
    json_object_foreach(settings, key, value)
        run(database, "SELECT sembed_config(%Q, %Q)", key, json_string_value(value));

    char *sql = spell(written);
    const json_t *error = json_object_get(line, "error");
    if (json_is_object(error))
        error = json_object_get(error, "sqlite");
    if (error) {
        check_error(database, sql, name, json_string_value(error));
    } else {
        assert_true(json_is_array(json_object_get(line, "result")));
        sqlite3_stmt *statement = prepare(database, sql);
        check_rows(statement, name, json_object_get(line, "result"));
        sqlite3_finalize(statement);
    }
    sqlite3_free(sql);
    json_object_foreach(settings, key, value) run(database, "SELECT sembed_config(%Q, NULL)", key);
    return true;
}

static void test_cases(void **state)
{
    (void)state;
    const char *path = "tests/sql-cases/cases.jsonl";
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("cannot open %s", path);
    sqlite3 *database = open_database();
    size_t count = 0, capacity = 0;
    char *line = NULL;
    for (ssize_t length; (length = getline(&line, &capacity, file)) > 0;) {
        json_t *parsed = json_loadb(line, (size_t)length, 0, NULL);
        assert_non_null(parsed);
        count += check_case(database, parsed);
        json_decref(parsed);
    }
    free(line);
    fclose(file);
    close_database(database);
    assert_true(count > 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests_name("SQL cases", tests, use_models, NULL);
}
