/*
 * What the tests of the SQLite extension share: databases with the extension loaded, statements that
 * must work or must fail, texts, and model folders to damage.
 *
 * Statements are formatted by sqlite3_mprintf (%Q quotes a text). Every function fails the running
 * test where something is not as it should be. They are run from the root of the repository;
 * SEMBED_EXTENSION and SEMBED_FIXTURES say otherwise where the extension and the model folders are.
 */
#ifndef SEMBED_TESTS_SQLITE_SUPPORT_H
#define SEMBED_TESTS_SQLITE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>

/* Of the fixture model. */
#define FIXTURE            "tiny-bert"
#define FIXTURE_DIMENSIONS 24

/* Points the environment at the fixture models; a group setup of cmocka. */
int use_fixtures(void **state);

/* Whether the processor is emulated, valgrind's included (SEMBED_TEST_EMULATED): what only repeats
 * itself is done less often then. */
bool is_emulated(void);

/* The folder that holds model folders. */
const char *fixtures_folder(void);

/* -------------------------------------------------------------------------------- databases */

/* A database in memory with the extension loaded; close_database fails the test where a statement
 * was left open. */
sqlite3 *open_database(void);
void close_database(sqlite3 *database);

/* Loads the extension into a database that is open. */
void load_extension(sqlite3 *database);

sqlite3_stmt *prepare(sqlite3 *database, const char *sql);

/* Runs statements to their end. */
void run(sqlite3 *database, const char *format, ...);

/* The first column of the first row, which must be there. */
sqlite3_int64 query_integer(sqlite3 *database, const char *format, ...);
double query_real(sqlite3 *database, const char *format, ...);
char *query_text(sqlite3 *database, const char *format, ...); /* NULL for NULL; sqlite3_free */

/* A BLOB of exactly `size` bytes; sqlite3_free. */
void *query_blob(sqlite3 *database, size_t size, const char *format, ...);

/* The statement must fail with that result code and a message that holds the fragment, and the
 * connection must still embed afterwards. */
void assert_fails(sqlite3 *database, int code, const char *fragment, const char *format, ...);

/* -------------------------------------------------------------------------------- vectors */

/* Every component within 5e-6 of the reference's and the cosine 0.999999 or more. */
void assert_vector_close(const float *vector, const json_t *reference, const char *text);

/* Reads lines of {"text", "ids", "embedding"} and embeds each text through SQL, `model` by name;
 * every Nth of them, from the first on. Returns how many that were. */
size_t check_goldens(sqlite3 *database, const char *model, const char *path, size_t dimensions,
                     size_t every);

/* ----------------------------------------------------------------------------------- texts */

/* Sentence i of an endless list that is the same in every run: 1 to 40 words in several scripts.
 * sqlite3_free. */
char *make_sentence(unsigned i);

/* CREATE TABLE sentences(id INTEGER PRIMARY KEY, body TEXT) with rows 0 … count − 1. */
void make_sentences(sqlite3 *database, unsigned count);

/* --------------------------------------------------------------------------- model folders */

/* A new folder for model folders; remove_folder deletes it and all in it. */
char *make_folder(void);
void remove_folder(char *folder);

/* Copies the fixture model to folder/name. */
void copy_fixture(const char *folder, const char *name);

/* Replaces the file folder/name/file; NULL content deletes it. */
void put_file(const char *folder, const char *name, const char *file, const char *content,
              size_t size);

#endif
