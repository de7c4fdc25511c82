/* core/base/json_array: an array's elements one by one, or what is wrong with it. */
#include "core/base/json_array.h"
#include "core/base/memory.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

/* Takes strings, whose bytes it adds up as a list "a|b|". */
struct list {
    struct json_string string;
    char text[256];
    size_t length;
};

static bool take_string(struct json_reader *reader, void *state)
{
    struct list *list = state;
    if (!json_reader_string(reader, &list->string))
        return false;
    size_t left = sizeof list->text - list->length;
    list->length += (size_t)snprintf(list->text + list->length, left, "%.*s|",
                                     (int)list->string.length, list->string.data);
    return true;
}

static sembed_status read_list(const char *text, struct list *list, struct json_array_fault *fault)
{
    *list = (struct list){0};
    sembed_status status = json_array_read(text, strlen(text), NULL, take_string, list, fault);
    memory_free(list->string.buffer);
    return status;
}

static void elements_come_in_order(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[]", ""},
        {" [ ] ", ""},
        {"[\"a\"]", "a|"},
        {"\n[ \"a\" ,\"b\"\t, \"\" ]\r", "a|b||"},
        {"[\"\\u00e9\\n\", \"plain\", \"\\\\\"]", "\xC3\xA9\n|plain|\\|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct list list;
        struct json_array_fault fault;
        assert_int_equal(read_list(cases[i][0], &list, &fault), SEMBED_OK);
        assert_string_equal(list.text, cases[i][1]);
    }
}

static void what_stands_instead_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *found;
        size_t index, offset;
    } cases[] = {
        {"{\"a\": [1]}", "an object", JSON_NO_ELEMENT, 0},
        {" \"a\"", "a string", JSON_NO_ELEMENT, 1},
        {"null", "null", JSON_NO_ELEMENT, 0},
        {"12", "an integer", JSON_NO_ELEMENT, 0},
        {"[null]", "null", 0, 1},
        {"[\"a\", 1]", "an integer", 1, 6},
        {"[\"a\",\n -1.5e3 ]", "a fraction", 1, 7},
        {"[\"a\",\"b\",true]", "a boolean", 2, 9},
        {"[false", "a boolean", 0, 1},
        {"[[\"a\"]]", "an array", 0, 1},
        {"[{}]", "an object", 0, 1},
        {"[9223372036854775808]", "a fraction", 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct list list;
        struct json_array_fault fault;
        assert_int_equal(read_list(cases[i].text, &list, &fault), SEMBED_MALFORMED);
        assert_non_null(fault.found);
        assert_string_equal(fault.found, cases[i].found);
        assert_int_equal(fault.index, cases[i].index);
        assert_int_equal(fault.offset, cases[i].offset);
    }
}

static void what_is_not_json_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
        size_t offset;
    } cases[] = {
        {"", "expected a value, found the end of the text", 0},
        {"river", "expected a value, found 'river'", 0},
        {"[", "expected a value, found the end of the text", 1},
        {"[\"a\",", "expected a value, found the end of the text", 5},
        {"[\"a\" \"b\"]", "expected ',' or ']', found '\"b\"]'", 5},
        {"[\"a\"", "expected ',' or ']', found the end of the text", 4},
        {"[\"a\"] x", "expected the end of the text, found 'x'", 6},
        {"[\"a]", "expected a string, found '\"a]'", 1},
        {"[\"\\x\"]", "expected a string, found '\"\\x\"]'", 1},
        {"[1e999]", "expected a value, found '1e999]'", 1},
        {"[tru]", "expected a value, found 'tru]'", 1},
        {"[{\"a\"", "expected a value with an end, found '{\"a\"'", 1},
        {"{\"a\": ", "expected a value with an end, found '{\"a\": '", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct list list;
        struct json_array_fault fault;
        assert_int_equal(read_list(cases[i].text, &list, &fault), SEMBED_MALFORMED);
        assert_null(fault.found);
        assert_string_equal(fault.expected, cases[i].expected);
        assert_int_equal(fault.offset, cases[i].offset);
    }
}

/* front, so many times the piece, back */
static char *repeat(const char *front, const char *piece, size_t count, const char *back,
                    size_t *size)
{
    size_t before = strlen(front), length = strlen(piece), behind = strlen(back);
    *size = before + count * length + behind;
    char *text = malloc(*size);
    assert_non_null(text);
    memcpy(text, front, before);
    for (size_t i = 0; i < count; i++)
        memcpy(text + before + i * length, piece, length);
    memcpy(text + *size - behind, back, behind);
    return text;
}

static bool take_word(struct json_reader *reader, void *state)
{
    ++*(size_t *)state;
    return json_reader_word(reader, "null");
}

static void a_long_array_asks_poll(void **state)
{
    (void)state;
    size_t size, taken = 0;
    struct json_array_fault fault;
    char *text = repeat("[null", ",null", 99999, "]", &size);
    struct questions questions = {0};
    sembed_poll poll = questions_poll(&questions);
    assert_int_equal(json_array_read(text, size, &poll, take_word, &taken, &fault), SEMBED_OK);
    assert_int_equal(taken, 100000);
    assert_in_range(questions.asked, size / 0x10000, size / 0x10000 + 2);
    size_t all = questions.asked;
    for (size_t i = 1; i <= all; i++) {
        questions = (struct questions){.stop_at = i};
        assert_int_equal(json_array_read(text, size, &poll, take_word, &taken, &fault),
                         SEMBED_CANCELED);
        assert_int_equal(questions.asked, i);
    }
    free(text);
}

static bool take_long_string(struct json_reader *reader, void *state)
{
    return json_reader_string(reader, state);
}

/* poll is asked on each of so many ways through the text. */
static void check_long_element(const char *text, size_t size, size_t ways, json_take_element *take,
                               sembed_status expected)
{
    struct json_array_fault fault;
    struct json_string string = {0};
    struct questions questions = {0};
    sembed_poll poll = questions_poll(&questions);
    assert_int_equal(json_array_read(text, size, &poll, take, &string, &fault), expected);
    assert_true(questions.asked >= ways * (size / 0x10000));
    questions = (struct questions){.stop_at = questions.asked};
    assert_int_equal(json_array_read(text, size, &poll, take, &string, &fault), SEMBED_CANCELED);
    memory_free(string.buffer);
}

static bool take_nothing(struct json_reader *reader, void *state)
{
    (void)reader, (void)state;
    return false;
}

/* One that is not wanted is read to its end too, to be named. */
static void a_long_element_asks_poll(void **state)
{
    (void)state;
    static const char *const pieces[] = {"river", "r\\u00e9", "\xE4\xB8\x8D"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t size, ways = strchr(pieces[i], '\\') ? 2 : 1; /* to its end; then the escapes */
        char *text = repeat("[\"", pieces[i], 100000, "\"]", &size);
        check_long_element(text, size, ways, take_long_string, SEMBED_OK);
        check_long_element(text, size, ways, take_nothing, SEMBED_MALFORMED);
        free(text);
        text = repeat("[{\"", pieces[i], 100000, "\": 1}]", &size);
        check_long_element(text, size, 1, take_nothing, SEMBED_MALFORMED);
        free(text);
    }
}

static void a_lack_of_memory_is_told(void **state)
{
    (void)state;
    struct list list;
    struct json_array_fault fault;
    memory_fail_from(1);
    sembed_status wanted = read_list("[\"\\n\"]", &list, &fault);
    assert_int_equal(wanted, SEMBED_NO_MEMORY);
    size_t taken = 0;
    assert_int_equal(json_array_read("[\"\\n\"]", 6, NULL, take_word, &taken, &fault),
                     SEMBED_NO_MEMORY);
    memory_fail_from(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_in_order),   cmocka_unit_test(what_stands_instead_is_named),
        cmocka_unit_test(what_is_not_json_is_said), cmocka_unit_test(a_long_array_asks_poll),
        cmocka_unit_test(a_long_element_asks_poll), cmocka_unit_test(a_lack_of_memory_is_told),
    };
    return cmocka_run_group_tests_name("json_array", tests, NULL, NULL);
}
