/*
 * How often the core is called, counted. This program has the extension's own objects inside; the
 * linker leads their calls of sembed_embed, json_array_read and memory_copy here (--wrap).
 */
#include "core/base/json_array.h"
#include "core/base/memory.h"
#include "core/sembed.h"
#include "linked.h"
#include "support.h"

static size_t calls, texts_embedded;

sembed_status __real_sembed_embed(const sembed_model *model, sembed_context *context,
                                  const sembed_text *texts, size_t count,
                                  const sembed_options *options, const sembed_poll *poll,
                                  float *vectors, sembed_error *error);
sembed_status __wrap_sembed_embed(const sembed_model *model, sembed_context *context,
                                  const sembed_text *texts, size_t count,
                                  const sembed_options *options, const sembed_poll *poll,
                                  float *vectors, sembed_error *error);

sembed_status __wrap_sembed_embed(const sembed_model *model, sembed_context *context,
                                  const sembed_text *texts, size_t count,
                                  const sembed_options *options, const sembed_poll *poll,
                                  float *vectors, sembed_error *error)
{
    calls += count > 0; /* without texts a call checks the options */
    texts_embedded += count;
    return __real_sembed_embed(model, context, texts, count, options, poll, vectors, error);
}

static void assert_texts(sqlite3 *database, size_t expected, const char *sql)
{
    texts_embedded = calls = 0;
    run(database, "%s", sql);
    if (texts_embedded != expected)
        fail_msg("%zu texts embedded instead of %zu: %s", texts_embedded, expected, sql);
}

/* The trap: a search evaluates embed('query') for every row. */
static void test_a_constant_text_is_embedded_once(void **state)
{
    (void)state;
    sqlite3 *database = open_linked();
    make_sentences(database, 100);
    run(database, "ALTER TABLE sentences ADD COLUMN vector BLOB");
    assert_texts(database, 100, "UPDATE sentences SET vector = embed(body)");
    assert_int_equal(calls, 100);
    assert_texts(database, 1,
                 "SELECT id FROM sentences ORDER BY cos_sim(vector, embed('river')) DESC LIMIT 5");
    assert_texts(database, 1,
                 "SELECT id FROM sentences ORDER BY"
                 " cos_sim(vector, embed('tiny-bert', 'river')) DESC LIMIT 5");
    assert_texts(database, 1,
                 "SELECT id FROM sentences ORDER BY cos_sim(vector, (SELECT embed('river')))");
    assert_texts(database, 2,
                 "SELECT cos_sim(embed('river'), vector) + cos_sim(embed('stone'), vector)"
                 " FROM sentences");
    assert_texts(database, 101,
                 "SELECT id FROM sentences ORDER BY cos_sim(embed(body), embed('river'))");
    close_database(database);
}

static void test_a_bound_text_is_embedded_once_a_run(void **state)
{
    (void)state;
    sqlite3 *database = open_linked();
    make_sentences(database, 50);
    const char *const forms[] = {"SELECT embed(?1) FROM sentences",
                                 "SELECT embed('tiny-bert', ?1) FROM sentences",
                                 "SELECT embed(?2, ?1) FROM sentences"};
    for (int form = 0; form < 3; form++) {
        sqlite3_stmt *statement = prepare(database, forms[form]);
        texts_embedded = 0;
        for (int i = 1; i <= 3; i++) {
            sqlite3_bind_text(statement, 1, i == 2 ? "stone" : "river", -1, SQLITE_STATIC);
            if (form == 2)
                sqlite3_bind_text(statement, 2, FIXTURE, -1, SQLITE_STATIC);
            while (sqlite3_step(statement) == SQLITE_ROW)
                continue;
            sqlite3_reset(statement);
            assert_int_equal(texts_embedded, i);
        }
        sqlite3_finalize(statement);
    }
    close_database(database);
}

/* What is not read is not embedded. */
static void test_batches_are_lazy(void **state)
{
    (void)state;
    sqlite3 *database = open_linked();
    make_sentences(database, 1000);
    run(database, "CREATE TABLE batch AS SELECT json_group_array(body) AS texts FROM sentences");
    assert_texts(database, 1000, "SELECT vector FROM batch, embed_batch(texts)");
    assert_int_equal(calls, 4);
    assert_texts(database, 0, "SELECT count(*), max(id) FROM batch, embed_batch(texts)");
    assert_texts(database, 256, "SELECT vector FROM batch, embed_batch(texts) LIMIT 5");
    assert_texts(database, 200, "SELECT vector FROM batch, embed_batch(texts) WHERE id >= 800");
    assert_texts(database, 0, "SELECT vector FROM embed_batch('[null, null]')");
    assert_int_equal(calls, 0);
    assert_texts(database, 2, "SELECT vector FROM embed_batch('[\"a\", null, \"b\"]')");
    close_database(database);
}

/* A look-up by an expression index embeds what is looked for, not the rows. */
static void test_expression_index(void **state)
{
    (void)state;
    sqlite3 *database = open_linked();
    make_sentences(database, 100);
    assert_texts(database, 100, "CREATE INDEX by_vector ON sentences(embed('tiny-bert', body))");
    assert_texts(database, 1,
                 "SELECT id FROM sentences WHERE embed('tiny-bert', body) ="
                 " embed('tiny-bert', 'river')");
    close_database(database);
}

static size_t arrays_read;

sembed_status __real_json_array_read(const char *data, size_t size, const sembed_poll *poll,
                                     json_take_element *take, void *state,
                                     struct json_array_fault *fault);
sembed_status __wrap_json_array_read(const char *data, size_t size, const sembed_poll *poll,
                                     json_take_element *take, void *state,
                                     struct json_array_fault *fault);

sembed_status __wrap_json_array_read(const char *data, size_t size, const sembed_poll *poll,
                                     json_take_element *take, void *state,
                                     struct json_array_fault *fault)
{
    arrays_read++;
    return __real_json_array_read(data, size, poll, take, state, fault);
}

static void test_constant_json_is_parsed_once(void **state)
{
    (void)state;
    sqlite3 *database = open_linked();
    make_sentences(database, 100);
    /* The other vector changes, or SQLite would call cos_sim itself only once. */
    const char *sql = "SELECT cos_sim(?1, zeroblob(8 + 0 * id)) FROM sentences";
    sqlite3_stmt *statement = prepare(database, sql);
    sqlite3_bind_text(statement, 1, "[1, 2]", -1, SQLITE_STATIC);
    for (int i = 0; i < 2; i++) {
        size_t rows = 0;
        arrays_read = 0;
        while (sqlite3_step(statement) == SQLITE_ROW)
            rows++;
        sqlite3_reset(statement);
        assert_int_equal(rows, 100);
        assert_int_equal(arrays_read, 1);
    }
    sqlite3_finalize(statement);
    close_database(database);
}

static sqlite3 *copying; /* interrupted as soon as something large is copied; may be NULL */
static size_t copies, copies_stopped;

bool __real_memory_copy(void *to, const void *from, size_t size, const sembed_poll *poll);
bool __wrap_memory_copy(void *to, const void *from, size_t size, const sembed_poll *poll);

bool __wrap_memory_copy(void *to, const void *from, size_t size, const sembed_poll *poll)
{
    if (!copying || size < 2 << 20)
        return __real_memory_copy(to, from, size, poll);
    copies++;
    sqlite3_interrupt(copying);
    bool copied = __real_memory_copy(to, from, size, poll);
    copies_stopped += !copied;
    return copied;
}

/* 3 MB, by whatever is copied of them: an interrupt does not wait for the whole. */
static void test_copies_of_arguments_are_interrupted(void **state)
{
    (void)state;
    static const char *const statements[] = {
        "SELECT count(*) FROM long, embed_batch(texts)",
        "SELECT count(*) FROM long, embed_batch(one)",
        "SELECT count(*) FROM long, rerank('cross-bert', 'river', one)",
        "SELECT l2_normalize(vector) FROM long",
        "SELECT quantize_int8(vector) FROM long",
        "SELECT cos_sim(vector, vector) FROM long",
        "SELECT negative_mse(vector, vector) FROM long",
    };
    sqlite3 *database = open_linked();
    run(database, "CREATE TABLE long AS SELECT"
                  " '[\"' || replace(hex(zeroblob(300000)), '00', 'river stone') || '\"]' AS one,"
                  " '[' || replace(hex(zeroblob(600000)), '00', 'null,') || 'null]' AS texts,"
                  " '[' || replace(hex(zeroblob(1500000)), '00', '1,') || '1]' AS vector");
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        sqlite3_stmt *statement = prepare(database, statements[i]);
        copies = copies_stopped = 0;
        copying = database;
        int result = sqlite3_step(statement);
        copying = NULL;
        assert_int_equal(result, SQLITE_INTERRUPT);
        assert_int_equal(copies, 1);
        assert_int_equal(copies_stopped, 1);
        sqlite3_finalize(statement);
        assert_int_equal(query_integer(database, "SELECT length(embed('river'))"),
                         FIXTURE_DIMENSIONS * sizeof(float));
    }
    close_database(database);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_constant_text_is_embedded_once),
        cmocka_unit_test(test_a_bound_text_is_embedded_once_a_run),
        cmocka_unit_test(test_batches_are_lazy),
        cmocka_unit_test(test_expression_index),
        cmocka_unit_test(test_constant_json_is_parsed_once),
        cmocka_unit_test(test_copies_of_arguments_are_interrupted),
    };
    return cmocka_run_group_tests_name("core calls", tests, use_fixtures, NULL);
}
