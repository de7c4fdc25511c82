#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool is_emulated(void)
{
    return getenv("SEMBED_TEST_EMULATED") != NULL;
}

const char *fixtures_folder(void)
{
    const char *folder = getenv("SEMBED_FIXTURES");
    return folder ? folder : "tests/fixtures";
}

int use_fixtures(void **state)
{
    (void)state;
    setenv("SEMBED_MODEL_PATH", fixtures_folder(), 1);
    setenv("SEMBED_MODEL", FIXTURE, 1);
    return 0;
}

/* -------------------------------------------------------------------------------- databases */

void load_extension(sqlite3 *database)
{
    const char *extension = getenv("SEMBED_EXTENSION");
    char *message = NULL;
    sqlite3_enable_load_extension(database, 1);
    int result = sqlite3_load_extension(database, extension ? extension : "build/sqlite/sembed.so",
                                        NULL, &message);
    if (result)
        fail_msg("cannot load the extension: %s", message);
}

sqlite3 *open_database(void)
{
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open(":memory:", &database), SQLITE_OK);
    load_extension(database);
    return database;
}

void close_database(sqlite3 *database)
{
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

sqlite3_stmt *prepare(sqlite3 *database, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL))
        fail_msg("%s: %s", sqlite3_errmsg(database), sql);
    return statement;
}

void run(sqlite3 *database, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    char *message = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &message))
        fail_msg("%s: %.300s", message, sql);
    sqlite3_free(sql);
}

/* The statement at its first row. */
static sqlite3_stmt *first_row(sqlite3 *database, const char *format, va_list arguments)
{
    char *sql = sqlite3_vmprintf(format, arguments);
    sqlite3_stmt *statement = prepare(database, sql);
    if (sqlite3_step(statement) != SQLITE_ROW)
        fail_msg("%s: %.300s", sqlite3_errmsg(database), sql);
    sqlite3_free(sql);
    return statement;
}

sqlite3_int64 query_integer(sqlite3 *database, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sqlite3_stmt *statement = first_row(database, format, arguments);
    va_end(arguments);
    assert_int_equal(sqlite3_column_type(statement, 0), SQLITE_INTEGER);
    sqlite3_int64 value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

double query_real(sqlite3 *database, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sqlite3_stmt *statement = first_row(database, format, arguments);
    va_end(arguments);
    assert_int_equal(sqlite3_column_type(statement, 0), SQLITE_FLOAT);
    double value = sqlite3_column_double(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

char *query_text(sqlite3 *database, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sqlite3_stmt *statement = first_row(database, format, arguments);
    va_end(arguments);
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    char *copy = text ? sqlite3_mprintf("%s", text) : NULL;
    sqlite3_finalize(statement);
    return copy;
}

void *query_blob(sqlite3 *database, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sqlite3_stmt *statement = first_row(database, format, arguments);
    va_end(arguments);
    assert_int_equal(sqlite3_column_type(statement, 0), SQLITE_BLOB);
    assert_int_equal(sqlite3_column_bytes(statement, 0), size);
    void *copy = sqlite3_malloc64(size);
    memcpy(copy, sqlite3_column_blob(statement, 0), size);
    sqlite3_finalize(statement);
    return copy;
}

void assert_fails(sqlite3 *database, int code, const char *fragment, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    char *message = NULL;
    int result = sqlite3_exec(database, sql, NULL, NULL, &message);
    if (result != code)
        fail_msg("result %d (%s) instead of %d: %.300s", result, message, code, sql);
    if (!strstr(message, fragment))
        fail_msg("no '%s' in '%s': %.300s", fragment, message, sql);
    sqlite3_free(message);
    sqlite3_free(sql);
    assert_int_equal(query_integer(database, "SELECT length(embed(%Q, 'still here'))", FIXTURE),
                     FIXTURE_DIMENSIONS * sizeof(float));
}

/* ---------------------------------------------------------------------------------- vectors */

void assert_vector_close(const float *vector, const json_t *reference, const char *text)
{
    double dot = 0, ours = 0, theirs = 0;
    for (size_t i = 0; i < json_array_size(reference); i++) {
        double expected = json_real_value(json_array_get(reference, i));
        if (!(fabs(vector[i] - expected) <= 5e-6))
            fail_msg("component %zu of '%.60s': %.9g instead of %.9g", i, text, vector[i],
                     expected);
        dot += vector[i] * expected;
        ours += (double)vector[i] * vector[i];
        theirs += expected * expected;
    }
    if (!(dot / sqrt(ours * theirs) >= 0.999999))
        fail_msg("cosine %.9f with the reference for '%.60s'", dot / sqrt(ours * theirs), text);
}

size_t check_goldens(sqlite3 *database, const char *model, const char *path, size_t dimensions,
                     size_t every)
{
    sqlite3_stmt *statement = prepare(database, "SELECT embed(?1, ?2)");
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("cannot open %s", path);
    size_t lines = 0, count = 0, capacity = 0;
    char *line = NULL;
    for (ssize_t length; (length = getline(&line, &capacity, file)) > 0; lines++) {
        if (lines % every != 0)
            continue;
        json_t *golden = json_loadb(line, (size_t)length, JSON_ALLOW_NUL, NULL);
        const json_t *text = json_object_get(golden, "text");
        assert_true(json_is_string(text));
        assert_int_equal(json_array_size(json_object_get(golden, "embedding")), dimensions);
        sqlite3_bind_text(statement, 1, model, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, json_string_value(text), (int)json_string_length(text),
                          SQLITE_STATIC);
        if (sqlite3_step(statement) != SQLITE_ROW)
            fail_msg("%s: '%.60s'", sqlite3_errmsg(database), json_string_value(text));
        assert_int_equal(sqlite3_column_bytes(statement, 0), dimensions * sizeof(float));
        assert_vector_close(sqlite3_column_blob(statement, 0), json_object_get(golden, "embedding"),
                            json_string_value(text));
        sqlite3_reset(statement);
        json_decref(golden);
        count++;
    }
    free(line);
    fclose(file);
    sqlite3_finalize(statement);
    return count;
}

/* ------------------------------------------------------------------------------------ texts */

char *make_sentence(unsigned i)
{
    static const char *const words[] = {
        "river",  "the",       "of",   "stone",   "Bridges", "running", "unbelievably", "a",
        "Zürich", "naïve",     "42",   "3.14",    "don't",   "東京",    "Москва",       "café",
        "مرحبا",  "🚲",         "…",    "co-op",   "QUICK",   "brown",   "fox",          "jumps",
        "over",   "lazy-dogs", "\t\n", "“quote”", "e\u0301", "x²",      "sleep",        "water",
    };
    const unsigned count = sizeof words / sizeof *words;
    uint64_t state = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    sqlite3_str *sentence = sqlite3_str_new(NULL);
    for (unsigned left = 1 + i % 40; left > 0; left--) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        sqlite3_str_appendf(sentence, "%s%s", words[(state >> 40) % count], left > 1 ? " " : ".");
    }
    return sqlite3_str_finish(sentence);
}

void make_sentences(sqlite3 *database, unsigned count)
{
    run(database, "CREATE TABLE sentences(id INTEGER PRIMARY KEY, body TEXT)");
    sqlite3_stmt *statement = prepare(database, "INSERT INTO sentences VALUES (?1, ?2)");
    for (unsigned i = 0; i < count; i++) {
        sqlite3_bind_int64(statement, 1, i);
        sqlite3_bind_text(statement, 2, make_sentence(i), -1, sqlite3_free);
        assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
}

/* ---------------------------------------------------------------------------- model folders */

static void shell(const char *format, const char *first, const char *second)
{
    char *command = sqlite3_mprintf(format, first, second);
    if (system(command) != 0)
        fail_msg("%s", command);
    sqlite3_free(command);
}

char *make_folder(void)
{
    const char *parent = getenv("TMPDIR");
    char *folder = sqlite3_mprintf("%s/sembed-test-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(mkdtemp(folder));
    return folder;
}

void remove_folder(char *folder)
{
    shell("rm -r %Q", folder, "");
    sqlite3_free(folder);
}

void copy_fixture(const char *folder, const char *name)
{
    char *target = sqlite3_mprintf("%s/%s", folder, name);
    char *source = sqlite3_mprintf("%s/" FIXTURE, fixtures_folder());
    shell("cp -R %Q %Q", source, target);
    sqlite3_free(source);
    sqlite3_free(target);
}

void put_file(const char *folder, const char *name, const char *file, const char *content,
              size_t size)
{
    char *path = sqlite3_mprintf("%s/%s/%s", folder, name, file);
    assert_int_equal(unlink(path), 0);
    if (content) {
        FILE *stream = fopen(path, "w");
        assert_non_null(stream);
        assert_int_equal(fwrite(content, 1, size, stream), size);
        assert_int_equal(fclose(stream), 0);
    }
    sqlite3_free(path);
}
