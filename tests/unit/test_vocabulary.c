/* core/text/vocabulary: tokens to ids and back. */
#include "core/base/memory.h"
#include "core/text/vocabulary.h"
#include "tests/unit/unit.h"

#include <stdio.h>

static struct vocabulary *create(void)
{
    sembed_error error = {0};
    struct vocabulary *vocabulary = NULL;
    assert_ok(vocabulary_create(0, 0, &vocabulary, &error), error);
    return vocabulary;
}

static void add(struct vocabulary *vocabulary, const char *token, size_t length, uint32_t id)
{
    sembed_error error = {0};
    assert_ok(vocabulary_add(vocabulary, token, length, id, &error), error);
}

static void check(const struct vocabulary *vocabulary, const char *token, size_t length,
                  uint32_t id)
{
    size_t found_length = 99;
    assert_int_equal(vocabulary_find(vocabulary, token, length), id);
    const char *found = vocabulary_token(vocabulary, id, &found_length);
    assert_non_null(found);
    assert_int_equal(found_length, length);
    assert_memory_equal(found, token, length);
}

static void many_tokens_are_found_both_ways(void **state)
{
    (void)state;
    struct vocabulary *vocabulary = create();
    char token[32];
    for (uint32_t i = 0; i < 20000; i++)
        add(vocabulary, token, (size_t)snprintf(token, sizeof token, "token %u", i), 3 * i + 1);
    for (uint32_t i = 0; i < 20000; i++)
        check(vocabulary, token, (size_t)snprintf(token, sizeof token, "token %u", i), 3 * i + 1);
    size_t length;
    assert_int_equal(vocabulary_count(vocabulary), 20000);
    assert_int_equal(vocabulary_longest(vocabulary), strlen("token 19999"));
    assert_int_equal(vocabulary_id_limit(vocabulary), 3 * 19999 + 2);
    assert_null(vocabulary_token(vocabulary, 3, &length));
    assert_null(vocabulary_token(vocabulary, 3 * 19999 + 2, &length));
    assert_int_equal(vocabulary_find(vocabulary, "token 20000", 11), VOCABULARY_NONE);
    vocabulary_destroy(vocabulary);
}

static void tokens_are_bytes(void **state)
{
    (void)state;
    struct vocabulary *vocabulary = create();
    add(vocabulary, "a\0b", 3, 0);
    add(vocabulary, "a\0c", 3, 1);
    add(vocabulary, "a", 1, 2);
    add(vocabulary, "", 0, 3);
    check(vocabulary, "a\0b", 3, 0);
    check(vocabulary, "a\0c", 3, 1);
    check(vocabulary, "a", 1, 2);
    check(vocabulary, "", 0, 3);
    assert_int_equal(vocabulary_find(vocabulary, "a\0", 2), VOCABULARY_NONE);
    vocabulary_destroy(vocabulary);
}

/* As in a vocab.txt that has a line twice: the later line is the token's id. */
static void the_last_id_counts(void **state)
{
    (void)state;
    struct vocabulary *vocabulary = create();
    add(vocabulary, "twice", 5, 4);
    add(vocabulary, "other", 5, 5);
    add(vocabulary, "twice", 5, 6);
    assert_int_equal(vocabulary_find(vocabulary, "twice", 5), 6);
    assert_int_equal(vocabulary_count(vocabulary), 2);
    assert_int_equal(vocabulary_id_limit(vocabulary), 7);
    vocabulary_destroy(vocabulary);
}

static void an_id_that_is_too_large_is_refused(void **state)
{
    (void)state;
    sembed_error error = {0};
    struct vocabulary *vocabulary = create();
    assert_fails(vocabulary_add(vocabulary, "x", 1, 1u << 31, &error), SEMBED_LIMIT, error,
                 "2147483648");
    assert_int_equal(vocabulary_find(vocabulary, "x", 1), VOCABULARY_NONE);
    vocabulary_destroy(vocabulary);
}

static void prefixes_are_hashed_in_one_pass(void **state)
{
    (void)state;
    struct vocabulary *vocabulary = create();
    const char *word = "unaffable";
    add(vocabulary, word, 2, 7);
    add(vocabulary, word, 9, 8);
    uint32_t hash = VOCABULARY_HASH_SEED;
    for (size_t length = 1; length <= 9; length++) {
        hash = vocabulary_hash_byte(hash, (unsigned char)word[length - 1]);
        uint32_t expected = length == 2 ? 7 : length == 9 ? 8 : VOCABULARY_NONE;
        assert_int_equal(
            vocabulary_find_hashed(vocabulary, vocabulary_hash_finish(hash), word, length),
            expected);
    }
    vocabulary_destroy(vocabulary);
}

static void no_memory_is_said_and_nothing_lost(void **state)
{
    (void)state;
    struct vocabulary *vocabulary = create();
    sembed_error error = {0};
    char token[32];
    uint32_t added = 0;
    for (size_t failing = 1; added < 3000; added++) {
        size_t length = (size_t)snprintf(token, sizeof token, "%u", added);
        memory_fail_from(failing);
        sembed_status status = vocabulary_add(vocabulary, token, length, added, &error);
        memory_fail_from(0);
        if (status != SEMBED_OK) {
            assert_fails(status, SEMBED_NO_MEMORY, error, "vocabulary");
            add(vocabulary, token, length, added);
        }
        failing = failing % 3 + 1;
    }
    for (uint32_t i = 0; i < added; i++)
        check(vocabulary, token, (size_t)snprintf(token, sizeof token, "%u", i), i);
    vocabulary_destroy(vocabulary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_tokens_are_found_both_ways),
        cmocka_unit_test(tokens_are_bytes),
        cmocka_unit_test(the_last_id_counts),
        cmocka_unit_test(an_id_that_is_too_large_is_refused),
        cmocka_unit_test(prefixes_are_hashed_in_one_pass),
        cmocka_unit_test(no_memory_is_said_and_nothing_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
