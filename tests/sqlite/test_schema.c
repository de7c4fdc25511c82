/* The functions in schemas: generated columns, expression indexes, triggers, transactions. What a schema
 * that is not trusted may do: test_security.c. */
#include "support.h"

#include <string.h>

static void test_generated_column(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database,
        "CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT,"
        " vector BLOB GENERATED ALWAYS AS (embed(%Q, body)) STORED,"
        " lazy BLOB GENERATED ALWAYS AS (embed(%Q, body)) VIRTUAL);"
        "INSERT INTO docs(body) VALUES ('river'), (NULL), ('stone')",
        FIXTURE, FIXTURE);
    const char *both = "SELECT count(*) FROM docs"
                       " WHERE vector IS embed(body) AND lazy IS embed(body)";
    assert_int_equal(query_integer(database, both), 3);
    run(database, "UPDATE docs SET body = 'water' WHERE id = 1");
    assert_int_equal(query_integer(database, both), 3);
    assert_int_equal(query_integer(database, "SELECT vector = embed('water') FROM docs"), 1);
    close_database(database);
}

static void test_expression_index(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    make_sentences(database, 100);
    run(database, "CREATE INDEX by_vector ON sentences(embed(%Q, body))", FIXTURE);
    sqlite3_stmt *plan = prepare(database, "EXPLAIN QUERY PLAN SELECT id FROM sentences"
                                           " WHERE embed('" FIXTURE "', body) = ?1");
    assert_int_equal(sqlite3_step(plan), SQLITE_ROW);
    assert_non_null(strstr((const char *)sqlite3_column_text(plan, 3), "USING INDEX by_vector"));
    sqlite3_finalize(plan);
    assert_int_equal(query_integer(database,
                                   "SELECT id FROM sentences WHERE embed(%Q, body) ="
                                   " embed((SELECT body FROM sentences WHERE id = 77))",
                                   FIXTURE),
                     77);
    close_database(database);
}

/* The default model is a matter of the environment. */
static void test_the_default_form_is_not_deterministic(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_fails(database, SQLITE_ERROR, "non-deterministic",
                 "CREATE TABLE docs(body TEXT, vector BLOB AS (embed(body)) STORED)");
    run(database, "CREATE TABLE docs(body TEXT)");
    assert_fails(database, SQLITE_ERROR, "non-deterministic",
                 "CREATE INDEX by_vector ON docs(embed(body))");
    close_database(database);
}

static void test_trigger(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT, vector BLOB);"
                  "CREATE TRIGGER embed_new AFTER INSERT ON docs BEGIN"
                  " UPDATE docs SET vector = embed(new.body) WHERE id = new.id; END;"
                  "INSERT INTO docs(body) VALUES ('river'), ('stone')");
    assert_int_equal(query_integer(database, "SELECT count(*) FROM docs"
                                             " WHERE vector = embed(body)"),
                     2);
    close_database(database);
}

static void test_tables_cannot_be_created_or_written(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_fails(database, SQLITE_ERROR, "no such module",
                 "CREATE VIRTUAL TABLE docs USING embed_batch");
    assert_fails(database, SQLITE_ERROR, "may not be modified", "DELETE FROM sembed_models");
    close_database(database);
}

/* An error in the middle of an INSERT undoes the statement, not the transaction. */
static void test_a_failed_call_keeps_the_transaction(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "CREATE TABLE docs(vector BLOB); BEGIN; INSERT INTO docs VALUES (x'00')");
    assert_fails(database, SQLITE_ERROR, "is not found",
                 "INSERT INTO docs SELECT embed(value, 'river')"
                 " FROM json_each('[\"" FIXTURE "\", \"nobody\"]')");
    assert_int_equal(sqlite3_get_autocommit(database), 0);
    run(database, "COMMIT");
    assert_int_equal(query_integer(database, "SELECT count(*) FROM docs"), 1);
    close_database(database);
}

/* A connection that loads twice, as two parts of a program may do, has the functions once. */
static void test_loading_twice(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "SELECT vector FROM embed_batch('[\"river\"]')");
    load_extension(database);
    assert_int_equal(query_integer(database, "SELECT vector = embed('river')"
                                             " FROM embed_batch('[\"river\"]')"),
                     1);
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generated_column),
        cmocka_unit_test(test_expression_index),
        cmocka_unit_test(test_the_default_form_is_not_deterministic),
        cmocka_unit_test(test_trigger),
        cmocka_unit_test(test_tables_cannot_be_created_or_written),
        cmocka_unit_test(test_a_failed_call_keeps_the_transaction),
        cmocka_unit_test(test_loading_twice),
    };
    return cmocka_run_group_tests_name("schema", tests, use_fixtures, NULL);
}
