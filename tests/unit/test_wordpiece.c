/* core/text/wordpiece: pieces of words as the tokenizers library 0.23.3 cuts them. */
#include "core/base/memory.h"
#include "core/text/wordpiece.h"
#include "tests/unit/pieces.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

struct fixture {
    struct json_file file;
    struct vocabulary *vocabulary;
    struct wordpiece *model;
    struct wordpiece_scratch scratch;
    struct pieces pieces;
    sembed_error error;
};

static struct fixture open_model(const char *json)
{
    struct fixture fixture = {0};
    assert_ok(json_memory_open("model.json", json, strlen(json), &fixture.file, &fixture.error),
              fixture.error);
    assert_ok(vocabulary_create(0, 0, &fixture.vocabulary, &fixture.error), fixture.error);
    assert_ok(wordpiece_create(&fixture.file, fixture.file.root, fixture.vocabulary, NULL,
                               &fixture.model, &fixture.error),
              fixture.error);
    return fixture;
}

static void close_model(struct fixture *fixture)
{
    wordpiece_destroy(fixture->model);
    wordpiece_scratch_free(&fixture->scratch);
    vocabulary_destroy(fixture->vocabulary);
    json_file_close(&fixture->file);
    memory_free(fixture->pieces.items);
}

static const char *split(struct fixture *fixture, const char *word)
{
    fixture->pieces.count = 0;
    assert_ok(wordpiece_split(fixture->model, &fixture->scratch, word, strlen(word), NULL,
                              &fixture->pieces, &fixture->error),
              fixture->error);
    return pieces_text(&fixture->pieces);
}

static void check(const char *json, const struct word_case *cases, size_t count)
{
    struct fixture fixture = open_model(json);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(split(&fixture, cases[i].word), cases[i].pieces);
    close_model(&fixture);
}

#define CHECK(json, ...)                                                                           \
    do {                                                                                           \
        static const struct word_case cases[] = {__VA_ARGS__};                                     \
        check(json, cases, sizeof cases / sizeof *cases);                                          \
    } while (0)

static void the_longest_piece_is_taken_first(void **state)
{
    (void)state;
    CHECK("{\"vocab\": {\"[UNK]\": 0, \"un\": 1, \"##aff\": 2, \"##able\": 3, \"una\": 4, "
          "\"##ff\": 5,"
          "\"##a\": 6, \"##b\": 7, \"##l\": 8, \"##e\": 9}}",
          {"unaffable", "4:0:3 5:3:5 3:5:9"}, {"un", "1:0:2"}, {"unaffablez", "0:0:10"},
          {"aff", "0:0:3"}, /* known only inside a word */
          {"", ""});
}

/* A word that begins with the prefix is looked up as it is. */
static void the_prefix_is_text_at_the_front(void **state)
{
    (void)state;
    CHECK("{\"vocab\": {\"[UNK]\": 0, \"##a\": 1, \"a\": 2, \"#\": 3, \"###\": 4}}",
          {"##a", "1:0:3"}, {"a#", "2:0:1 4:1:2"}, {"aa", "2:0:1 1:1:2"});
}

static void the_prefix_may_be_another_or_none(void **state)
{
    (void)state;
    CHECK("{\"continuing_subword_prefix\": \"@\", \"vocab\": {\"[UNK]\": 0, \"a\": 1, \"@a\": 2,"
          "\"##a\": 3}}",
          {"aaa", "1:0:1 2:1:2 2:2:3"});
    CHECK("{\"continuing_subword_prefix\": \"\", \"vocab\": {\"[UNK]\": 0, \"a\": 1, \"ab\": 2}}",
          {"aaba", "1:0:1 2:1:3 1:3:4"});
}

/* Two bytes each: what counts are characters. */
static void a_word_of_too_many_characters_is_unknown(void **state)
{
    (void)state;
    CHECK("{\"max_input_chars_per_word\": 3, \"unk_token\": \"?\", \"vocab\": {\"?\": 7, "
          "\"\xC3\xA9\": 1,"
          "\"##\xC3\xA9\": 2}}",
          {"\xC3\xA9\xC3\xA9\xC3\xA9", "1:0:2 2:2:4 2:4:6"},
          {"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", "7:0:8"});
}

/* A vocabulary of bytes would fit inside a character: pieces end where characters do. */
static void pieces_end_with_characters(void **state)
{
    (void)state;
    CHECK("{\"vocab\": {\"[UNK]\": 0, \"\xC3\xA9\": 1, \"##\xC3\xA8\": 2, \"a\xC3\xA9\": 3}}",
          {"a\xC3\xA9\xC3\xA8", "3:0:3 2:3:5"}, {"a\xC3\xA8", "0:0:3"});
}

static void a_long_word_of_short_pieces_takes_no_quadratic_time(void **state)
{
    (void)state;
    struct fixture fixture =
        open_model("{\"max_input_chars_per_word\": 10000000, \"vocab\": {\"[UNK]\": 0, \"a\": 1,"
                   "\"##a\": 2}}");
    const size_t length = 1 << 20;
    char *word = malloc(length);
    memset(word, 'a', length);
    assert_ok(wordpiece_split(fixture.model, &fixture.scratch, word, length, NULL, &fixture.pieces,
                              &fixture.error),
              fixture.error);
    assert_int_equal(fixture.pieces.count, length);
    free(word);
    close_model(&fixture);
}

static void a_vocabulary_that_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"{}", "'vocab'"},
        {"{\"vocab\": []}", "'vocab'"},
        {"{\"vocab\": {\"a\": -1}}", "id for 'a'"},
        {"{\"vocab\": {\"a\": \"b\"}}", "id for 'a'"},
        {"{\"vocab\": {}, \"unk_token\": 5}", "'unk_token'"},
        {"{\"vocab\": {}, \"max_input_chars_per_word\": -5}", "'max_input_chars_per_word'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture fixture = {0};
        assert_ok(json_memory_open("model.json", cases[i].json, strlen(cases[i].json),
                                   &fixture.file, &fixture.error),
                  fixture.error);
        assert_ok(vocabulary_create(0, 0, &fixture.vocabulary, &fixture.error), fixture.error);
        assert_fails(wordpiece_create(&fixture.file, fixture.file.root, fixture.vocabulary, NULL,
                                      &fixture.model, &fixture.error),
                     SEMBED_MALFORMED, fixture.error, cases[i].message);
        close_model(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_piece_is_taken_first),
        cmocka_unit_test(the_prefix_is_text_at_the_front),
        cmocka_unit_test(the_prefix_may_be_another_or_none),
        cmocka_unit_test(a_word_of_too_many_characters_is_unknown),
        cmocka_unit_test(pieces_end_with_characters),
        cmocka_unit_test(a_long_word_of_short_pieces_takes_no_quadratic_time),
        cmocka_unit_test(a_vocabulary_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
