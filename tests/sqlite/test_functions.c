/* Functions of vectors, reranking, tokens, chunks, aggregates: wrong arguments, what SQLite makes of
 * results. Their numbers are in tests/sql-cases. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int use_models(void **state)
{
    setenv("SEMBED_RERANKER", "cross-bert", 1);
    return use_fixtures(state);
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const struct {
        const char *sql, *fragment;
    } cases[] = {
        {"dot_score('[1]', 'x')", "dot_score: argument 2 (vector): expected a BLOB of float32"},
        {"euclidean_sim(7, '[1]')", "euclidean_sim: argument 1 (vector): "},
        {"manhattan_sim(x'00', '[1]')", "manhattan_sim: argument 1 (vector): "},
        {"similarity(x'00', '[1]', '[1]')", "similarity: argument 1 (model): expected TEXT"},
        {"similarity('tiny-bert', '[1]', 'x')", "similarity: argument 3 (vector): "},
        {"truncate_dim('[1, 2]', 'x')",
         "truncate_dim: argument 2 (dimensions): expected an INTEGER, found TEXT"},
        {"truncate_dim('[1, 2]', 1.0)", "expected an INTEGER, found a REAL"},
        {"truncate_dim('[1, 2]', 0)", "expected 1 to 2, found 0"},
        {"truncate_dim('[1, 2]', 3)", "expected 1 to 2, found 3"},
        {"truncate_dim('[1, 2]', -1)", "expected 0 or more, found -1"},
        {"l2_normalize('[]')", "found an empty array"},
        {"l2_normalize(x'000000')", "found 3 bytes"},
        {"quantize_int8('x')", "quantize_int8: argument 1 (vector): "},
        {"quantize_int8(quantize_int8('[1, 2, 3, 4]'))", "found an int8 vector"},
        {"quantize_binary('[1, 2, 3]')", "expected a multiple of 8 dimensions, found 3"},
        {"rerank_score('a', x'00')", "rerank_score: argument 2 (document): expected TEXT"},
        {"rerank_score(x'00', 'a', 'b')", "rerank_score: argument 1 (model): "},
        {"token_count(x'00')", "token_count: argument 1 (text): expected TEXT, found a BLOB"},
        {"token_count('nobody', 'a')", "model 'nobody' is not found"},
        {"pearson(1, 'x')", "pearson: argument 2 (y): expected a number, found TEXT"},
        {"spearman(x'00', 1)", "spearman: argument 1 (x): expected a number, found a BLOB"},
        {"triplet_accuracy('[1]', '[1]', '[1]', 7)",
         "argument 4 (metric): expected 'cosine', 'dot', 'euclidean' or 'manhattan', found '7'"},
        {"triplet_accuracy('[1]', '[1]', '[1, 2]', 'dot')", "1 and 2 dimensions"},
        {"negative_mse('[1]', 'x')", "negative_mse: argument 2 (vector): "},
        {"* FROM rerank('a')",
         "rerank: an argument is missing: rerank(query, json_array [, top_k])"},
        {"* FROM rerank('a', 'b')", "rerank: argument 2 (documents): malformed JSON"},
        {"* FROM rerank('cross-bert', 'a', '[1]')",
         "rerank: argument 3 (documents): expected a string or null at index 0, found an integer"},
        {"* FROM rerank('cross-bert', 'a', '[]', 1.5)",
         "rerank: argument 4 (top_k): expected an INTEGER, found a REAL"},
        {"* FROM rerank('a', '[]', -1)",
         "rerank: argument 3 (top_k): expected 0 or more, found -1"},
        {"* FROM rerank('cross-bert', x'00', '[]')", "rerank: argument 2 (query): expected TEXT"},
        {"* FROM rerank('tiny-bert', 'a', '[]')", "model 'tiny-bert' gives embeddings"},
        {"count(*) FROM embed_batch('tiny-bert', '[]', '{\"layers\": 99}')",
         "layers: expected at most the 2 of model 'tiny-bert', found 99"},
        {"count(*) FROM embed_batch('tiny-bert', '[\"a\"]', '{\"prompt_name\": \"none such\"}')",
         "prompt_name: model 'tiny-bert' has no prompt 'none such'"},
        {"embed('tiny-bert', 'a', '{\"normalize\": \"never\", \"normalize_embeddings\": "
         "\"never\"}')",
         "normalize and normalize_embeddings are given: expected one"},
        {"* FROM tokenize", "tokenize: an argument is missing: tokenize(text)"},
        {"* FROM tokenize(x'00')", "tokenize: argument 1 (text): expected TEXT"},
        {"* FROM tokenize('a', 'b', 'c')", "too many arguments"},
        {"* FROM chunk", "chunk: an argument is missing: chunk(text"},
        {"* FROM chunk('a', 10, 1, 1)", "chunk: too many arguments"},
        {"* FROM chunk('a', 'b', 'c')", "chunk: argument 3 (max_tokens): expected an INTEGER"},
        {"* FROM chunk('tiny-bert', 'b', 10, -1)",
         "chunk: argument 4 (overlap): expected 0 or more, found -1"},
        {"* FROM chunk('a', 2)", "max_tokens: expected more than the 2 special tokens"},
        {"* FROM rerank WHERE argument_2 = '[]'", "rerank: an argument is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(database, SQLITE_ERROR, cases[i].fragment, "SELECT %s", cases[i].sql);
    close_database(database);
}

static void test_null_gives_null(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const char *const calls[] = {
        "dot_score('[1]', NULL)",
        "similarity(NULL, '[1]', '[1]')",
        "similarity('nobody', '[1]', NULL)",
        "truncate_dim('[1]', NULL)",
        "truncate_dim(NULL, 1)",
        "quantize_int8(NULL)",
        "quantize_binary(NULL)",
        "rerank_score(NULL, 'b')",
        "rerank_score(NULL, 'a', 'b')",
        "token_count(NULL)",
        "embed_query(NULL)",
        "embed_document('nobody', NULL)",
        "pearson(1, NULL)",
        "triplet_accuracy('[1]', '[1]', NULL, 'dot')",
        "triplet_accuracy('[1]', '[1]', '[1]', NULL)",
        /* NaN and infinities */
        "dot_score(x'0000C07F', '[1]')",
        "euclidean_sim(x'0000C07F', '[1]')",
        "manhattan_sim('[1]', x'0000C07F')",
        "cos_sim(x'0000807F', '[1]')",
        "euclidean_sim(x'0000807F', x'0000807F')",
        "spearman(column1, column2) FROM (VALUES (1, 2))",
        "pearson(column1, column2) FROM (VALUES (1, 2), (1, 3))",
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char *text = query_text(database, "SELECT %s", calls[i]);
        if (text)
            fail_msg("%s is %s", calls[i], text);
    }
    assert_true(isinf(query_real(database, "SELECT dot_score(x'0000807F', '[1]')")));
    const char *const tables[] = {"rerank(NULL, '[]')",
                                  "rerank('cross-bert', 'a', NULL)",
                                  "rerank('cross-bert', 'a', '[\"b\"]', NULL)",
                                  "tokenize(NULL)",
                                  "tokenize(NULL, 'a')",
                                  "chunk(NULL, 10)",
                                  "chunk('a', 10, NULL)"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        assert_int_equal(query_integer(database, "SELECT count(*) FROM %s", tables[i]), 0);
    close_database(database);
}

static unsigned last_subtype;

static void note_subtype(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    last_subtype = sqlite3_value_subtype(values[0]);
    sqlite3_result_int(context, sqlite3_value_bytes(values[0]));
}

static void test_subtypes_of_sqlite_vec(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    sqlite3_create_function(database, "note_subtype", 1, SQLITE_UTF8 | SQLITE_SUBTYPE, NULL,
                            note_subtype, NULL, NULL);
    const struct {
        const char *call;
        int bytes;
        unsigned subtype;
    } cases[] = {
        {"embed_query('a')", 96, 223},
        {"embed_document('tiny-bert', 'a', '{\"dims\": 8}')", 32, 223},
        {"truncate_dim(embed('a'), 8)", 32, 223},
        {"l2_normalize('[1, 2]')", 8, 223},
        {"quantize_binary(embed('a'))", 3, 224},
        {"quantize_int8(embed('a'))", 24, 225},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        last_subtype = 0;
        assert_int_equal(query_integer(database, "SELECT note_subtype(%s)", cases[i].call),
                         cases[i].bytes);
        assert_int_equal(last_subtype, cases[i].subtype);
    }
    close_database(database);
}

/* The argument's memory is SQLite's. */
static void test_normalizing_leaves_the_argument(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "CREATE TABLE docs(vector BLOB); INSERT INTO docs VALUES (x'0000404000008040')");
    assert_int_equal(query_integer(database, "SELECT l2_normalize(vector) <> vector"
                                             " AND vector = x'0000404000008040' FROM docs"),
                     1);
    close_database(database);
}

/* ------------------------------------------------------------------------- offsets in characters */

static void test_offsets_cut_with_substr(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database, "CREATE TABLE docs(body TEXT);"
                  "INSERT INTO docs VALUES ('The naïve river — 東京 🚲. And more.'), ('🚲🚲🚲 a'),"
                  " (CAST(x'61FF8080206220E69DB1' AS TEXT)), ('plain')");
    make_sentences(database, 200);
    run(database, "INSERT INTO docs SELECT body FROM sentences");
    /* A word of the vocabulary is its own source, whatever stands before it. */
    assert_int_equal(
        query_integer(database,
                      "SELECT count(*) FROM docs, tokenize(body)"
                      " WHERE token NOT LIKE '[%%' AND token NOT LIKE '##%%'"
                      " AND token = lower(token) AND token GLOB '[a-z]*'"
                      " AND token NOT IN (SELECT lower(replace(replace(substr(body, start + 1,"
                      " stop - start), 'ï', 'i'), 'é', 'e')))"
                      " AND substr(body, start + 1, stop - start) NOT GLOB '*[^A-Za-z]*'"),
        0);
    assert_int_equal(query_integer(database, "SELECT count(*) FROM docs, chunk(body, 12, 3) AS c"
                                             " WHERE substr(body, start + 1, stop - start)"
                                             " IS NOT c.text OR token_count(c.text) > 12"),
                     0);
    assert_true(query_integer(database, "SELECT count(*) FROM docs, chunk(body, 12, 3)") > 400);
    /* Special tokens come from nothing. */
    assert_int_equal(query_integer(database, "SELECT count(*) FROM docs, tokenize(body)"
                                             " WHERE start IS NULL AND stop IS NULL"
                                             " AND token IN ('[CLS]', '[SEP]')"),
                     2 * 204);
    assert_int_equal(query_integer(database, "SELECT start FROM tokenize('東京 river')"
                                             " WHERE token LIKE 'r%%'"),
                     3);
    close_database(database);
}

static void test_an_integer_in_the_second_place_is_a_size(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    const char *forms[] = {"chunk(body, 10)", "chunk('tiny-bert', body, 10)", "chunk(body, 10, 0)",
                           "chunk('tiny-bert', body, 10, 0)"};
    run(database,
        "CREATE TABLE docs(body TEXT); INSERT INTO docs VALUES"
        " ('The river runs. The stone stays. The water is cold. The fox jumps over it.')");
    sqlite3_int64 expected = query_integer(database, "SELECT count(*) FROM docs, %s", forms[0]);
    assert_true(expected > 2);
    for (size_t i = 1; i < sizeof forms / sizeof *forms; i++)
        assert_int_equal(query_integer(database, "SELECT count(*) FROM docs, %s", forms[i]),
                         expected);
    close_database(database);
}

/* ----------------------------------------------------------------------------------- tables, rows */

static void test_tables_in_joins(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    make_sentences(database, 50);
    assert_int_equal(query_integer(database,
                                   "SELECT count(*) FROM (SELECT s.id FROM sentences AS s,"
                                   " rerank('river', json_array(s.body, 'stone')) AS r"
                                   " WHERE r.corpus_id = 0"
                                   " AND r.score = rerank_score('river', s.body)"
                                   " AND r.text = s.body)"),
                     50);
    /* Search, then rerank, in one statement. */
    assert_int_equal(
        query_integer(database,
                      "WITH nearest AS MATERIALIZED (SELECT id, body FROM sentences"
                      " ORDER BY cos_sim(embed(body), embed('river')) DESC LIMIT 10),"
                      " listed AS (SELECT json_group_array(body) AS bodies,"
                      " json_group_array(id) AS ids FROM nearest)"
                      " SELECT count(DISTINCT json_extract(ids, '$[' || corpus_id || ']'))"
                      " FROM listed, rerank('river', bodies)"),
        10);
    assert_int_equal(query_integer(database,
                                   "SELECT count(*) = token_count(s.body)"
                                   " FROM sentences AS s, tokenize(s.body) WHERE s.id = 7"),
                     1);
    /* Rows come in the order of the first column; where they do not, SQLite sorts. */
    char *order =
        query_text(database, "SELECT group_concat(corpus_id) FROM (SELECT corpus_id FROM"
                             " rerank('a', '[\"c\", \"a\", \"b d\"]') ORDER BY corpus_id)");
    assert_string_equal(order, "0,1,2");
    sqlite3_free(order);
    close_database(database);
}

/* As in SQLite's own aggregates an argument may change from row to row, JSON included: nothing of the
 * last row is kept. */
/* Hidden ones, which keep their types. */
static void test_arguments_are_columns(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"argument_1 || typeof(argument_2) || text FROM chunk('a river', 8)",
         "a riverintegera river"},
        {"typeof(argument_1) || argument_1 || text FROM chunk(12)", "integer1212"},
        {"typeof(argument_1) || typeof(argument_2) FROM chunk(12)", "integernull"},
        {"argument_1 || argument_2 || typeof(argument_3) FROM rerank('a', '[\"b\"]', 1)",
         "a[\"b\"]integer"},
    };
    sqlite3 *database = open_database();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = query_text(database, "SELECT %s", cases[i][0]);
        assert_string_equal(text, cases[i][1]);
        sqlite3_free(text);
    }
    close_database(database);
}

static void test_aggregates_of_json(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    assert_true(query_real(database, "SELECT negative_mse(column1, '[0]')"
                                     " FROM (VALUES ('[1]'), ('[2]'), ('[3]'))") == -1400.0 / 3);
    assert_true(query_real(database,
                           "SELECT triplet_accuracy('[1, 0]', column1, column2, 'dot')"
                           " FROM (VALUES ('[1, 0]', '[0, 0]'), ('[0, 0]', '[1, 0]'))") == 0.5);
    close_database(database);
}

/* What an aggregate gives over a window is what it gives over the same rows as a group, NULLs among
 * them, whatever the frame. */
static void test_aggregates_over_windows(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    static const char *const frames[][2] = {
        {"ROWS 7 PRECEDING", "o.id BETWEEN r.id - 7 AND r.id"},
        {"ROWS BETWEEN 3 PRECEDING AND 200 FOLLOWING", "o.id BETWEEN r.id - 3 AND r.id + 200"},
        {"ROWS BETWEEN 5 FOLLOWING AND 9 FOLLOWING", "o.id BETWEEN r.id + 5 AND r.id + 9"},
        {"ROWS UNBOUNDED PRECEDING", "o.id <= r.id"},
        {"ROWS BETWEEN 4 PRECEDING AND 4 FOLLOWING EXCLUDE CURRENT ROW",
         "o.id BETWEEN r.id - 4 AND r.id + 4 AND o.id <> r.id"},
    };
    static const char *const calls[] = {
        "spearman(%sx, %sy)",
        "pearson(%sx, %sy)",
        "negative_mse(%sa, %sb)",
        "triplet_accuracy(%sa, %sb, '[40, 3]', 'dot')",
    };
    run(database, "CREATE TABLE numbers(id INTEGER PRIMARY KEY, x, y, a, b);"
                  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)"
                  " INSERT INTO numbers(id, x, y) SELECT i, i * 7919 %% 101,"
                  " CASE WHEN i %% 10 THEN i * 104729 %% 53 END FROM n;"
                  "UPDATE numbers SET a = json_array(x, 1),"
                  " b = CASE WHEN y IS NOT NULL THEN json_array(y, 2) END");
    for (size_t f = 0; f < sizeof frames / sizeof *frames; f++)
        for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
            char *over = sqlite3_mprintf(calls[c], "", ""),
                 *of = sqlite3_mprintf(calls[c], "o.", "o.");
            sqlite3_int64 differ = query_integer(
                database,
                "SELECT count(*) FROM (SELECT id, %s OVER (ORDER BY id %s) AS found FROM numbers)"
                " AS r WHERE found IS NOT (SELECT %s FROM numbers AS o WHERE %s)"
                " AND NOT abs(found - (SELECT %s FROM numbers AS o WHERE %s)) < 1e-9",
                over, frames[f][0], of, frames[f][1], of, frames[f][1]);
            if (differ)
                fail_msg("%s over %s: %lld rows differ", over, frames[f][0], (long long)differ);
            sqlite3_free(over);
            sqlite3_free(of);
        }
    /* A large number leaves the window without a trace. */
    assert_true(query_real(database, "SELECT negative_mse(column1, '[0]')"
                                     " OVER (ROWS CURRENT ROW) AS mse"
                                     " FROM (VALUES ('[1e18]'), ('[1e-9]')) ORDER BY mse DESC") ==
                -100 * (double)1e-9f * (double)1e-9f);
    close_database(database);
}

/* Nothing but zero is zero. */
static void test_no_error_is_not_negative(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    char *zero = query_text(database, "SELECT printf('%%f', negative_mse('[1, 2]', '[1, 2]'))");
    assert_string_equal(zero, "0.000000");
    sqlite3_free(zero);
    close_database(database);
}

/* A failed row leaves nothing behind; the address sanitizer looks. */
static void test_an_aggregate_that_fails(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    make_sentences(database, 500);
    assert_fails(database, SQLITE_ERROR, "expected a number, found TEXT",
                 "SELECT spearman(id, CASE WHEN id = 400 THEN 'x' ELSE id END) FROM sentences");
    assert_true(query_real(database, "SELECT spearman(id, id * id) FROM sentences") == 1);
    assert_true(query_real(database, "SELECT spearman(id, -id * id) FROM sentences") == -1);
    assert_true(fabs(query_real(database, "SELECT pearson(id, 3 - 2 * id) FROM sentences") + 1) <
                1e-12);
    close_database(database);
}

static void test_untrusted_schema(void **state)
{
    (void)state;
    sqlite3 *database = open_database();
    run(database,
        "PRAGMA trusted_schema = OFF;"
        "CREATE VIEW harmless AS SELECT dot_score('[1]', '[1]'), euclidean_sim('[1]', '[1]'),"
        " manhattan_sim('[1]', '[1]'), truncate_dim('[1]', 1), l2_normalize('[1]'),"
        " quantize_int8('[1]'), spearman(1, 2), pearson(1, 2), negative_mse('[1]', '[1]'),"
        " triplet_accuracy('[1]', '[1]', '[1]', 'dot')");
    run(database, "SELECT * FROM harmless");
    const char *const unsafe[][2] = {
        {"embed_query('tiny-bert', 'a')", "embed_query()"},
        {"embed_document('a')", "embed_document()"},
        {"similarity('tiny-bert', '[1]', '[1]')", "similarity()"},
        {"rerank_score('cross-bert', 'a', 'b')", "rerank_score()"},
        {"token_count('a')", "token_count()"},
        {"* FROM rerank('a', '[]')", "\"rerank\""},
        {"* FROM tokenize('a')", "\"tokenize\""},
        {"* FROM chunk('a')", "\"chunk\""},
    };
    for (size_t i = 0; i < sizeof unsafe / sizeof *unsafe; i++) {
        run(database, "DROP VIEW IF EXISTS harmful; CREATE VIEW harmful AS SELECT %s",
            unsafe[i][0]);
        assert_fails(database, SQLITE_ERROR, unsafe[i][1], "SELECT * FROM harmful");
    }
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_null_gives_null),
        cmocka_unit_test(test_subtypes_of_sqlite_vec),
        cmocka_unit_test(test_normalizing_leaves_the_argument),
        cmocka_unit_test(test_offsets_cut_with_substr),
        cmocka_unit_test(test_an_integer_in_the_second_place_is_a_size),
        cmocka_unit_test(test_tables_in_joins),
        cmocka_unit_test(test_arguments_are_columns),
        cmocka_unit_test(test_aggregates_of_json),
        cmocka_unit_test(test_aggregates_over_windows),
        cmocka_unit_test(test_no_error_is_not_negative),
        cmocka_unit_test(test_an_aggregate_that_fails),
        cmocka_unit_test(test_untrusted_schema),
    };
    return cmocka_run_group_tests_name("functions", tests, use_models, NULL);
}
