/*
 * Tokenizers that a stranger wrote to hang or to bloat whoever loads them, and texts that a stranger wrote
 * for tokenizers in use: poll is asked all the while, at most 100 ms of processor time apart, and what
 * would grow without bound is an error. Each file is tiny-bert's tokenizer.json with a change. A step that
 * took too long is made again, up to three times (see test_poll.c).
 */
#include "core/base/json.h"
#include "core/text/tokenizer.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"
#include "tests/unit/watch.h"

#include <stdlib.h>
#include <string.h>

/* Processor time between two polls that a test allows; when it has had enough of a text; and how many
 * times as slow, and with texts how many times as short, a program is that is instrumented. */
enum { LONGEST_MS = 100, ENOUGH_MS = 1000, TRIES = 3 };
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || defined SEMBED_COUNTS_LINES ||  \
    !defined __OPTIMIZE__
enum { SLOWER = 30, SHORTER = 16 };
#else
enum { SLOWER = 1, SHORTER = 1 };
#endif

/* Bytes of a piece again and again. */
static sembed_text repeat(const char *piece, size_t piece_length, size_t size)
{
    char *data = malloc(size);
    assert_non_null(data);
    size_t length = 0;
    for (; length + piece_length <= size; length += piece_length)
        memcpy(data + length, piece, piece_length);
    return (sembed_text){data, length};
}

/* A letter so many times, then the end, which may be "". */
static char *long_string(char letter, size_t count, const char *end)
{
    char *string = malloc(count + strlen(end) + 1);
    assert_non_null(string);
    memset(string, letter, count);
    strcpy(string + count, end);
    return string;
}

/* A folder like the fixture's, its tokenizer.json changed and read as it is. */
static char *make_folder(const char *fixture, void (*change)(json_t *tokenizer))
{
    char *folder = folder_copy_fixture(fixture), *text;
    size_t size;
    if (!change)
        return folder;
    text = folder_read(folder, "tokenizer.json", &size);
    json_t *tokenizer = json_loadb(text, size, 0, NULL);
    free(text);
    assert_non_null(tokenizer);
    assert_int_equal(json_object_set_new(tokenizer, "added_tokens", json_array()), 0);
    change(tokenizer);
    text = json_dumps(tokenizer, 0);
    assert_non_null(text);
    folder_write_text(folder, "tokenizer.json", text);
    folder_write_text(folder, "tokenizer_config.json",
                      "{\"tokenizer_class\": \"PreTrainedTokenizerFast\"}");
    folder_write_text(folder, "special_tokens_map.json", "{}");
    free(text);
    json_decref(tokenizer);
    return folder;
}

static double measure(const struct tokenizer *tokenizer, sembed_text text, sembed_status *status,
                      sembed_error *error)
{
    struct tokenizer_scratch *scratch;
    struct encoding encoding = {0};
    struct watch watch = watch_begin(ENOUGH_MS);
    const sembed_poll poll = {watch_look, &watch};
    assert_ok(tokenizer_scratch_create(&scratch, error), *error);
    *status = tokenizer_encode(tokenizer, scratch, text, SIZE_MAX, true, &poll, &encoding, error);
    watch_look(&watch);
    encoding_free(&encoding);
    tokenizer_scratch_destroy(scratch);
    return watch.longest;
}

/* Whether the text is tokenized, or refused as SEMBED_LIMIT, with polls all the while. */
static void judge(const char *fixture, void (*change)(json_t *tokenizer), sembed_text text,
                  sembed_status expected)
{
    char *folder = make_folder(fixture, change);
    struct tokenizer *tokenizer;
    sembed_error error = {0};
    sembed_status status = SEMBED_OK;
    double longest = 1e9;
    assert_ok(tokenizer_open(folder, NULL, &tokenizer, &error), error);
    for (int i = 0; i < TRIES && longest > LONGEST_MS * SLOWER; i++) {
        double found = measure(tokenizer, text, &status, &error);
        longest = found < longest ? found : longest;
    }
    print_message("  %6.1f ms between two polls at most, %s\n", longest,
                  sembed_status_name(status));
    if (status != SEMBED_CANCELED)
        assert_int_equal(status, expected);
    if (!getenv("SEMBED_SLOW_MACHINE") && !is_emulated())
        assert_true(longest <= LONGEST_MS * SLOWER);
    tokenizer_close(tokenizer);
    folder_remove(folder);
    free((char *)text.data);
}

#define MEGABYTES(n)             (((size_t)(n) << 20) / SHORTER)
#define REPEAT(piece, megabytes) repeat(piece, sizeof(piece) - 1, MEGABYTES(megabytes))

/* ------------------------------------------------------------------- texts for models in use */

static void long_words_are_polled(void **state)
{
    (void)state;
    enum { LETTERS = 7000 };
    char word[2 * LETTERS + 1];
    for (size_t i = 0; i < LETTERS; i++)
        memcpy(word + 2 * i, "\xD0\xB0", 2);
    word[2 * LETTERS] = ' ';
    judge("roberta", NULL, repeat(word, sizeof word, MEGABYTES(8)), SEMBED_OK);
}

static void runs_of_marks_are_polled(void **state)
{
    (void)state;
    judge("tiny-bert", NULL, REPEAT("\xCC\x81\xCC\xA3", 12), SEMBED_OK);
}

static void normalize(json_t *tokenizer, json_t *normalizer)
{
    /* The second one looks for a string with a space in it, so the text is not worked through in parts. */
    json_t *sequence =
        json_pack("{s:s, s:[o, {s:s, s:{s:s}, s:s}]}", "type", "Sequence", "normalizers",
                  normalizer, "type", "Replace", "pattern", "String", "q q", "content", "q");
    assert_non_null(sequence);
    json_object_set_new(tokenizer, "normalizer", sequence);
}

static void compose(json_t *tokenizer)
{
    normalize(tokenizer, json_pack("{s:s}", "type", "NFC"));
}

static void composing_is_polled(void **state)
{
    (void)state;
    judge("tiny-bert", compose, REPEAT("\xCC\x81\xCC\xA3", 12), SEMBED_OK);
    judge("tiny-bert", compose, REPEAT("e\xCC\x81\xCC\x80", 16), SEMBED_OK);
}

static void metaspace(json_t *tokenizer)
{
    normalize(tokenizer, json_pack("{s:s}", "type", "NFC"));
    json_object_set_new(tokenizer, "pre_tokenizer",
                        json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement",
                                  "\xE2\x96\x81", "prepend_scheme", "always", "split", 0));
}

static void spaces_are_polled(void **state)
{
    (void)state;
    judge("tiny-bert", metaspace, REPEAT(" ", 8), SEMBED_OK);
}

/* ------------------------------------------------------------------------ hostile vocabularies */

/* Gives the token with id 100 another spelling. */
static void respell(json_t *tokenizer, const char *spelling)
{
    json_t *vocabulary = json_object_get(json_object_get(tokenizer, "model"), "vocab"), *id;
    const char *token;
    void *next;
    json_object_foreach_safe(vocabulary, next, token, id)
    {
        if (json_integer_value(id) == 100)
            json_object_del(vocabulary, token);
    }
    assert_int_equal(json_object_set_new(vocabulary, spelling, json_integer(100)), 0);
}

static void long_pieces(json_t *tokenizer)
{
    char *piece = long_string('a', 20000, "b");
    respell(tokenizer, piece);
    json_t *model = json_object_get(tokenizer, "model");
    json_object_set_new(model, "max_input_chars_per_word", json_integer(1000000000));
    json_object_set_new(json_object_get(model, "vocab"), "a", json_integer(101));
    json_object_set_new(json_object_get(model, "vocab"), "##a", json_integer(102));
    free(piece);
}

static void long_unigrams(json_t *tokenizer)
{
    char *piece = long_string('a', 50000, "");
    json_object_set_new(tokenizer, "model",
                        json_pack("{s:s, s:i, s:[[s, f], [s, f], [s, f]]}", "type", "Unigram",
                                  "unk_id", 0, "vocab", "<unk>", 0.0, "a", -1.0, piece, -5.0));
    json_object_set_new(tokenizer, "normalizer", json_null());
    json_object_set_new(tokenizer, "pre_tokenizer", json_null());
    json_object_set_new(tokenizer, "post_processor", json_null());
    free(piece);
}

static void pieces_of_any_length_are_polled(void **state)
{
    (void)state;
    judge("tiny-bert", long_pieces, REPEAT("a", 1), SEMBED_OK);
    judge("tiny-bert", long_unigrams, REPEAT("a", 1), SEMBED_OK);
}

static void add_token(json_t *tokenizer, const char *content, int rstrip)
{
    respell(tokenizer, content);
    json_array_append_new(json_object_get(tokenizer, "added_tokens"),
                          json_pack("{s:i, s:s, s:b, s:b}", "id", 100, "content", content, "rstrip",
                                    rstrip, "normalized", rstrip));
}

static void long_added_token(json_t *tokenizer)
{
    char *content = long_string('a', 50000, "b");
    add_token(tokenizer, content, 0);
    free(content);
}

static void space_as_token(json_t *tokenizer)
{
    json_object_set_new(tokenizer, "normalizer", json_null());
    add_token(tokenizer, " ", 1);
}

static void added_tokens_are_polled(void **state)
{
    (void)state;
    judge("tiny-bert", long_added_token, REPEAT("a", 1), SEMBED_OK);
    judge("tiny-bert", space_as_token, REPEAT(" ", 1), SEMBED_OK);
}

/* --------------------------------------------------------------------------- hostile patterns */

static void split_by(json_t *tokenizer, const char *kind, const char *pattern)
{
    json_object_set_new(tokenizer, "pre_tokenizer",
                        json_pack("{s:s, s:{s:s}, s:s}", "type", "Split", "pattern", kind, pattern,
                                  "behavior", "Isolated"));
}

static void long_literal(json_t *tokenizer)
{
    char *pattern = long_string('a', 50000, "b");
    split_by(tokenizer, "String", pattern);
    free(pattern);
}

static void recursion(json_t *tokenizer)
{
    split_by(tokenizer, "Regex", "(a(?1)?b?)");
}

static void backtracking(json_t *tokenizer)
{
    split_by(tokenizer, "Regex", "a*a*a*a*a*b");
}

/* Its matches begin before the place where they are looked for. */
static void start_before_the_search(json_t *tokenizer)
{
    split_by(tokenizer, "Regex", "(?(DEFINE)(?<k>\\Ka))(?<=(?&k))");
}

static void patterns_are_given_up(void **state)
{
    (void)state;
    judge("tiny-bert", long_literal, REPEAT("a", 1), SEMBED_OK);
    /* However slow the program: a shorter text is matched before the limit. */
    judge("tiny-bert", recursion, repeat("a", 1, 1 << 20), SEMBED_LIMIT);
    judge("tiny-bert", backtracking, repeat("a", 1, 1 << 20), SEMBED_LIMIT);
    judge("tiny-bert", start_before_the_search, REPEAT("a", 1), SEMBED_OK);
}

/* ------------------------------------------------------------------------------------- growth */

static void long_content(json_t *tokenizer)
{
    char *content = long_string('b', 100000, "");
    normalize(tokenizer, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String",
                                   "a", "content", content));
    free(content);
}

static void doubling(json_t *tokenizer)
{
    json_t *list = json_array();
    for (int i = 0; i < 40; i++)
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern",
                                              "String", "a", "content", "aa"));
    normalize(tokenizer, json_pack("{s:s, s:o}", "type", "Sequence", "normalizers", list));
}

static void texts_that_grow_are_refused(void **state)
{
    (void)state;
    judge("tiny-bert", long_content, repeat("a", 1, 10000), SEMBED_LIMIT);
    judge("tiny-bert", doubling, repeat("a", 1, 10000), SEMBED_LIMIT);
}

/* 20,000 places for a special token that is 200,000 tokens. */
static void template_of_many(json_t *tokenizer)
{
    json_t *ids = json_array(), *parts = json_array();
    for (int i = 0; i < 200000; i++)
        json_array_append_new(ids, json_integer(2));
    for (int i = 0; i < 20000; i++)
        json_array_append_new(parts,
                              json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", "x", "type_id", 0));
    json_object_set_new(tokenizer, "post_processor",
                        json_pack("{s:s, s:o, s:[], s:{s:{s:s, s:o}}}", "type",
                                  "TemplateProcessing", "single", parts, "pair", "special_tokens",
                                  "x", "id", "x", "ids", ids));
}

static void templates_that_multiply_are_refused(void **state)
{
    (void)state;
    char *folder = make_folder("tiny-bert", template_of_many);
    struct tokenizer *tokenizer;
    sembed_error error = {0};
    assert_fails(tokenizer_open(folder, NULL, &tokenizer, &error), SEMBED_LIMIT, error,
                 "special tokens");
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_words_are_polled),
        cmocka_unit_test(runs_of_marks_are_polled),
        cmocka_unit_test(composing_is_polled),
        cmocka_unit_test(spaces_are_polled),
        cmocka_unit_test(pieces_of_any_length_are_polled),
        cmocka_unit_test(added_tokens_are_polled),
        cmocka_unit_test(patterns_are_given_up),
        cmocka_unit_test(texts_that_grow_are_refused),
        cmocka_unit_test(templates_that_multiply_are_refused),
    };
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
