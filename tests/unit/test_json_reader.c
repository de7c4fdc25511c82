/* core/base/json_reader and json_partly: large values of a JSON file, read from their text. */
#include "core/base/json_partly.h"
#include "core/base/json_reader.h"
#include "core/base/memory.h"
#include "tests/unit/folder.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

static struct json_reader reader_of(const char *text)
{
    return (struct json_reader){.at = text, .end = text + strlen(text)};
}

/* --- strings ------------------------------------------------------------------------------------ */

static void strings_are_read_as_jansson_reads_them(void **state)
{
    (void)state;
    static const char *const good[] = {
        "\"\"",
        " \n\r\t\"plain\"",
        "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00x\"",
        "\"a\\u0000b\"",
        "\"\\u007f\\u0080\\u07ff\\u0800\\uffff\"",
    };
    static const char *const bad[] = {
        "",
        "x",
        "\"",
        "\"a",
        "\"a\\",
        "\"a\\\"",
        "\"\n\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u123\"",
        "\"\\ud83d\"",        /* half a pair */
        "\"\\ud83dx\"",       /* half a pair */
        "\"\\ud83d\\u0041\"", /* half a pair */
        "\"\\ude00\\ud83d\"", /* the wrong way round */
        "\"\xFF\"",
        "\"\xC3\"",
        "\"\xC0\x80\"",         /* longer than needed */
        "\"\xE0\x80\x80\"",     /* longer than needed */
        "\"\xED\xA0\x80\"",     /* a surrogate */
        "\"\xF4\x90\x80\x80\"", /* over U+10FFFF */
        "\"\xF5\x80\x80\x80\"",
        "\"\\\xC3\xA9\"",
    };
    struct json_string string = {0};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct json_reader reader = reader_of(good[i]);
        json_t *expected = json_loads(good[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_true(json_is_string(expected));
        assert_true(json_reader_string(&reader, &string));
        assert_int_equal(string.length, json_string_length(expected));
        assert_memory_equal(string.data, json_string_value(expected), string.length);
        assert_true(json_reader_at_end(&reader));
        json_decref(expected);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_reader reader = reader_of(bad[i]);
        assert_null(json_loads(bad[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
        assert_false(json_reader_string(&reader, &string));
        assert_ptr_equal(reader.at, bad[i]);
    }
    memory_free(string.buffer);
}

/* Eight bytes are looked at in one: whatever may stand in a string or not, at each place. */
static void every_byte_is_seen_wherever_it_stands(void **state)
{
    (void)state;
    struct json_string string = {0};
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t place = 1; place < 20; place++) {
            char text[24];
            memset(text, 'a', sizeof text);
            text[0] = text[21] = '"';
            text[place] = (char)byte;
            struct json_reader reader = {.at = text, .end = text + 22};
            bool good = byte >= 0x20 && byte < 0x80 && byte != '\\';
            assert_int_equal(json_reader_string(&reader, &string), good);
            if (good) {
                assert_int_equal(string.length, byte == '"' ? place - 1 : 20);
                assert_memory_equal(string.data, text + 1, string.length);
            }
        }
    }
    memory_free(string.buffer);
}

/* --- numbers ------------------------------------------------------------------------------------ */

/* The reader's double is the one that strtod gives, which is the nearest. */
static void check_number(const char *text)
{
    struct json_reader reader = reader_of(text);
    double number;
    assert_true(json_reader_number(&reader, &number));
    double expected = strtod(text, NULL);
    assert_memory_equal(&number, &expected, sizeof number);
    assert_true(json_reader_at_end(&reader));
}

static void numbers_are_rounded_to_the_nearest(void **state)
{
    (void)state;
    static const char *const texts[] = {"0",
                                        "-0",
                                        "0.0",
                                        "1",
                                        "-1.5",
                                        "0.1",
                                        "9007199254740993", /* 2^53 + 1: half way, to even */
                                        "9007199254740995",
                                        "9007199254740993.1",
                                        "9007199254740992.999",
                                        "9999999999999999999",
                                        "18446744073709551616",
                                        "123456789012345678901234567890",
                                        "0.1234567890123456789",
                                        "0.00000000000000000001",
                                        "-7.4715776443481445",
                                        "1e5",
                                        "1.5E-7",
                                        "4.9e-324",
                                        "2.2250738585072014e-308",
                                        "1.7976931348623157e308",
                                        "5e-1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_number(texts[i]);
    srand(1);
    for (int i = 0; i < 200000; i++) {
        char text[64];
        double number =
            (rand() - RAND_MAX / 2) / (double)(1 + rand() % 100000) + rand() / (double)RAND_MAX;
        snprintf(text, sizeof text, "%.*f", rand() % 20, number);
        check_number(text);
        snprintf(text, sizeof text, "%.*g", 1 + rand() % 17, number);
        check_number(text);
    }
}

/* Expected: what tokenizers 0.23.3 makes of the same digits. */
static void numbers_are_misread_as_serde_misreads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double number;
    } cases[] = {
        {"-7.4715776443481445", -7.471577644348144},
        {"-7.7206902503967285", -7.720690250396728},
        {"-7.6904401779174805", -7.69044017791748},
        {"-3.4635426998138428", -3.4635426998138428},
        {"0", 0},
        {"-1.5E+3", -1500},
        {"1e23", 1e23},
        {"99999999999999999999.5", 1e20},
        {"3.14159265358979323846264338327950288", 3.1415926535897931},
        {"1e-400", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_reader reader = reader_of(cases[i].text);
        double number;
        assert_true(json_reader_number_as_serde(&reader, &number));
        assert_true(number == cases[i].number);
        assert_true(json_reader_at_end(&reader));
    }
    static const char *const bad[] = {"", "-", "01", "1.", "1e", "1e400", "x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct json_reader reader = reader_of(bad[i]);
        double number;
        assert_false(json_reader_number_as_serde(&reader, &number));
    }
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",   "-",   "x",    "+1",  ".5",    "1.",  "01", "-01",
                                        "1e", "1e+", "1.e5", "--1", "1e999", "NaN", "-x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct json_reader reader = reader_of(texts[i]);
        double number;
        assert_false(json_reader_number(&reader, &number));
        assert_ptr_equal(reader.at, texts[i]);
    }
    static const char *const ids[] = {
        "", "-1", "1.0", "1e2", "01", "4294967296", "99999999999999999"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct json_reader reader = reader_of(ids[i]);
        uint32_t number;
        assert_false(json_reader_u32(&reader, &number));
    }
    struct json_reader reader = reader_of(" 4294967295,0]");
    uint32_t number;
    assert_true(json_reader_u32(&reader, &number));
    assert_int_equal(number, UINT32_MAX);
    assert_true(json_reader_take(&reader, ','));
    assert_true(json_reader_u32(&reader, &number));
    assert_int_equal(number, 0);
    assert_false(json_reader_take(&reader, '}'));
    assert_true(json_reader_take(&reader, ']'));
}

/* --- leaving out -------------------------------------------------------------------------------- */

static const char *const inner[] = {"vocab", "merges"};

struct fixture {
    char *folder;
    struct json_file file;
    sembed_error error;
};

static sembed_status fixture_open(struct fixture *fixture, const char *text)
{
    *fixture = (struct fixture){.folder = folder_create()};
    folder_write_text(fixture->folder, "some.json", text);
    char path[512];
    snprintf(path, sizeof path, "%s/some.json", fixture->folder);
    return json_file_open_partly(path, "model", inner, 2, NULL, &fixture->file, &fixture->error);
}

static void fixture_close(struct fixture *fixture)
{
    json_file_close(&fixture->file);
    folder_remove(fixture->folder);
}

static void check_text(struct fixture *fixture, const char *key, const char *expected)
{
    struct json_text text;
    assert_ok(json_text_of(&fixture->file, json_object_get(fixture->file.root, "model"), key, &text,
                           &fixture->error),
              fixture->error);
    assert_int_equal(text.size, strlen(expected));
    if (text.size)
        assert_memory_equal(text.data, expected, text.size);
    json_text_free(&text);
}

/* A vocabulary of megabytes is passed over in milliseconds, but more than one. */
static void what_is_left_out_is_passed_over_in_steps(void **state)
{
    (void)state;
    enum { TOKENS = 40000 };
    char *folder = folder_create(), path[512], *text = malloc(TOKENS * 16 + 64);
    struct json_file file;
    sembed_error error = {0};
    struct questions questions = {.stop_at = 3};
    const sembed_poll poll = questions_poll(&questions);
    assert_non_null(text);
    char *at = text + sprintf(text, "{\"model\": {\"vocab\": {");
    for (int i = 0; i < TOKENS; i++)
        at += sprintf(at, "%s\"t%d\": %d", i ? "," : "", i, i);
    strcpy(at, "}}}");
    folder_write_text(folder, "some.json", text);
    snprintf(path, sizeof path, "%s/some.json", folder);
    assert_fails(json_file_open_partly(path, "model", inner, 2, &poll, &file, &error),
                 SEMBED_CANCELED, error, "canceled");
    assert_int_equal(questions.asked, 3);
    assert_ok(json_file_open_partly(path, "model", inner, 2, &poll, &file, &error), error);
    assert_true(questions.asked > 3 + (size_t)(at - text) / 65536);
    json_file_close(&file);
    free(text);
    folder_remove(folder);
}

static void large_values_are_not_in_the_tree(void **state)
{
    (void)state;
    struct fixture fixture;
    assert_ok(fixture_open(&fixture,
                           "{\"vocab\": [0], \"a\": \"]}\\\"\", \"model\": {\"type\": \"BPE\", "
                           "\"merges\": [ \"a b\", [\"]\", \"}\"] ] , \"x\": [1,{}], \"vocab\" "
                           ":{\"\\\"}\": 0, \"]\": {}}, \"n\": -1.5e3}, \"b\": null}"),
              fixture.error);
    const json_t *model = json_object_get(fixture.file.root, "model");
    assert_int_equal(json_array_size(json_object_get(fixture.file.root, "vocab")), 1);
    assert_int_equal(json_object_size(fixture.file.root), 4);
    assert_int_equal(json_object_size(model), 5);
    assert_true(json_is_object(json_object_get(model, "vocab")));
    assert_int_equal(json_object_size(json_object_get(model, "vocab")), 0);
    assert_true(json_is_array(json_object_get(model, "merges")));
    check_text(&fixture, "merges", "[ \"a b\", [\"]\", \"}\"] ]");
    check_text(&fixture, "vocab", "{\"\\\"}\": 0, \"]\": {}}");
    check_text(&fixture, "x", "[1,{}]"); /* in the tree */
    check_text(&fixture, "y", "");
    /* A copy of the object stands for the same file. */
    json_t *copy = json_copy((json_t *)model);
    struct json_text text;
    assert_ok(json_text_of(&fixture.file, copy, "merges", &text, &fixture.error), fixture.error);
    assert_int_equal(text.size, strlen("[ \"a b\", [\"]\", \"}\"] ]"));
    json_text_free(&text);
    json_decref(copy);
    fixture_close(&fixture);
}

static void the_last_member_of_a_name_counts(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"model\": {\"vocab\": [2], \"vocab\": [1]}}",
        "{\"model\": {\"vocab\": \"no\", \"vocab\": [1]}}",
        "{\"model\": {\"vocab\": [2]}, \"model\": {\"vocab\": [1]}}",
        "{\"model\": 7, \"mod\\u0065l\": {\"\\u0076ocab\": [1]}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct fixture fixture;
        assert_ok(fixture_open(&fixture, texts[i]), fixture.error);
        check_text(&fixture, "vocab", "[1]");
        fixture_close(&fixture);
    }
    struct fixture fixture;
    assert_ok(fixture_open(&fixture, "{\"model\": {\"vocab\": [2], \"vocab\": \"x\"}}"),
              fixture.error);
    check_text(&fixture, "vocab", "\"x\"");
    fixture_close(&fixture);
}

/* What stands elsewhere is not left out, and what is wrong is said. */
static void odd_files_are_read_whole(void **state)
{
    (void)state;
    static const char *const whole[] = {
        "{\"model\": {\"vocab\": \"text\"}}",
        "{\"model\": {\"inside\": {\"vocab\": [1]}}}",
        "[{\"model\": {\"vocab\": [1]}}]",
        "{\"model\": {\"vocab\": [2], \"vocab\": 1}}",
        "{\"model\": {\"vocab\": [2]}, \"model\": {}}",
        "{\"other\": 1}",
        "{}",
        "[1, 2]",
        "{\"model\": []}",
    };
    static const char *const broken[] = {
        "",
        "{",
        "{\"model\"",
        "{\"model\":",
        "{\"model\": {",
        "{\"model\": {\"vocab\"",
        "{\"model\": {\"vocab\": [",
        "{\"model\": {\"vocab\": [\"a",
        "{\"model\": {\"vocab\": []",
        "{\"model\": {\"vocab\": []}",
        "{\"model\": {\"vocab\": [],}}",
        "{\"model\": {\"vocab\": []}} x",
        "{\"model\": {\"vocab\": [] []}}",
        "{\"model\": {\"vocab\": ]}}",
        "{\"model\": {\"vocab\": }}",
    };
    struct fixture fixture;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        assert_ok(fixture_open(&fixture, whole[i]), fixture.error);
        json_t *expected = json_loads(whole[i], 0, NULL);
        assert_true(json_equal(fixture.file.root, expected));
        json_decref(expected);
        fixture_close(&fixture);
    }
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        assert_fails(fixture_open(&fixture, broken[i]), SEMBED_MALFORMED, fixture.error,
                     "some.json: not JSON");
        fixture_close(&fixture);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    char *folder = folder_create();
    folder_write_text(folder, "some.json", "{\"model\": {\"vocab\": [1], \"a\": {\"b\": 1}}}");
    char path[512];
    snprintf(path, sizeof path, "%s/some.json", folder);
    sembed_status status = SEMBED_NO_MEMORY;
    for (size_t nth = 1; status == SEMBED_NO_MEMORY; nth++) {
        struct json_file file = {0};
        struct json_text text = {0};
        sembed_error error = {0};
        memory_fail_from(nth);
        status = json_file_open_partly(path, "model", inner, 2, NULL, &file, &error);
        if (status == SEMBED_OK)
            status = json_text_of(&file, json_object_get(file.root, "model"), "a", &text, &error);
        memory_fail_from(0);
        assert_true(nth < 100);
        json_text_free(&text);
        json_file_close(&file);
    }
    assert_int_equal(status, SEMBED_OK);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_read_as_jansson_reads_them),
        cmocka_unit_test(every_byte_is_seen_wherever_it_stands),
        cmocka_unit_test(numbers_are_rounded_to_the_nearest),
        cmocka_unit_test(numbers_are_misread_as_serde_misreads_them),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(what_is_left_out_is_passed_over_in_steps),
        cmocka_unit_test(large_values_are_not_in_the_tree),
        cmocka_unit_test(the_last_member_of_a_name_counts),
        cmocka_unit_test(odd_files_are_read_whole),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("json_reader", tests, NULL, NULL);
}
