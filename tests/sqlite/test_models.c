/* sembed_load, sembed_models, sembed_version; names, defaults, folders that are damaged. */
#include "support.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_version(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    char *version = query_text(database, "SELECT sembed_version()");
    int major, minor, patch;
    char engine[64];
    assert_int_equal(sscanf(version, "%d.%d.%d (%63[^)])", &major, &minor, &patch, engine), 4);
    sqlite3_free(version);
    close_database(database);
}

/* Asks the one row of sembed_models for the name. */
#define MODEL(columns, name) "SELECT " columns " FROM sembed_models WHERE name = '" name "'"

/* Runs first in this program: the model is found, but not loaded. */
static void test_listing_before_and_after(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_int_equal(query_integer(database, MODEL("loaded", FIXTURE)), 0);
    assert_int_equal(query_integer(database, MODEL("precision = 'f32'", FIXTURE)), 1);
    assert_null(query_text(database, MODEL("dimensions", FIXTURE)));
    run(database, "SELECT embed('river')");
    char *row = query_text(database, MODEL("printf('%%d %%s %%d %%d %%d %%s', loaded, architecture,"
                                           " dimensions, max_tokens, layers, similarity)",
                                           FIXTURE));
    assert_string_equal(row, "1 bert 24 64 2 cosine");
    sqlite3_free(row);
    assert_true(query_integer(database, MODEL("parameters", FIXTURE)) > 10000);
    char *folder = query_text(database, MODEL("folder", FIXTURE));
    assert_non_null(strstr(folder, FIXTURE));
    sqlite3_free(folder);
    close_database(database);
}

static void test_models_outlive_connections(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "SELECT embed('river')");
    close_database(database);
    database = open_database();
    assert_int_equal(query_integer(database, MODEL("loaded", FIXTURE)), 1);
    close_database(database);
}

/* qemu-user does not, nor does the thread sanitizer. */
static bool can_start_threads_behind_fork(void)
{
#ifdef __SANITIZE_THREAD__
    return false;
#else
    return !is_emulated();
#endif
}

/* Servers load what they need, then fork their workers; threads do not come along. */
static void test_a_forked_process_has_the_models(void **state)
{
    (void)state;
    static const char sql[] = "SELECT group_concat(hex(vector)) FROM"
                              " embed_batch('[\"river\", \"stone\", \"ferry\"]')";
    sqlite3 *database = open_database();
    run(database, "SELECT sembed_config('threads', 2)");
    char *before = query_text(database, sql);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        sqlite3 *own = open_database();
        if (can_start_threads_behind_fork())
            run(own, "SELECT sembed_config('threads', 2)");
        _exit(strcmp(query_text(own, sql), before) != 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    sqlite3_free(before);
    close_database(database);
}

/* Models and threads outlive connections; so does the code. */
static void test_the_library_stays(void **state)
{
    (void)state;
    const char *extension = getenv("SEMBED_EXTENSION");
    close_database(open_database());
    void *library =
        dlopen(extension ? extension : "build/sqlite/sembed.so", RTLD_NOW | RTLD_NOLOAD);
    assert_non_null(library);
    dlclose(library);
}

static void test_load_under_a_name(void **state)
{
    (void)state;
    sqlite3 *database = open_database(), *other = open_database();
    char *name =
        query_text(database, "SELECT sembed_load('mine', '%q/" FIXTURE "')", fixtures_folder());
    assert_string_equal(name, "mine");
    sqlite3_free(name);
    assert_int_equal(query_integer(database, "SELECT embed('mine', 'river') = embed('river')"), 1);
    assert_int_equal(query_integer(other, "SELECT embed('mine', 'river') = embed('river')"), 1);
    close_database(other);
    close_database(database);
}

/* A precision behind the name is the model's own; other precisions come by the plain name alone. */
static void test_load_in_a_precision(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "SELECT sembed_load('lent@f32', '%q/" FIXTURE "')", fixtures_folder());
    assert_int_equal(query_integer(database, "SELECT embed('lent', 'river') = embed('river')"), 1);
    char *message = NULL;
    char *load =
        sqlite3_mprintf("SELECT sembed_load('small@int8', '%q/" FIXTURE "')", fixtures_folder());
    if (sqlite3_exec(database, load, NULL, NULL, &message) != SQLITE_OK) {
        assert_non_null(strstr(message, "precision int8 needs"));
        sqlite3_free(message);
    } else {
        assert_int_equal(query_integer(database,
                                       "SELECT embed('small@int8', 'river') = embed('" FIXTURE
                                       "@int8', 'river')"),
                         1);
        assert_int_equal(
            query_integer(database, MODEL("precision = 'int8' AND loaded", "small@int8")), 1);
        assert_fails(database, SQLITE_ERROR, "model 'small' is not found",
                     "SELECT embed('small', 'river')");
    }
    sqlite3_free(load);
    close_database(database);
}

static void test_load_refuses_bad_arguments(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_fails(database, SQLITE_ERROR, "argument 1 (name): expected TEXT, found NULL",
                 "SELECT sembed_load(NULL, 'folder')");
    assert_fails(database, SQLITE_ERROR, "argument 2 (folder): expected TEXT, found NULL",
                 "SELECT sembed_load('name', NULL)");
    assert_fails(database, SQLITE_ERROR, "holds a zero byte",
                 "SELECT sembed_load('name', 'folder' || char(0) || 'x')");
    assert_fails(database, SQLITE_ERROR, "no/such/folder",
                 "SELECT sembed_load('name', 'no/such/folder')");
    assert_fails(database, SQLITE_ERROR, "a/b", "SELECT sembed_load('a/b', '%q/" FIXTURE "')",
                 fixtures_folder());
    close_database(database);
}

static void test_names_cannot_leave_the_path(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const char *const names[] = {"..", ".", "../" FIXTURE, "/etc", "", FIXTURE "/", ".hidden"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_fails(database, SQLITE_ERROR, "model name", "SELECT embed(%Q, 'river')", names[i]);
    assert_fails(database, SQLITE_ERROR, "holds a zero byte",
                 "SELECT embed(%Q || char(0), 'river')", FIXTURE);
    close_database(database);
}

static void test_an_unknown_name_lists_the_known(void **state)
{
    (void)state;
    char *folder = make_folder();
    copy_fixture(folder, "first");
    copy_fixture(folder, "second");
    setenv("SEMBED_MODEL_PATH", folder, 1);
    setenv("SEMBED_MODEL", "first", 1);
    sqlite3 *database = open_database();
    run(database, "SELECT sembed_load('" FIXTURE "', '%q/first')", folder);
    assert_fails(database, SQLITE_ERROR, "model 'third' is not found",
                 "SELECT embed('third', 'a')");
    assert_fails(database, SQLITE_ERROR, "first, ", "SELECT embed('third', 'a')");
    assert_fails(database, SQLITE_ERROR, "second", "SELECT embed('third', 'a')");
    close_database(database);
    remove_folder(folder);
    use_fixtures(NULL);
}

/* The default model: SEMBED_MODEL, else the only one. The process's path is followed each time a
 * connection loads the extension. In a process of its own, where nothing is loaded yet. */
static void test_default_model(void **state)
{
    (void)state;
    char *folder = make_folder();
    copy_fixture(folder, "one");
    setenv("SEMBED_MODEL_PATH", folder, 1);
    unsetenv("SEMBED_MODEL");
    sqlite3 *database = open_database();
    sqlite3_free(query_text(database, "SELECT embed('river')"));
    assert_int_equal(query_integer(database, MODEL("loaded", "one")), 1);
    close_database(database);

    copy_fixture(folder, "two");
    char *longer = sqlite3_mprintf("%s:%s", "no/such/folder", folder);
    setenv("SEMBED_MODEL_PATH", longer, 1);
    sqlite3_free(longer);
    database = open_database();
    char *message = NULL;
    assert_int_equal(sqlite3_exec(database, "SELECT embed('river')", NULL, NULL, &message),
                     SQLITE_ERROR);
    assert_non_null(strstr(message, "one, two"));
    assert_non_null(strstr(message, "SEMBED_MODEL"));
    sqlite3_free(message);
    close_database(database);

    setenv("SEMBED_MODEL", "two", 1);
    database = open_database();
    sqlite3_free(query_text(database, "SELECT embed('river')"));
    assert_int_equal(query_integer(database, MODEL("loaded", "two")), 1);
    close_database(database);

    setenv("SEMBED_MODEL", "three", 1);
    database = open_database();
    assert_int_equal(sqlite3_exec(database, "SELECT embed('river')", NULL, NULL, &message),
                     SQLITE_ERROR);
    assert_non_null(strstr(message, "model 'three' is not found"));
    assert_non_null(strstr(message, "SEMBED_MODEL"));
    sqlite3_free(message);
    close_database(database);

    unsetenv("SEMBED_MODEL");
    unsetenv("SEMBED_MODEL_PATH");
    database = open_database();
    assert_int_equal(sqlite3_exec(database, "SELECT embed('river')", NULL, NULL, &message),
                     SQLITE_ERROR);
    assert_non_null(strstr(message, "SEMBED_MODEL_PATH"));
    sqlite3_free(message);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM sembed_models"), 0);
    close_database(database);
    remove_folder(folder);
    use_fixtures(NULL);
}

static void put_config(const char *folder, const char *name, const char *key, json_t *value)
{
    char *path = sqlite3_mprintf("%s/%s/config.json", folder, name);
    json_t *config = json_load_file(path, 0, NULL);
    json_object_set_new(config, key, value);
    char *text = json_dumps(config, 0);
    put_file(folder, name, "config.json", text, strlen(text));
    free(text);
    json_decref(config);
    sqlite3_free(path);
}

/* Keeps `size` bytes of the weights. */
static void truncate_weights(const char *folder, const char *name, size_t size)
{
    char *path = sqlite3_mprintf("%s/%s/model.safetensors", folder, name);
    char *content = malloc(size + 1);
    FILE *file = fopen(path, "r");
    assert_int_equal(fread(content, 1, size, file), size);
    fclose(file);
    put_file(folder, name, "model.safetensors", content, size);
    free(content);
    sqlite3_free(path);
}

/* Each damage: one clear error that names file and cause, again on the second try, and both the
 * connection and other models go on working. */
static void test_damaged_folders(void **state)
{
    (void)state;
    char *folder = make_folder();
    sqlite3 *database = open_database();
    const struct {
        const char *name, *fragment;
    } cases[] = {
        {"missing", "missing"},         {"no-weights", "model.safetensors"},
        {"half", "model.safetensors"},  {"stub", "model.safetensors"},
        {"empty", "model.safetensors"}, {"huge-header", "model.safetensors"},
        {"other", "hamster"},           {"no-config", "config.json"},
        {"no-json", "config.json"},     {"no-tokenizer", "no-tokenizer"},
    };
    const size_t count = sizeof cases / sizeof *cases;
    for (size_t i = 1; i < count; i++)
        copy_fixture(folder, cases[i].name);
    put_file(folder, "no-weights", "model.safetensors", NULL, 0);
    truncate_weights(folder, "half", 60000);
    truncate_weights(folder, "stub", 5);
    truncate_weights(folder, "empty", 0);
    put_file(folder, "huge-header", "model.safetensors", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F{}", 10);
    put_config(folder, "other", "model_type", json_string("hamster"));
    put_config(folder, "other", "architectures", json_pack("[s]", "HamsterModel"));
    put_file(folder, "no-config", "config.json", NULL, 0);
    put_file(folder, "no-json", "config.json", "{\"model_type\": ", 15);
    put_file(folder, "no-tokenizer", "tokenizer.json", NULL, 0);

    for (size_t i = 0; i < 2 * count; i++) {
        const char *name = cases[i % count].name;
        assert_fails(database, SQLITE_ERROR, cases[i % count].fragment,
                     "SELECT sembed_load(%Q, '%q/%q')", name, folder, name);
    }
    close_database(database);

    /* The same through a name on the path. */
    char *path = sqlite3_mprintf("%s:%s", folder, fixtures_folder());
    setenv("SEMBED_MODEL_PATH", path, 1);
    database = open_database();
    for (size_t i = 1; i < count; i++)
        assert_fails(database, SQLITE_ERROR, cases[i].fragment, "SELECT embed(%Q, 'river')",
                     cases[i].name);
    assert_int_equal(query_integer(database,
                                   "SELECT sum(loaded) FROM sembed_models WHERE"
                                   " folder LIKE '%q%%'",
                                   folder),
                     0);
    close_database(database);
    sqlite3_free(path);
    remove_folder(folder);
    use_fixtures(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listing_before_and_after),
        cmocka_unit_test(test_default_model),
        cmocka_unit_test(test_version),
        cmocka_unit_test(test_models_outlive_connections),
        cmocka_unit_test(test_a_forked_process_has_the_models),
        cmocka_unit_test(test_the_library_stays),
        cmocka_unit_test(test_load_under_a_name),
        cmocka_unit_test(test_load_in_a_precision),
        cmocka_unit_test(test_load_refuses_bad_arguments),
        cmocka_unit_test(test_names_cannot_leave_the_path),
        cmocka_unit_test(test_an_unknown_name_lists_the_known),
        cmocka_unit_test(test_damaged_folders),
    };
    return cmocka_run_group_tests_name("models", tests, use_fixtures, NULL);
}
