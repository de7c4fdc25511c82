/* core/text/repair: bytes that are no text, also where they are worked through in pieces. */
#include "core/base/memory.h"
#include "core/text/repair.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

#define PIECE ((size_t)1 << 20) /* as in repair.c */

static sembed_text repair(struct repair *repair, const char *data, size_t length)
{
    sembed_error error = {0};
    sembed_text valid = {0};
    assert_ok(repair_text(repair, (sembed_text){data, length}, true, NULL, &valid, &error), error);
    return valid;
}

static void a_valid_text_is_not_copied(void **state)
{
    (void)state;
    struct repair scratch = {0};
    const char *text = "r\xC3\xA9sum\xC3\xA9";
    sembed_text valid = repair(&scratch, text, 8);
    assert_ptr_equal(valid.data, text);
    assert_int_equal(valid.length, 8);
    assert_null(scratch.bytes);
    assert_ptr_equal(repair(&scratch, text, 0).data, text);
    repair_free(&scratch);
}

static void each_fault_is_one_character(void **state)
{
    (void)state;
    struct repair scratch = {0};
    sembed_text valid = repair(&scratch, "a\xE2\x82\xFF\xC3\xA9\xF0\x9F", 8);
    const char *expected = "a\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD";
    const uint32_t origins[] = {0, 1, 1, 1, 3, 3, 3, 4, 5, 6, 6, 6, 8};
    assert_int_equal(valid.length, strlen(expected));
    assert_memory_equal(valid.data, expected, valid.length);
    assert_memory_equal(scratch.origins, origins, sizeof origins);
    repair_free(&scratch);
}

/* A character, a fault, or both at the place where one piece ends and the next begins. */
static void pieces_end_anywhere(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t faults;
    } cases[] = {
        {"\xF0\x9F\x98\x80", 0}, {"\xC3\xA9", 0},         {"\xF0\x9F\x98", 1}, {"\xFF", 1},
        {"\xC3\xC3\xA9\x80", 2}, {"\xE2\x82\xE2\x82", 2},
    };
    struct repair scratch = {0};
    char *text = malloc(2 * PIECE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t shift = 0; shift < 6; shift++) {
            size_t length = strlen(cases[i].bytes), at = PIECE - shift, faults = 0;
            memset(text, 'x', 2 * PIECE);
            memcpy(text + at, cases[i].bytes, length);
            sembed_text valid = repair(&scratch, text, 2 * PIECE);
            assert_int_equal(valid.data == text, cases[i].faults == 0);
            for (size_t byte = 0; byte + 2 < valid.length; byte++)
                faults += memcmp(valid.data + byte, "\xEF\xBF\xBD", 3) == 0;
            assert_int_equal(faults, cases[i].faults);
            assert_int_equal(valid.data[valid.length - 1], 'x');
        }
    }
    free(text);
    repair_free(&scratch);
}

static void it_stops_when_it_is_told_to(void **state)
{
    (void)state;
    struct repair scratch = {0};
    struct questions questions = {.stop_at = 1};
    const sembed_poll poll = questions_poll(&questions);
    sembed_text valid;
    sembed_error error = {0};
    char *text = malloc(4 * PIECE);
    memset(text, 'x', 4 * PIECE);
    assert_fails(
        repair_text(&scratch, (sembed_text){text, 4 * PIECE}, false, &poll, &valid, &error),
        SEMBED_CANCELED, error, "");
    assert_int_equal(questions.asked, 1);
    questions.asked = 0;
    text[0] = '\xFF'; /* found before poll is asked, then copied */
    assert_fails(
        repair_text(&scratch, (sembed_text){text, 4 * PIECE}, false, &poll, &valid, &error),
        SEMBED_CANCELED, error, "");
    assert_int_equal(questions.asked, 1);
    free(text);
    repair_free(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valid_text_is_not_copied),
        cmocka_unit_test(each_fault_is_one_character),
        cmocka_unit_test(pieces_end_anywhere),
        cmocka_unit_test(it_stops_when_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
