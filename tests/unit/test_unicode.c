/* core/text/unicode: UTF-8 as Rust's String::from_utf8_lossy reads it, classes and normal forms as
 * the tokenizers library 0.23.3 has them. */
#include "core/text/unicode.h"
#include "tests/unit/unit.h"

#include <string.h>

static void every_character_comes_back(void **state)
{
    (void)state;
    for (uint32_t character = 0; character < 0x110000; character++) {
        if (character >= 0xD800 && character < 0xE000)
            continue;
        char text[UNICODE_LONGEST];
        size_t size = unicode_encode(character, text), read = 0;
        assert_int_equal(unicode_valid_prefix(text, size), size);
        assert_int_equal(unicode_decode(text, &read), character);
        assert_int_equal(read, size);
        assert_int_equal(unicode_decode_last(text, size, &read), character);
        assert_int_equal(read, size);
    }
}

struct fault {
    const char *text;
    size_t length, valid, fault;
};

/* Unicode 15, table 3-8 and its like: one U+FFFD for each maximal subpart. */
static const struct fault faults[] = {
    {"\x80", 1, 0, 1},             /* a continuation alone */
    {"\xC0\xAF", 2, 0, 1},         /* longer than needed */
    {"\xC1\xBF", 2, 0, 1},         /* the same */
    {"\xE0\x9F\xBF", 3, 0, 1},     /* the same */
    {"\xED\xA0\x80", 3, 0, 1},     /* a surrogate */
    {"\xF0\x8F\xBF\xBF", 4, 0, 1}, /* longer than needed */
    {"\xF4\x90\x80\x80", 4, 0, 1}, /* over U+10FFFF */
    {"\xF5\x80\x80\x80", 4, 0, 1}, /* no such first byte */
    {"\xE2\x82", 2, 0, 2},         /* cut short at the end */
    {"\xF0\x9F\x98", 3, 0, 3},     /* the same */
    {"\xF0\x9F\x98z", 4, 0, 3},    /* cut short by another character */
    {"\xE1\x80\xE2\xF0\x91", 5, 0, 2},
    {"\xE2\xF0\x91\x92", 4, 0, 1},
    {"\xF1\xBF\x41", 3, 0, 2},
    {"abcdefgh\xFFij", 11, 8, 1}, /* behind eight bytes of ASCII */
    {"12345678\xC3\xA9\xC3", 11, 10, 1},
    {"a\0b\xFE", 4, 3, 1}, /* a zero byte is a character */
};

static void faults_are_as_long_as_rust_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const struct fault *fault = &faults[i];
        size_t valid = unicode_valid_prefix(fault->text, fault->length);
        assert_int_equal(valid, fault->valid);
        assert_int_equal(unicode_fault_length(fault->text + valid, fault->length - valid),
                         fault->fault);
    }
}

static void text_without_fault_is_valid_to_its_end(void **state)
{
    (void)state;
    const char *text =
        "plain text, r\xC3\xA9sum\xC3\xA9, \xE4\xBD\xA0\xE5\xA5\xBD, \xF0\x9F\x98\x80";
    assert_int_equal(unicode_valid_prefix(text, strlen(text)), strlen(text));
    assert_int_equal(unicode_valid_prefix("", 0), 0);
    assert_int_equal(unicode_count(text, strlen(text)), 25);
}

/* Each crate of the library has its own version of Unicode: these tell them apart. */
static void classes_are_the_library_s(void **state)
{
    (void)state;
    assert_true(unicode_is_punctuation('$'));
    assert_true(unicode_is_punctuation(0xBF));
    assert_false(unicode_is_punctuation(0x20AC));
    assert_true(unicode_is_punctuation(0x166D));  /* no longer P* since Unicode 12 */
    assert_false(unicode_is_punctuation(0x2E43)); /* P* since Unicode 9 */
    assert_true(unicode_is_nonspacing_mark(0x301));
    assert_false(unicode_is_nonspacing_mark(0x1E944)); /* Mn since Unicode 9 */
    assert_true(unicode_is_combining_mark(0x1E944));
    assert_false(unicode_is_combining_mark(0x11F00)); /* since Unicode 15 */
    assert_true(unicode_is_other(0x200B));
    assert_true(unicode_is_other(UNICODE_REPLACEMENT));
    assert_false(unicode_is_other('\n'));
    assert_false(unicode_is_other(0x8E2));  /* Cf since Unicode 9 */
    assert_true(unicode_is_letter(0x1C89)); /* since Unicode 16 */
    assert_true(unicode_is_word(0x2EBF0));  /* since Unicode 15.1 */
    assert_false(unicode_is_word('-'));
    assert_true(unicode_is_number(0xBD));
    assert_false(unicode_is_number(0x11DE0)); /* since Unicode 17 */
    assert_true(unicode_is_numeric(0x11DE0));
    assert_true(unicode_is_whitespace(0x3000));
    assert_true(unicode_is_whitespace(0x85));
    assert_false(unicode_is_whitespace(0x200B));
    assert_false(unicode_is_word(0x10FFFF));
}

static void check_lowercase(uint32_t character, uint32_t first, uint32_t second)
{
    uint32_t lower[2] = {0, 0};
    assert_int_equal(unicode_lowercase(character, lower), second ? 2 : 1);
    assert_int_equal(lower[0], first);
    assert_int_equal(lower[1], second);
}

static void lowercase_is_rust_s(void **state)
{
    (void)state;
    check_lowercase('A', 'a', 0);
    check_lowercase(0xC9, 0xE9, 0);
    check_lowercase(0x130, 'i', 0x307);
    check_lowercase(0x3A3, 0x3C3, 0); /* never the final sigma */
    check_lowercase(0x1E9E, 0xDF, 0);
    check_lowercase(0xA7CB, 0x264, 0); /* since Unicode 16 */
    check_lowercase(0xA7CD, 0xA7CD, 0);
    check_lowercase(0xA7CE, 0xA7CF, 0);   /* since Unicode 17 */
    check_lowercase(0x10D51, 0x10D71, 0); /* since Unicode 16 */
    check_lowercase(0x4E00, 0x4E00, 0);
}

static void check_decomposition(uint32_t character, bool compatibility, const uint32_t *expected,
                                size_t count)
{
    uint32_t parts[UNICODE_LONGEST_DECOMPOSITION];
    assert_int_equal(unicode_decompose(character, compatibility, parts), count);
    assert_memory_equal(parts, expected, count * sizeof *expected);
}

static void normal_forms_are_unicode_9(void **state)
{
    (void)state;
    check_decomposition('a', true, (uint32_t[]){'a'}, 1);
    check_decomposition(0x1EA5, false, (uint32_t[]){'a', 0x302, 0x301}, 3);
    check_decomposition(0xAC01, false, (uint32_t[]){0x1100, 0x1161, 0x11A8}, 3);
    check_decomposition(0xFB01, false, (uint32_t[]){0xFB01}, 1);
    check_decomposition(0xFB01, true, (uint32_t[]){'f', 'i'}, 2);
    check_decomposition(0x32FF, true, (uint32_t[]){0x32FF}, 1);    /* since Unicode 12.1 */
    check_decomposition(0x11938, false, (uint32_t[]){0x11938}, 1); /* since Unicode 13 */
    assert_int_equal(unicode_combining_class(0x301), 230);
    assert_int_equal(unicode_combining_class('a'), 0);
    assert_int_equal(unicode_combining_class(0x1CF37), 0); /* since Unicode 14 */
    assert_int_equal(unicode_compose('e', 0x301), 0xE9);
    assert_int_equal(unicode_compose('<', 0x338), 0x226E);
    assert_int_equal(unicode_compose(0x1100, 0x1161), 0xAC00);
    assert_int_equal(unicode_compose(0xAC00, 0x11A8), 0xAC01);
    assert_int_equal(unicode_compose(0xAC01, 0x11A8), 0);
    assert_int_equal(unicode_compose('x', 0x301), 0);
    assert_int_equal(unicode_compose(0x915, 0x93C), 0);     /* excluded from composition */
    assert_int_equal(unicode_compose(0x11935, 0x11930), 0); /* since Unicode 13 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_comes_back),
        cmocka_unit_test(faults_are_as_long_as_rust_says),
        cmocka_unit_test(text_without_fault_is_valid_to_its_end),
        cmocka_unit_test(classes_are_the_library_s),
        cmocka_unit_test(lowercase_is_rust_s),
        cmocka_unit_test(normal_forms_are_unicode_9),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
