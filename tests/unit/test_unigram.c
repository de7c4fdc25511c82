/* core/text/unigram and trie: the pieces that the tokenizers library 0.23.3 makes, by models written
 * here. */
#include "core/base/memory.h"
#include "core/text/trie.h"
#include "core/text/unigram.h"
#include "tests/unit/pieces.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct json_file file;
    struct vocabulary *vocabulary;
    struct unigram *model;
    struct unigram_scratch scratch;
    struct pieces pieces;
    sembed_error error;
};

static sembed_status fixture_try(struct fixture *fixture, const char *json)
{
    *fixture = (struct fixture){0};
    assert_ok(json_memory_open("model.json", json, strlen(json), &fixture->file, &fixture->error),
              fixture->error);
    assert_ok(vocabulary_create(0, 0, &fixture->vocabulary, &fixture->error), fixture->error);
    return unigram_create(&fixture->file, fixture->file.root, fixture->vocabulary, NULL,
                          &fixture->model, &fixture->error);
}

static void fixture_open(struct fixture *fixture, const char *json)
{
    assert_ok(fixture_try(fixture, json), fixture->error);
}

static void fixture_close(struct fixture *fixture)
{
    unigram_destroy(fixture->model);
    unigram_scratch_free(&fixture->scratch);
    vocabulary_destroy(fixture->vocabulary);
    json_file_close(&fixture->file);
    memory_free(fixture->pieces.items);
}

static sembed_status split(struct fixture *fixture, const char *word, size_t length)
{
    fixture->pieces.count = 0;
    return unigram_split(fixture->model, &fixture->scratch, word, length, NULL, &fixture->pieces,
                         &fixture->error);
}

static void check_words(const char *json, const struct word_case *cases, size_t count)
{
    struct fixture fixture;
    fixture_open(&fixture, json);
    for (size_t i = 0; i < count; i++) {
        assert_ok(split(&fixture, cases[i].word, strlen(cases[i].word)), fixture.error);
        assert_string_equal(pieces_text(&fixture.pieces), cases[i].pieces);
    }
    fixture_close(&fixture);
}

#define CHECK_WORDS(json, ...)                                                                     \
    do {                                                                                           \
        static const struct word_case cases[] = {__VA_ARGS__};                                     \
        check_words(json, cases, sizeof cases / sizeof *cases);                                    \
    } while (0)

static const char *const worked =
    "{\"unk_id\": 0, \"vocab\": [[\"<unk>\", 0.0], [\"a\", -3], [\"b\", -3], [\"c\", -3.0], "
    "[\"ab\", -4], [\"bc\", -5]]}";

static void the_best_sum_wins(void **state)
{
    (void)state;
    CHECK_WORDS(worked, {"abc", "4:0:2 3:2:3"}, {"ab", "4:0:2"}, {"", ""});
}

static void neighbouring_unknown_characters_are_one_token(void **state)
{
    (void)state;
    CHECK_WORDS(worked, {"abcx", "4:0:2 3:2:3 0:3:4"}, {"xaxx", "0:0:1 1:1:2 0:2:4"},
                {"x", "0:0:1"}, {"x\xE6\x9D\xB1y", "0:0:5"}, {"<unk>x", "0:0:6"});
}

/* Of equal sums the one found first stands: shorter pieces to the left. */
static void of_equal_sums_the_first_wins(void **state)
{
    (void)state;
    CHECK_WORDS("{\"unk_id\": 0, \"vocab\": [[\"<unk>\", 0], [\"a\", -1], [\"aa\", -2], [\"aaa\", "
                "-3], [\"b\", -1]]}",
                {"aaaa", "1:0:1 3:1:4"}, {"aaab", "3:0:3 4:3:4"}, {"aaaaaaa", "1:0:1 3:1:4 3:4:7"});
}

static void unknown_runs_fall_back_to_bytes_if_all_are_there(void **state)
{
    (void)state;
    CHECK_WORDS("{\"unk_id\": 0, \"byte_fallback\": true, \"vocab\": [[\"<unk>\", 0.0], "
                "[\"<0xC3>\", -0.01], [\"<0xA9>\", -0.03], [\"a\", -1]]}",
                {"\xC3\xA9", "1:0:2 2:0:2"}, {"?\xC3\xA9", "0:0:3"},
                {"a\xC3\xA9"
                 "a",
                 "3:0:1 1:1:3 2:1:3 3:3:4"},
                {"\xC3\xA9\xC3\xA9", "1:0:4 2:0:4 1:0:4 2:0:4"}, {"\xC3\xA9\xC3\xA9x", "0:0:5"});
}

/* With scores so high that two unknown characters beat the piece, the run is that piece after all. */
static void an_unknown_run_may_be_a_piece(void **state)
{
    (void)state;
    CHECK_WORDS("{\"unk_id\": 0, \"vocab\": [[\"<unk>\", 30], [\"xy\", 30], [\"a\", 30]]}",
                {"xy", "1:0:2"}, {"axya", "2:0:1 1:1:3 2:3:4"}, {"xyx", "0:0:3"});
    CHECK_WORDS("{\"unk_id\": 0, \"byte_fallback\": true, \"vocab\": [[\"<unk>\", 30], [\"xy\", "
                "30], [\"<0x78>\", 30], [\"<0x79>\", 30]]}",
                {"xy", "1:0:2"}, {"xyx", "2:0:3 3:0:3 2:0:3"});
}

static void of_equal_pieces_the_last_counts(void **state)
{
    (void)state;
    CHECK_WORDS(
        "{\"unk_id\": 0, \"vocab\": [[\"<unk>\", 0], [\"a\", -1.0], [\"b\", -1.0], [\"ab\", "
        "-5.0], [\"ab\", -0.5], [\"\", 3.0]]}",
        {"ab", "4:0:2"}, {"aab", "1:0:1 4:1:3"});
}

static void without_unknown_token_unknown_characters_are_an_error(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "{\"unk_id\": null, \"vocab\": [[\"a\", -1.0], [\"b\", -2.0]]}");
    assert_ok(split(&fixture, "ab", 2), fixture.error);
    assert_string_equal(pieces_text(&fixture.pieces), "0:0:1 1:1:2");
    assert_fails(split(&fixture, "abx", 3), SEMBED_MALFORMED, fixture.error, "no unk_id");
    fixture_close(&fixture);
}

/* --- against every segmentation --------------------------------------------------------------- */

#define PIECES  24
#define LETTERS "abc"

struct random_vocabulary {
    char texts[PIECES][5];
    struct unigram_piece pieces[PIECES];
};

static void random_vocabulary_fill(struct random_vocabulary *vocabulary, unsigned seed)
{
    srand(seed);
    for (size_t i = 0; i < PIECES; i++) {
        size_t length = 1 + (size_t)rand() % 4;
        for (size_t j = 0; j < length; j++)
            vocabulary->texts[i][j] = LETTERS[rand() % 3];
        vocabulary->texts[i][length] = '\0';
        vocabulary->pieces[i] =
            (struct unigram_piece){vocabulary->texts[i], length, -0.001 * (rand() % 9000)};
    }
    strcpy(vocabulary->texts[0], "?");
    vocabulary->pieces[0].length = 1;
}

/* The best sum over all ways to cut the rest of the word. */
static double best_sum(const struct random_vocabulary *vocabulary, double unknown, const char *word)
{
    if (!*word)
        return 0;
    double best = -INFINITY;
    bool is_piece = false;
    for (size_t i = 0; i < PIECES; i++) {
        size_t length = vocabulary->pieces[i].length;
        bool later = false; /* a later piece of the same text hides this one */
        for (size_t j = i + 1; j < PIECES; j++)
            later = later || strcmp(vocabulary->texts[i], vocabulary->texts[j]) == 0;
        if (later || strncmp(word, vocabulary->texts[i], length) != 0)
            continue;
        is_piece = is_piece || length == 1;
        double sum = vocabulary->pieces[i].score + best_sum(vocabulary, unknown, word + length);
        best = sum > best ? sum : best;
    }
    if (!is_piece) {
        double sum = unknown + best_sum(vocabulary, unknown, word + 1);
        best = sum > best ? sum : best;
    }
    return best;
}

static double sum_of_pieces(const struct random_vocabulary *vocabulary, double unknown,
                            const struct pieces *pieces, size_t length)
{
    double sum = 0;
    size_t at = 0;
    for (size_t i = 0; i < pieces->count; i++) {
        const struct piece *piece = &pieces->items[i];
        assert_int_equal(piece->start, at);
        at = piece->stop;
        sum += piece->id ? vocabulary->pieces[piece->id].score
                         : unknown * (piece->stop - piece->start);
    }
    assert_int_equal(at, length);
    return sum;
}

static void no_segmentation_is_better(void **state)
{
    (void)state;
    static struct random_vocabulary vocabulary;
    for (unsigned seed = 1; seed <= 30; seed++) {
        random_vocabulary_fill(&vocabulary, seed);
        double lowest = 0;
        for (size_t i = 0; i < PIECES; i++)
            lowest = fmin(lowest, vocabulary.pieces[i].score);
        struct fixture fixture = {0};
        assert_ok(vocabulary_create(0, 0, &fixture.vocabulary, &fixture.error), fixture.error);
        assert_ok(unigram_create_from_pieces("list", vocabulary.pieces, PIECES, 0, false,
                                             fixture.vocabulary, NULL, &fixture.model,
                                             &fixture.error),
                  fixture.error);
        for (size_t length = 1; length <= 12; length++) {
            char word[13] = {0};
            for (size_t i = 0; i < length; i++)
                word[i] = LETTERS[rand() % 3];
            assert_ok(split(&fixture, word, length), fixture.error);
            double found = sum_of_pieces(&vocabulary, lowest - 10, &fixture.pieces, length);
            assert_true(fabs(found - best_sum(&vocabulary, lowest - 10, word)) < 1e-9);
        }
        fixture_close(&fixture);
    }
}

/* A piece of a SentencePiece file may be any bytes; no text has such a piece. */
static void pieces_that_are_no_text_are_refused(void **state)
{
    (void)state;
    static const struct unigram_piece pieces[] = {{"a", 1, -1}, {"b\xFF", 2, -2}};
    struct fixture fixture = {0};
    assert_ok(vocabulary_create(0, 0, &fixture.vocabulary, &fixture.error), fixture.error);
    assert_fails(unigram_create_from_pieces("list", pieces, 2, 0, false, fixture.vocabulary, NULL,
                                            &fixture.model, &fixture.error),
                 SEMBED_MALFORMED, fixture.error, "list: piece 1 ");
    assert_null(fixture.model);
    vocabulary_destroy(fixture.vocabulary);
}

/* --- the trie --------------------------------------------------------------------------------- */

#define KEYS 20000

/* Random byte strings, zero bytes and prefixes of one another among them: each is found, others are
 * not. */
static void the_trie_finds_what_was_put_in(void **state)
{
    (void)state;
    srand(1);
    static char texts[2 * KEYS][8];
    static struct trie_key keys[KEYS];
    struct vocabulary *vocabulary;
    sembed_error error = {0};
    assert_ok(vocabulary_create(0, 0, &vocabulary, &error), error);
    for (uint32_t i = 0; i < 2 * KEYS; i++) {
        uint32_t length = 1 + (uint32_t)rand() % 7;
        for (uint32_t j = 0; j < length; j++)
            texts[i][j] = (char)(rand() % 3 ? rand() % 4 : rand());
        if (i >= KEYS)
            continue;
        keys[i] = (struct trie_key){texts[i], length, i};
        assert_ok(vocabulary_add(vocabulary, texts[i], length, i, &error), error);
    }
    struct trie trie;
    assert_ok(trie_build(keys, KEYS, NULL, &trie, &error), error);
    for (uint32_t i = 0; i < 2 * KEYS; i++)
        for (uint32_t length = 1; length <= sizeof texts[i]; length++)
            assert_int_equal(trie_find(&trie, texts[i], length),
                             vocabulary_find(vocabulary, texts[i], length));
    trie_free(&trie);
    vocabulary_destroy(vocabulary);
}

static void the_trie_may_be_empty(void **state)
{
    (void)state;
    struct trie trie;
    sembed_error error = {0};
    struct trie_key empty = {"", 0, 7};
    assert_ok(trie_build(&empty, 1, NULL, &trie, &error), error);
    assert_int_equal(trie_find(&trie, "", 0), TRIE_NONE);
    for (unsigned byte = 0; byte < 256; byte++) {
        char text = (char)byte;
        assert_int_equal(trie_find(&trie, &text, 1), TRIE_NONE);
    }
    trie_free(&trie);
}

/* --- limits and faults ------------------------------------------------------------------------- */

static void a_megabyte_is_split_and_can_be_stopped(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, worked);
    size_t length = (size_t)1 << 20;
    char *word = malloc(length);
    assert_non_null(word);
    for (size_t i = 0; i < length; i++)
        word[i] = "ab"[i % 2];
    assert_ok(split(&fixture, word, length), fixture.error);
    assert_int_equal(fixture.pieces.count, length / 2);
    struct questions questions = {.stop_at = 4};
    const sembed_poll poll = questions_poll(&questions);
    assert_fails(unigram_split(fixture.model, &fixture.scratch, word, length, &poll,
                               &fixture.pieces, &fixture.error),
                 SEMBED_CANCELED, fixture.error, "");
    assert_int_equal(questions.asked, 4);
    free(word);
    fixture_close(&fixture);
}

static void the_second_time_nothing_is_allocated(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, worked);
    assert_ok(split(&fixture, "abcxabcxxaab", 12), fixture.error);
    memory_fail_from(1);
    sembed_status status = split(&fixture, "abcxabcxxaab", 12);
    size_t allocations = memory_allocation_count();
    memory_fail_from(0);
    assert_ok(status, fixture.error);
    assert_int_equal(allocations, 0);
    fixture_close(&fixture);
}

static void faulty_models_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"{\"vocab\": {}}", "'vocab': expected an array"},
        {"{\"vocab\": [\"a\"]}", "place 0"},
        {"{\"vocab\": [[\"a\", 1], [\"b\"]]}", "place 1"},
        {"{\"vocab\": [[1, \"a\"]]}", "place 0"},
        {"{\"vocab\": [[\"a\", 1]], \"unk_id\": 1}", "below the vocabulary's size 1, found 1"},
        {"{\"vocab\": [], \"unk_id\": 0}", "unk_id"},
        {"{\"vocab\": [[\"a\", 1]], \"unk_id\": \"a\"}", "unk_id"},
        {"{\"vocab\": [[\"a\", 1]], \"byte_fallback\": 1}", "byte_fallback"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture fixture;
        assert_fails(fixture_try(&fixture, cases[i].json), SEMBED_MALFORMED, fixture.error,
                     cases[i].message);
        assert_null(fixture.model);
        fixture_close(&fixture);
    }
}

static void tokens_added_later_change_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, worked);
    assert_ok(vocabulary_add(fixture.vocabulary, "x", 1, 50, &fixture.error), fixture.error);
    assert_ok(split(&fixture, "abx", 3), fixture.error);
    assert_string_equal(pieces_text(&fixture.pieces), "4:0:2 0:2:3");
    fixture_close(&fixture);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, worked);
    unigram_destroy(fixture.model);
    sembed_status status = SEMBED_NO_MEMORY;
    for (size_t nth = 1; status == SEMBED_NO_MEMORY; nth++) {
        memory_fail_from(nth);
        status = unigram_create(&fixture.file, fixture.file.root, fixture.vocabulary, NULL,
                                &fixture.model, &fixture.error);
        memory_fail_from(0);
        assert_true(nth < 100);
        assert_true((status == SEMBED_OK) == (fixture.model != NULL));
    }
    assert_ok(status, fixture.error);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_sum_wins),
        cmocka_unit_test(neighbouring_unknown_characters_are_one_token),
        cmocka_unit_test(of_equal_sums_the_first_wins),
        cmocka_unit_test(unknown_runs_fall_back_to_bytes_if_all_are_there),
        cmocka_unit_test(an_unknown_run_may_be_a_piece),
        cmocka_unit_test(of_equal_pieces_the_last_counts),
        cmocka_unit_test(without_unknown_token_unknown_characters_are_an_error),
        cmocka_unit_test(no_segmentation_is_better),
        cmocka_unit_test(pieces_that_are_no_text_are_refused),
        cmocka_unit_test(the_trie_finds_what_was_put_in),
        cmocka_unit_test(the_trie_may_be_empty),
        cmocka_unit_test(a_megabyte_is_split_and_can_be_stopped),
        cmocka_unit_test(the_second_time_nothing_is_allocated),
        cmocka_unit_test(faulty_models_are_refused),
        cmocka_unit_test(tokens_added_later_change_nothing),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("unigram", tests, NULL, NULL);
}
