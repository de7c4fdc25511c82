/*
 * What neither a statement nor the schema of a stranger's database can do: read files outside the model
 * path, open a folder, change a setting, or take more memory than a setting allows. docs/reliability.md
 * says the same in words.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------- names */

/* Every place that takes a model's name. */
static const char *const takes_name[] = {
    "SELECT embed(%Q, 'river')",
    "SELECT embed_query(%Q, 'river')",
    "SELECT similarity(%Q, '[1]', '[1]')",
    "SELECT rerank_score(%Q, 'river', 'ferry')",
    "SELECT token_count(%Q, 'river')",
    "SELECT vector FROM embed_batch(%Q, '[\"river\"]')",
    "SELECT score FROM rerank(%Q, 'river', '[\"ferry\"]')",
    "SELECT token FROM tokenize(%Q, 'river')",
    "SELECT text FROM chunk(%Q, 'river', 8)",
    "SELECT sembed_config('model', %Q)",
    "SELECT sembed_config('reranker', %Q)",
    "SELECT sembed_compile(%Q)",
    "SELECT sembed_load(%Q, 'tests/fixtures/tiny-bert')",
};
enum { TAKE_NAME = sizeof takes_name / sizeof *takes_name };

static void test_names_that_are_paths(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    static const char *const names[] = {"",
                                        ".",
                                        "..",
                                        "/",
                                        "/etc",
                                        "../fixtures/tiny-bert",
                                        "./tiny-bert",
                                        "tiny-bert/",
                                        "tiny-bert/.",
                                        "tiny-bert/1_Pooling",
                                        "tiny-bert/../tiny-bert",
                                        "@int8",
                                        "..@int8",
                                        "../fixtures/tiny-bert@int8",
                                        "tiny-bert@int8/../tiny-bert",
                                        ".hidden"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t place = 0; place < TAKE_NAME; place++)
            assert_fails(database, SQLITE_ERROR, "model name", takes_name[place], names[i]);
    close_database(database);
}

static void test_names_that_are_odd(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    static const char *const names[] = {"tiny-bert\n",
                                        "tiny-bert ",
                                        "TINY-BERT",
                                        "tiny-bert\\..",
                                        "%s%n%s",
                                        "tiny*",
                                        "~",
                                        "$HOME",
                                        "tiny-bert@int8@f3",
                                        "file:tiny-bert",
                                        "\xff\xfe\xc3",
                                        "tiny\342\210\225bert"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t place = 0; place < TAKE_NAME - 1; place++) /* sembed_load may give such names */
            assert_fails(database, SQLITE_ERROR, "model '", takes_name[place], names[i]);
    char *longest = malloc(1000001);
    memset(longest, 'a', 1000000);
    longest[1000000] = '\0';
    assert_fails(database, SQLITE_ERROR, "model 'aaaa", "SELECT embed(%Q, 'river')", longest);
    memcpy(longest + 999990, "@int8", 6);
    assert_fails(database, SQLITE_ERROR, "model 'aaaa", "SELECT embed(%Q, 'river')", longest);
    free(longest);
    assert_fails(database, SQLITE_ERROR, "zero byte",
                 "SELECT embed('tiny-bert' || char(0) || '/../x', 'river')");
    close_database(database);
}

/* ------------------------------------------------------------------------------------- links */

static void link_to(const char *target, const char *folder, const char *name)
{
    char *path = sqlite3_mprintf("%s/%s", folder, name);
    unlink(path);
    assert_int_equal(symlink(target, path), 0);
    sqlite3_free(path);
}

/* A database that looks for models there. */
static sqlite3 *open_with_path(const char *path)
{
    setenv("SEMBED_MODEL_PATH", path, 1);
    return open_database();
}

/* assert_fails needs a model that works: the fixture, on the path behind the folder. */
static void test_links_that_leave_the_path(void **state)
{
    (void)state;
    char *folder = make_folder(), *elsewhere = make_folder();
    char *path = sqlite3_mprintf("%s:%s", folder, fixtures_folder());
    char *target = sqlite3_mprintf("%s/secret", elsewhere);
    copy_fixture(elsewhere, "secret");
    copy_fixture(folder, "vocabulary");
    copy_fixture(folder, "below");
    copy_fixture(folder, "good");
    link_to(target, folder, "whole");
    char *file = sqlite3_mprintf("%s/tokenizer.json", target);
    link_to(file, folder, "vocabulary/tokenizer.json");
    char *remove = sqlite3_mprintf("rm -r %s/below/1_Pooling", folder);
    assert_int_equal(system(remove), 0);
    char *pooling = sqlite3_mprintf("%s/1_Pooling", target);
    link_to(pooling, folder, "below/1_Pooling");
    link_to("good", folder, "inside");                         /* stays on the path */
    link_to("../good/config.json", folder, "good/again.json"); /* and so does this */
    link_to("nowhere", folder, "good/dangling");

    sqlite3 *database = open_with_path(path);
    static const char *const names[] = {"whole", "vocabulary", "below", "whole@int8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *message = NULL, *sql = sqlite3_mprintf("SELECT embed(%Q, 'river')", names[i]);
        assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, &message), SQLITE_ERROR);
        assert_non_null(strstr(message, "leads out of the model path"));
        assert_null(strstr(message, elsewhere)); /* where it leads is not told */
        sqlite3_free(message);
        sqlite3_free(sql);
    }
    assert_int_equal(
        query_integer(database, "SELECT count(*) FROM sembed_models WHERE name = 'whole'"), 0);
    assert_int_equal(
        query_integer(database, "SELECT embed('inside', 'river') = embed('good', 'river')"), 1);
    close_database(database);

    /* An administrator who wants them names where they lead to. */
    sqlite3_free(path);
    path = sqlite3_mprintf("%s:%s", folder, elsewhere);
    database = open_with_path(path);
    assert_int_equal(
        query_integer(database, "SELECT embed('whole', 'river') = embed('good', 'river')"), 1);
    assert_int_equal(
        query_integer(database, "SELECT embed('below', 'river') = embed('good', 'river')"), 1);
    close_database(database);

    /* A path that begins like the folder's is another. */
    char *longer = sqlite3_mprintf("%s-more", folder),
         *move = sqlite3_mprintf("cp -R %s %s-more", target, folder);
    assert_int_equal(system(move), 0);
    link_to(longer, folder, "beside");
    sqlite3_free(path);
    path = sqlite3_mprintf("%s:%s", folder, fixtures_folder());
    database = open_with_path(path);
    assert_fails(database, SQLITE_ERROR, "leads out of", "SELECT embed('beside', 'river')");
    close_database(database);

    use_fixtures(NULL);
    remove_folder(longer);
    remove_folder(folder);
    remove_folder(elsewhere);
    sqlite3_free(move);
    sqlite3_free(path);
    sqlite3_free(target);
    sqlite3_free(file);
    sqlite3_free(remove);
    sqlite3_free(pooling);
}

/* ---------------------------------------------------------------------- a stranger's schema */

enum { NEVER, WHERE_TRUSTED, ALWAYS };

static const struct {
    const char *expression;
    int allowed;
} expressions[] = {
    {"cos_sim('[1, 0]', '[1, 0]')", ALWAYS},
    {"dot_score('[1, 0]', '[1, 0]')", ALWAYS},
    {"length(truncate_dim('[1, 0]', 1))", ALWAYS},
    {"length(l2_normalize('[1, 0]'))", ALWAYS},
    {"length(quantize_int8('[1, 0]'))", ALWAYS},
    {"length(quantize_binary('[1, 0, 1, 0, 1, 0, 1, 0]'))", ALWAYS},
    {"length(embed('tiny-bert', 'river'))", WHERE_TRUSTED},
    {"length(embed_query('tiny-bert', 'river'))", WHERE_TRUSTED},
    {"length(embed_document('tiny-bert', 'river'))", WHERE_TRUSTED},
    {"similarity('tiny-bert', embed('tiny-bert', 'a'), embed('tiny-bert', 'b'))", WHERE_TRUSTED},
    {"rerank_score('cross-bert', 'river', 'ferry')", WHERE_TRUSTED},
    {"token_count('tiny-bert', 'river')", WHERE_TRUSTED},
    {"sembed_load('evil', '/etc')", NEVER},
    {"sembed_compile('tiny-bert')", NEVER},
    {"sembed_config('max_text_size', 0)", NEVER},
    {"sembed_config('model')", NEVER},
};

/* The ways in which a schema has an expression evaluated; each is made while the schema is trusted, as the
 * file of a stranger comes. %s is the expression. */
static const char *const schemas[] = {
    "CREATE VIEW bait AS SELECT %s AS x",
    "CREATE TABLE bait_table(x); CREATE VIEW bait AS SELECT 1 AS x;"
    "CREATE TRIGGER bait_trigger INSTEAD OF INSERT ON bait BEGIN INSERT INTO bait_table SELECT %s; "
    "END",
    "CREATE TABLE bait(x, y AS (%s)); INSERT INTO bait(x) VALUES (1)",
    "CREATE TABLE bait(x, y DEFAULT (%s))",
    "CREATE TABLE bait(x CHECK (x IS NULL OR %s IS NOT NULL))",
};
static const char *const springs[] = {"SELECT x FROM bait", "INSERT INTO bait VALUES (1)",
                                      "SELECT y FROM bait", "INSERT INTO bait(x) VALUES (1)",
                                      "INSERT INTO bait VALUES (1)"};

static void try_schema(size_t schema, size_t expression, bool trusted)
{
    sqlite3 *database = open_database();
    char *message = NULL;
/* The formats are a table of this file. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    char *sql = sqlite3_mprintf(schemas[schema], expressions[expression].expression);
#pragma GCC diagnostic pop
    run(database, "PRAGMA trusted_schema = %d", trusted);
    int result = sqlite3_exec(database, sql, NULL, NULL, &message);
    if (result == SQLITE_OK)
        result = sqlite3_exec(database, springs[schema], NULL, NULL, &message);
    bool allowed = expressions[expression].allowed == ALWAYS ||
                   (trusted && expressions[expression].allowed == WHERE_TRUSTED);
    if (allowed ? result != SQLITE_OK : result == SQLITE_OK)
        fail_msg("%s, %s: %s", sql, trusted ? "trusted" : "not trusted",
                 message ? message : "is allowed");
    if (!allowed && !strstr(message, "unsafe use of") && !strstr(message, "non-deterministic"))
        fail_msg("%s: %s", sql, message);
    sqlite3_free(message);
    sqlite3_free(sql);
    close_database(database);
}

static void test_hostile_schemas(void **state)
{
    (void)state;
    for (size_t schema = 0; schema < sizeof schemas / sizeof *schemas; schema++)
        for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
            for (int trusted = 0; trusted < 2; trusted++)
                try_schema(schema, i, trusted);
}

/* Tables, and what generated columns may not have in any schema: the default model's form. */
static void test_hostile_views(void **state)
{
    (void)state;
    static const char *const sources[] = {"embed_batch('tiny-bert', '[\"river\"]')",
                                          "rerank('cross-bert', 'a', '[\"b\"]')",
                                          "tokenize('tiny-bert', 'river')",
                                          "chunk('tiny-bert', 'river', 8)",
                                          "sembed_models",
                                          "(SELECT embed('river'))"};
    sqlite3 *database = open_database();
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        run(database, "DROP VIEW IF EXISTS bait; CREATE VIEW bait AS SELECT * FROM %s", sources[i]);
        run(database,
            "PRAGMA trusted_schema = ON; SELECT * FROM bait; PRAGMA trusted_schema = OFF");
        assert_fails(database, SQLITE_ERROR,
                     sources[i][0] == '(' ? "unsafe use of embed()" : "unsafe use of virtual table",
                     "SELECT * FROM bait");
    }
    run(database,
        "DROP VIEW bait; CREATE VIEW bait AS SELECT sembed_version(); SELECT * FROM bait");
    close_database(database);
}

/* ------------------------------------------------------------------------------------ limits */

static void test_long_texts(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    char *value = query_text(database, "SELECT sembed_config('max_text_size')");
    assert_string_equal(value, "16777216");
    sqlite3_free(value);
    assert_fails(database, SQLITE_TOOBIG, "a text of 16777217 bytes: the longest may have 16777216",
                 "SELECT embed(printf('%%.*c', 16777217, 'x'))");
    run(database, "SELECT sembed_config('max_text_size', 20)");
    static const char *const refused[] = {
        "SELECT embed('a text of 21 bytes..')",
        "SELECT embed('tiny-bert', 'a text of 21 bytes...')",
        "SELECT vector FROM embed_batch('[\"short\", \"a text of 21 bytes...\"]')",
        "SELECT rerank_score('cross-bert', 'a text of 21 bytes...', 'short')",
        "SELECT score FROM rerank('cross-bert', 'short', '[\"a text of 21 bytes...\"]')",
        "SELECT token_count('a text of 21 bytes...')",
        "SELECT token FROM tokenize('a text of 21 bytes...')",
        "SELECT text FROM chunk('a text of 21 bytes...', 8)"};
    run(database, "%s", refused[0]); /* it has 20 */
    for (size_t i = 1; i < sizeof refused / sizeof *refused; i++)
        assert_fails(database, SQLITE_TOOBIG, "a text of 21 bytes: the longest may have 20", "%s",
                     refused[i]);
    run(database, "SELECT sembed_config('max_text_size', 0); SELECT token_count(printf('%%.*c', "
                  "16777217, ' '))");
    assert_fails(database, SQLITE_ERROR, "expected a number of bytes",
                 "SELECT sembed_config('max_text_size', 'much')");
    assert_fails(database, SQLITE_ERROR, "expected a number of bytes",
                 "SELECT sembed_config('max_text_size', -1)");
    run(database, "SELECT sembed_config('max_text_size', NULL)");
    assert_fails(database, SQLITE_TOOBIG, "16777216",
                 "SELECT token_count(printf('%%.*c', 16777217, ' '))");
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_are_paths),
        cmocka_unit_test(test_names_that_are_odd),
        cmocka_unit_test(test_links_that_leave_the_path),
        cmocka_unit_test(test_hostile_schemas),
        cmocka_unit_test(test_hostile_views),
        cmocka_unit_test(test_long_texts),
    };
    return cmocka_run_group_tests_name("security", tests, use_fixtures, NULL);
}
