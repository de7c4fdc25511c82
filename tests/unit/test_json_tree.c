/* core/base/json_tree: the same trees as jansson's own parser makes, from the same texts, and nothing
 * but NO_MEMORY where that runs out. */
#include "core/base/json_tree.h"
#include "core/base/memory.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

/* What jansson makes of it. A number that is no integer of jansson's is read as a fraction. */
static json_t *oracle(const char *data, size_t size)
{
    size_t flags = JSON_ALLOW_NUL | JSON_DECODE_ANY;
    json_error_t problem;
    json_t *root = json_loadb(data, size, flags, &problem);
    if (!root && json_error_code(&problem) == json_error_numeric_overflow)
        root = json_loadb(data, size, flags | JSON_DECODE_INT_AS_REAL, &problem);
    return root;
}

static void check_same(const char *data, size_t size)
{
    json_t *expected = oracle(data, size), *root = NULL;
    struct json_fault fault = {0};
    sembed_status status = json_tree_read(data, size, NULL, NULL, &root, &fault);
    if (status != (expected ? SEMBED_OK : SEMBED_MALFORMED))
        fail_msg("%.*s: %s: %s", (int)size, data, sembed_status_name(status), fault.message);
    if (expected) {
        /* Members in the same order, too. */
        char *texts[2] = {json_dumps(root, JSON_ENCODE_ANY), json_dumps(expected, JSON_ENCODE_ANY)};
        assert_non_null(texts[0]);
        assert_string_equal(texts[0], texts[1]);
        free(texts[0]);
        free(texts[1]);
    } else {
        assert_null(root);
        assert_true(fault.offset <= size && fault.line >= 1);
        assert_memory_equal(fault.message, "expected ", strlen("expected "));
    }
    json_decref(root);
    json_decref(expected);
}

static void texts_are_read_as_jansson_reads_them(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        " [ ] ",
        "[[],{}]",
        "{\"a\":{\"b\":[1,2,{\"c\":null}]}}",
        "1",
        "-1",
        "0",
        "-0",
        "1.5",
        "1e5",
        "1E-2",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "-9223372036854775809",
        "1e400",
        "-1e400",
        "1e-400",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827021181583404541015625",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "0x10",
        "NaN",
        "Infinity",
        "true",
        "false",
        "null",
        "tru",
        "truex",
        "True",
        "nul",
        "\"a\"",
        "\"\"",
        "\"a\\u0000b\"",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"b\":2,\"a\":{\"c\":3}}",
        "{\"\":1}",
        "{\"a\\u0000b\":1}",
        "{\"\\u0061\\n\":\"x\\ty\"}",
        "{\"\\u0061\":{\"\\u0062\":{\"\\u0063\":\"\\u0064\"}}}",
        "",
        " ",
        "{",
        "[",
        "]",
        "}",
        "[1",
        "[1,",
        "[1,]",
        "[,]",
        "[1 2]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\":}",
        "{1:2}",
        "[1]]",
        "[1] x",
        "{} {}",
        "[1}",
        "{\"a\":1]",
        "[\"\\x\"]",
        "[\"\x01\"]",
        "[\"\xFF\"]",
        "[\"\xC3\xA9\"]",
        "[\"\\ud83d\\ude00\"]",
        "[\"\\ud83d\"]",
        "[\"a]",
        "/* no */ []",
        "[1] // no",
        "'a'",
        "[\f]",
        "[\v1]",
        "\xEF\xBB\xBF[]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_same(texts[i], strlen(texts[i]));
    check_same("[\0]", 3);
    check_same("[1]\0", 4);
    check_same("[\"\0\"]", 5);
}

/* Pieces of JSON in any order: every seventh or so is JSON. */
static void random_texts_are_read_as_jansson_reads_them(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "[",  "]",  "{",  "}",       ",",       ":",        "\"a\"", "\"b\\n\"",
        "\"", "\\", "1",  "-2.5e1",  "0",       "true",     "null",  " ",
        "\n", "[]", "{}", "\"a\":1", "\"b\":[", "\xC3\xA9", "[1,2]", "e"};
    srand(7);
    char text[256];
    for (int i = 0; i < 300000; i++) {
        size_t size = 0;
        int count = 1 + rand() % 12;
        for (int j = 0; j < count; j++) {
            const char *piece = pieces[(size_t)rand() % (sizeof pieces / sizeof *pieces)];
            memcpy(text + size, piece, strlen(piece));
            size += strlen(piece);
        }
        check_same(text, size);
    }
}

/* A good text of which a byte is another or missing. */
static void damaged_texts_are_read_as_jansson_reads_them(void **state)
{
    (void)state;
    static const char good[] =
        "{\"a\": [1, -2.5e-3, \"x\\u00e9\\ud83d\\ude00\\n\", true, null, {}, []],\n"
        " \"\xC3\xA9\": {\"b\": {\"c\": [false, 9223372036854775807]}}, \"a\": \"\"}";
    char text[sizeof good];
    for (size_t at = 0; at < sizeof good - 1; at++) {
        check_same(good, at);
        memcpy(text, good, sizeof good);
        /* A zero byte behind a number or a word goes unnoticed in jansson. */
        for (int byte = 1; byte < 256; byte++) {
            text[at] = (char)byte;
            check_same(text, sizeof good - 1);
        }
        memmove(text + at, good + at + 1, sizeof good - at - 1);
        check_same(text, sizeof good - 2);
    }
}

static void depth_has_the_limit_of_jansson(void **state)
{
    (void)state;
    char text[5000];
    for (size_t depth = 2046; depth <= 2050; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        check_same(text, 2 * depth);
        text[depth] = '1';
        memset(text + depth + 1, ']', depth);
        check_same(text, 2 * depth + 1);
    }
}

static void a_fault_says_where_and_what(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t offset, line;
        const char *message;
    } cases[] = {
        {"{\"a\": 1,\n\n \"b\" 2}", 15, 3, "expected ':', found '2}'"},
        {"[1, 2", 5, 1, "expected ',' or ']', found the end of the text"},
        {"{\"a\": 1 \"b\"}", 8, 1, "expected ',' or '}', found '\"b\"}'"},
        {"[1]\n x", 5, 2, "expected the end of the text, found 'x'"},
        {"[\n\"\xFF\n\"]", 2, 2, "expected a string, found '\"??\"]'"},
        {"[1e999]", 1, 1, "expected a number of at most 1.8e308, found '1e999]'"},
        {"{\"a\\u0000\": 1}", 1, 1, "expected a key without a zero byte, found '\"a\\u0000\": 1}'"},
        {"x123456789012345678901234567890123456789\xC3\xA9", 0, 1,
         "expected a value, found 'x123456789012345678901234567890123456789'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *root;
        struct json_fault fault;
        assert_int_equal(
            json_tree_read(cases[i].text, strlen(cases[i].text), NULL, NULL, &root, &fault),
            SEMBED_MALFORMED);
        assert_string_equal(fault.message, cases[i].message);
        assert_int_equal(fault.offset, cases[i].offset);
        assert_int_equal(fault.line, cases[i].line);
    }
}

static void reading_can_be_stopped(void **state)
{
    (void)state;
    enum { COUNT = 300000 };
    char *text = malloc(COUNT + 1);
    for (size_t i = 0; i < COUNT; i++)
        text[i] = i % 2 ? '1' : ',';
    text[0] = '[';
    text[COUNT] = ']';
    struct questions questions = {.stop_at = 3};
    const sembed_poll poll = questions_poll(&questions);
    json_t *root;
    struct json_fault fault;
    assert_int_equal(json_tree_read(text, COUNT + 1, &poll, NULL, &root, &fault), SEMBED_CANCELED);
    assert_null(root);
    assert_int_equal(questions.asked, 3);
    assert_int_equal(json_tree_read(text, COUNT + 1, &poll, NULL, &root, &fault), SEMBED_OK);
    assert_int_equal(json_array_size(root), COUNT / 2);
    json_decref(root);
    free(text);
}

/* --- memory ------------------------------------------------------------------------------------- */

static size_t calls, fail_at;
static bool fail_all;
static long live;

static void *failing_malloc(size_t size)
{
    calls++;
    if (fail_at && (calls == fail_at || (fail_all && calls > fail_at)))
        return NULL;
    live++;
    return malloc(size);
}

static void counting_free(void *pointer)
{
    live -= pointer != NULL;
    free(pointer);
}

static void every_value_may_find_no_memory(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\": [1, 2, 3, 4, 5, 6, 7, 8, 9, \"ten\", 11.5], \"b\": {\"c\": \"long \\n string\"},"
        " \"d\": 1, \"e\": 1, \"f\": 1, \"g\": 1, \"h\": 1, \"i\": 1, \"j\": 1,"
        " \"\\u006b\": "
        "0.12345678901234567890123456789012345678901234567890123456789012345678901234}";
    json_t *expected = json_loads(text, 0, NULL);
    json_set_alloc_funcs(failing_malloc, counting_free);
    for (int all = 0; all < 2; all++) {
        sembed_status status = SEMBED_NO_MEMORY;
        for (fail_all = all, fail_at = 1; status == SEMBED_NO_MEMORY; fail_at++) {
            json_t *root;
            struct json_fault fault;
            calls = 0;
            status = json_tree_read(text, sizeof text - 1, NULL, NULL, &root, &fault);
            assert_true(status == SEMBED_NO_MEMORY ? !root : json_equal(root, expected));
            json_decref(root);
            assert_int_equal(live, 0);
        }
        assert_int_equal(status, SEMBED_OK);
        assert_true(fail_at > 40);
    }
    fail_at = 0;
    json_set_alloc_funcs(malloc, free);
    sembed_status status = SEMBED_NO_MEMORY;
    size_t nth = 0;
    while (status == SEMBED_NO_MEMORY) { /* the escaped key's and the long number's text */
        json_t *root;
        struct json_fault fault;
        memory_fail_from(++nth);
        status = json_tree_read(text, sizeof text - 1, NULL, NULL, &root, &fault);
        json_decref(root);
    }
    memory_fail_from(0);
    assert_int_equal(status, SEMBED_OK);
    assert_true(nth > 2);
    json_decref(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read_as_jansson_reads_them),
        cmocka_unit_test(random_texts_are_read_as_jansson_reads_them),
        cmocka_unit_test(damaged_texts_are_read_as_jansson_reads_them),
        cmocka_unit_test(depth_has_the_limit_of_jansson),
        cmocka_unit_test(a_fault_says_where_and_what),
        cmocka_unit_test(reading_can_be_stopped),
        cmocka_unit_test(every_value_may_find_no_memory),
    };
    return cmocka_run_group_tests_name("json_tree", tests, NULL, NULL);
}
