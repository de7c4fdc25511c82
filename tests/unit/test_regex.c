/*
 * core/text/regex and regex_syntax: patterns mean what they mean to the tokenizers library 0.23.3, whose
 * matches these are. All characters are tried by tests/parity/component_parity.py.
 */
#include "core/base/memory.h"
#include "core/text/regex.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* All matches of a pattern, as "text|text|…", in a buffer that the next call overwrites. */
static const char *matches(const char *pattern, const char *text)
{
    static char found_text[512];
    struct regex *regex = NULL;
    struct regex_scratch scratch = {0};
    struct regex_search search = {.text = text, .length = strlen(text)};
    sembed_error error = {0};
    size_t length = 0, start, stop;
    found_text[0] = '\0';
    assert_ok(regex_create("file", pattern, strlen(pattern), &regex, &error), error);
    for (;;) {
        bool found;
        assert_ok(regex_next(regex, &scratch, &search, &found, &start, &stop, &error), error);
        if (!found)
            break;
        length += (size_t)snprintf(found_text + length, sizeof found_text - length, "%.*s|",
                                   (int)(stop - start), text + start);
    }
    regex_destroy(regex);
    regex_scratch_free(&scratch);
    return found_text;
}

static void patterns_mean_what_the_library_means(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text, *matches;
    } cases[] = {
        {"\\w+", "नमस्ते a_b", "नमस्ते|a_b|"}, /* marks are in words */
        {"\\b\\w", "é̄x नमस्ते", "é|न|"},
        {"\\p{L}+", "a\xE1\xB2\x89z\xF0\xB1\x8D\x90-",
         "a\xE1\xB2\x89z\xF0\xB1\x8D\x90|"}, /* since 15 */
        {"[^\\p{L}]+", "a\xE1\xB2\x89-!", "-!|"},
        {"\\P{L}", "\xE1\xB2\x89-", "-|"},
        {"\\p{^L}", "\xE1\xB2\x89-", "-|"},
        {"\\p{Han}+", "漢字、\xF0\xB1\x8D\x90",
         "漢字|\xF0\xB1\x8D\x90|"},                    /* no shared punctuation */
        {"\\s", "a\xE1\xA0\x8E\xC2\xA0", "\xC2\xA0|"}, /* not U+180E */
        {"[\\s,]+", "a , b", " , |"},
        {"\\h+", "xAf09g", "Af09|"},
        {"[[:punct:]]+", "a+€!b", "+€!|"},
        {"\\u00e9", "aé", "é|"},
        {"a(?m:.)", "a\nab", "a\n|ab|"},
        {"\\d{1,3}+", "12345", "12345|"},
        {"[]a]+", "b]a", "]a|"},
        {"[a\\]]+", "b]a", "]a|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(matches(cases[i].pattern, cases[i].text), cases[i].matches);
}

static void what_pcre2_would_misread_is_refused(void **state)
{
    (void)state;
    static const char *const patterns[] = {"[a[bc]]", "[a-z&&[^aeiou]]", "[a-z&&x]"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct regex *regex = NULL;
        sembed_error error = {0};
        assert_fails(regex_create("file", patterns[i], strlen(patterns[i]), &regex, &error),
                     SEMBED_UNSUPPORTED, error, "a set within a set");
        assert_null(regex);
    }
    struct regex *regex = NULL;
    sembed_error error = {0};
    assert_fails(regex_create("file", "(a", 2, &regex, &error), SEMBED_UNSUPPORTED, error, "'(a'");
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const char pattern[] = "\\b\\w+(?!\\S)";
    sembed_error error = {0};
    sembed_status status = SEMBED_NO_MEMORY;
    for (size_t nth = 1; status == SEMBED_NO_MEMORY; nth++) {
        struct regex *regex = NULL;
        memory_fail_from(nth);
        status = regex_create("file", pattern, sizeof pattern - 1, &regex, &error);
        memory_fail_from(0);
        regex_destroy(regex);
        assert_true(nth < 1000);
    }
    assert_ok(status, error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_mean_what_the_library_means),
        cmocka_unit_test(what_pcre2_would_misread_is_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
