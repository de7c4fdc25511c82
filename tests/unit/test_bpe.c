/* core/text/bpe: the pieces that the tokenizers library 0.23.3 makes, by models written here. */
#include "core/base/memory.h"
#include "core/text/bpe.h"
#include "tests/unit/folder.h"
#include "tests/unit/pieces.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct json_file file;
    struct vocabulary *vocabulary;
    struct bpe *model;
    struct bpe_scratch scratch;
    struct pieces pieces;
    sembed_error error;
};

static sembed_status fixture_try(struct fixture *fixture, const char *json, bool byte_level)
{
    *fixture = (struct fixture){0};
    assert_ok(json_memory_open("model.json", json, strlen(json), &fixture->file, &fixture->error),
              fixture->error);
    assert_ok(vocabulary_create(0, 0, &fixture->vocabulary, &fixture->error), fixture->error);
    return bpe_create(&fixture->file, fixture->file.root, byte_level, fixture->vocabulary, NULL,
                      &fixture->model, &fixture->error);
}

static void fixture_open(struct fixture *fixture, const char *json, bool byte_level)
{
    assert_ok(fixture_try(fixture, json, byte_level), fixture->error);
}

static void fixture_close(struct fixture *fixture)
{
    bpe_destroy(fixture->model);
    bpe_scratch_free(&fixture->scratch);
    vocabulary_destroy(fixture->vocabulary);
    json_file_close(&fixture->file);
    memory_free(fixture->pieces.items);
}

static sembed_status split(struct fixture *fixture, const char *word, size_t length)
{
    fixture->pieces.count = 0;
    return bpe_split(fixture->model, &fixture->scratch, word, length, NULL, &fixture->pieces,
                     &fixture->error);
}

static const char *split_text(struct fixture *fixture, const char *word, size_t length)
{
    assert_ok(split(fixture, word, length), fixture->error);
    return pieces_text(&fixture->pieces);
}

static void check_words(const char *json, const struct word_case *cases, size_t count)
{
    struct fixture fixture;
    fixture_open(&fixture, json, false);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(split_text(&fixture, cases[i].word, strlen(cases[i].word)),
                            cases[i].pieces);
    fixture_close(&fixture);
}

#define CHECK_WORDS(json, ...)                                                                     \
    do {                                                                                           \
        static const struct word_case cases[] = {__VA_ARGS__};                                     \
        check_words(json, cases, sizeof cases / sizeof *cases);                                    \
    } while (0)

static const char *const lower =
    "{\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"vocab\": {\"l\": 0, \"o\": 1, "
    "\"w\": 2, \"e\": 3, \"r\": 4, \"lo\": 5, \"er\": 6, \"low\": 7, \"lower\": 8, \"a\": 9, "
    "\"aa\": 10, \"aaaa\": 11}, \"merges\": [\"l o\", \"e r\", \"lo w\", \"low er\", \"a a\", "
    "\"aa aa\"]}";

static void merges_by_rank_then_from_the_left(void **state)
{
    (void)state;
    CHECK_WORDS(lower, {"lowlower", "7:0:3 8:3:8"}, {"low", "7:0:3"}, {"lowe", "7:0:3 3:3:4"},
                {"aaaaaaa", "11:0:4 10:4:6 9:6:7"}, {"aaa", "10:0:2 9:2:3"},
                {"olw", "1:0:1 0:1:2 2:2:3"}, {"", ""});
}

/* The library counts offsets as if the left-out characters had not been there; so do we. */
static void without_unknown_token_characters_are_left_out(void **state)
{
    (void)state;
    CHECK_WORDS(lower, {"xlowx", "7:0:3"}, {"x", ""});
}

static void unknown_characters_are_tokens_of_their_own(void **state)
{
    (void)state;
    CHECK_WORDS("{\"dropout\": 0.0, \"unk_token\": \"<unk>\", \"vocab\": {\"<unk>\": 0, \"a\": 1, "
                "\"b\": 2, \" \": 3, \"a b\": 4, \"a \": 5, \"ab\": 6}, \"merges\": [[\"a\", \" "
                "\"], [\"a \", \"b\"], [\"a\", \"b\"]]}",
                {"a b", "4:0:3"}, {"ab", "6:0:2"}, {"xya", "0:0:1 0:1:2 1:2:3"},
                {"axyb", "1:0:1 0:1:2 0:2:3 2:3:4"}, {"\xC3\xA9", "0:0:2"},
                {"a\xC3\xA9x b", "1:0:1 0:1:3 0:3:4 3:4:5 2:5:6"});
}

static void unknown_characters_are_fused_where_asked(void **state)
{
    (void)state;
    CHECK_WORDS(
        "{\"unk_token\": \"<unk>\", \"fuse_unk\": true, \"vocab\": {\"<unk>\": 0, \"a\": 1, "
        "\"b\": 2, \"ab\": 6}, \"merges\": [[\"a\", \"b\"]]}",
        {"xyzab", "0:0:3 6:3:5"}, {"axyb", "1:0:1 0:1:3 2:3:4"}, {"\xE6\x9D\xB1x", "0:0:4"});
}

static const char *const affixes =
    "{\"unk_token\": \"<unk>\", \"continuing_subword_prefix\": \"##\", \"end_of_word_suffix\": "
    "\"</w>\", \"vocab\": {\"<unk>\": 0, \"a\": 1, \"##b\": 2, \"##c</w>\": 3, \"a</w>\": 4, "
    "\"##bc</w>\": 5, \"abc</w>\": 6, \"ab\": 7, \"##c\": 8, \"##bc\": 9, \"b\": 10}, \"merges\": "
    "[\"##b ##c</w>\", \"a ##bc</w>\", \"a ##b\", \"##b ##c\"]}";

static void prefix_and_suffix_mark_where_a_character_stands(void **state)
{
    (void)state;
    CHECK_WORDS(affixes, {"abc", "6:0:3"}, {"ab", "1:0:1 0:1:2"}, {"a", "4:0:1"}, {"b", "0:0:1"},
                {"abca", "7:0:2 8:2:3 0:3:4"}, {"bc", "10:0:1 3:1:2"},
                {"xabc", "0:0:1 0:1:2 5:2:4"}, {"abx", "7:0:2 0:2:3"});
}

/* Bytes go before a run of unknown characters that they follow: "x€a" is unknown, not in order. */
static void unknown_characters_fall_back_to_bytes(void **state)
{
    (void)state;
    CHECK_WORDS("{\"unk_token\": \"<unk>\", \"fuse_unk\": true, \"byte_fallback\": true, "
                "\"vocab\": {\"<unk>\": 0, \"a\": 1, \"<0xC3>\": 2, \"<0xA9>\": 3, \"<0xE2>\": 4, "
                "\"b\": 5, \"<0xC3><0xA9>\": 6}, \"merges\": [[\"<0xC3>\", \"<0xA9>\"]]}",
                {"a\xC3\xA9"
                 "b",
                 "1:0:1 6:1:3 5:3:4"},
                {"\xE2\x82\xAC\xC3\xA9", "6:0:2 0:2:5"},
                {"x\xE2\x82\xAC"
                 "a",
                 "0:0:4 1:4:5"},
                {"\xC3\xA9", "6:0:2"}, {"x\xC3\xA9x", "6:0:2 0:2:4"});
}

static void ignore_merges_takes_whole_words(void **state)
{
    (void)state;
    CHECK_WORDS("{\"ignore_merges\": true, \"vocab\": {\"a\": 0, \"b\": 1, \"c\": 2, \"ab\": 3, "
                "\"abc\": 4}, \"merges\": [\"a b\"]}",
                {"abc", "4:0:3"}, {"ab", "3:0:2"}, {"abcc", "3:0:2 2:2:3 2:3:4"},
                {"cab", "2:0:1 3:1:3"});
}

static void a_token_that_no_merge_makes_is_not_used(void **state)
{
    (void)state;
    CHECK_WORDS("{\"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2, \"aab\": 3}, \"merges\": [\"a b\"]}",
                {"aab", "0:0:1 2:1:3"}, {"ab", "2:0:2"});
}

static void of_a_merge_that_comes_twice_the_later_rank_counts(void **state)
{
    (void)state;
    CHECK_WORDS("{\"vocab\": {\"a\": 0, \"b\": 1, \"c\": 2, \"ab\": 3, \"bc\": 4}, \"merges\": "
                "[\"a b\", \"b c\", \"a b\"]}",
                {"abc", "0:0:1 4:1:3"}, {"abcabc", "0:0:1 4:1:3 0:3:4 4:4:6"});
}

/* All 256 bytes by their characters, and a few merges, as GPT-2 has them. */
static char *byte_level_model(void)
{
    size_t size = 8192, length = 0;
    char *json = malloc(size);
    assert_non_null(json);
    length += (size_t)snprintf(json, size, "{\"vocab\": {");
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool printable = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
        length += (size_t)snprintf(json + length, size - length, "\"\\u%04x\": %u, ",
                                   printable ? byte : next, byte);
        next += !printable;
    }
    snprintf(json + length, size - length,
             "\"\\u0120t\": 256, \"he\": 257, \"\\u0120the\": 258, \"\\u00c3\\u00a9\": 259, "
             "\"\\u20ac\": 260}, \"merges\": [\"\\u0120 t\", \"h e\", \"\\u0120t he\", \"\\u00c3 "
             "\\u00a9\"]}");
    return json;
}

/* The byte 6 has no token. The library spells it "Ć", of two bytes, which its offsets then lack; so a
 * piece can begin or end within a character and takes all of it. */
static void bytes_left_out_shift_offsets_by_their_spelling(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(
        &fixture,
        "{\"type\": \"BPE\", \"unk_token\": null, \"vocab\": {\"a\": 0, \"ï\": 1, \"¿\": 2, "
        "\"½\": 3}, \"merges\": []}",
        true);
    assert_string_equal(split_text(&fixture, "\6a\xEF\xBF\xBD", 5), "0:0:1 1:0:2 2:2:3 3:3:4");
    assert_string_equal(split_text(&fixture, "a\6\6a", 4), "0:0:1 0:1:2");
    assert_string_equal(split_text(&fixture, "\6\6", 2), "");
    fixture_close(&fixture);
}

static void byte_level_words_are_raw_bytes(void **state)
{
    (void)state;
    char *json = byte_level_model();
    struct fixture fixture;
    fixture_open(&fixture, json, true);
    assert_string_equal(split_text(&fixture, " the", 4), "258:0:4");
    assert_string_equal(split_text(&fixture, "the", 3), "116:0:1 257:1:3");
    assert_string_equal(split_text(&fixture, " \xC3\xA9", 3), "32:0:1 259:1:3");
    assert_string_equal(split_text(&fixture, "\xFF\0\n", 3), "255:0:1 0:1:2 10:2:3");
    assert_string_equal(split_text(&fixture, "th\xC3\xA9 the", 8),
                        "116:0:1 104:1:2 259:2:4 258:4:8");
    size_t length;
    assert_memory_equal(vocabulary_token(fixture.vocabulary, 256, &length), "\xC4\xA0t", 3);
    fixture_close(&fixture);
    free(json);
}

/* --- long words -------------------------------------------------------------------------------- */

#define LETTERS 4
#define MERGES  40
#define LONGEST 6 /* letters of a token */

/* A model over the letters a–d with random merges, and its merges as the test knows them. */
struct random_model {
    char tokens[LETTERS + MERGES][LONGEST + 1]; /* by id */
    unsigned count;
    struct {
        unsigned left, right, result;
    } merges[MERGES];
    unsigned merge_count;
};

static unsigned token_id(const struct random_model *model, const char *token)
{
    unsigned id = 0;
    while (id < model->count && strcmp(model->tokens[id], token) != 0)
        id++;
    return id;
}

static void random_model_fill(struct random_model *model, unsigned seed)
{
    srand(seed);
    *model = (struct random_model){.count = LETTERS};
    for (unsigned i = 0; i < LETTERS; i++)
        model->tokens[i][0] = (char)('a' + i);
    while (model->merge_count < MERGES) {
        unsigned left = (unsigned)rand() % model->count, right = (unsigned)rand() % model->count;
        char joined[2 * LONGEST + 1];
        snprintf(joined, sizeof joined, "%s%s", model->tokens[left], model->tokens[right]);
        if (strlen(joined) > LONGEST)
            continue;
        unsigned id = token_id(model, joined);
        if (id == model->count)
            strcpy(model->tokens[model->count++], joined);
        model->merges[model->merge_count].left = left;
        model->merges[model->merge_count].right = right;
        model->merges[model->merge_count++].result = id;
    }
}

/* The same as tokenizer.json's "model"; the caller's to free. */
static char *random_model_json(const struct random_model *model)
{
    json_t *vocab = json_object(), *merges = json_array();
    for (unsigned i = 0; i < model->count; i++)
        json_object_set_new(vocab, model->tokens[i], json_integer(i));
    for (unsigned i = 0; i < model->merge_count; i++)
        json_array_append_new(merges, json_sprintf("%s %s", model->tokens[model->merges[i].left],
                                                   model->tokens[model->merges[i].right]));
    json_t *root = json_pack("{s:o, s:o}", "vocab", vocab, "merges", merges);
    char *text = json_dumps(root, 0);
    json_decref(root);
    assert_non_null(text);
    return text;
}

/* The algorithm as its definition has it: again and again the first place of the lowest rank. */
static size_t split_plainly(const struct random_model *model, const char *word, unsigned *ids)
{
    size_t count = strlen(word);
    for (size_t i = 0; i < count; i++)
        ids[i] = (unsigned)(word[i] - 'a');
    for (;;) {
        size_t best_place = 0;
        unsigned best_rank = MERGES;
        for (size_t i = 0; i + 1 < count; i++)
            for (unsigned rank = MERGES; rank-- > 0;)
                if (model->merges[rank].left == ids[i] && model->merges[rank].right == ids[i + 1]) {
                    if (rank < best_rank) {
                        best_rank = rank;
                        best_place = i;
                    }
                    break; /* of a merge that comes twice the later rank counts */
                }
        if (best_rank == MERGES)
            return count;
        ids[best_place] = model->merges[best_rank].result;
        for (size_t i = best_place + 1; i + 1 < count; i++)
            ids[i] = ids[i + 1];
        count--;
    }
}

/* Words on both sides of the length at which the queue takes over. */
static void short_and_long_words_follow_the_definition(void **state)
{
    (void)state;
    static struct random_model model;
    for (unsigned seed = 1; seed <= 20; seed++) {
        random_model_fill(&model, seed);
        char *json = random_model_json(&model);
        struct fixture fixture;
        fixture_open(&fixture, json, false);
        for (size_t length = 1; length <= 120; length++) {
            char word[121] = {0};
            for (size_t i = 0; i < length; i++)
                word[i] = (char)('a' + rand() % (seed % 2 ? LETTERS : 2));
            unsigned ids[120];
            size_t count = split_plainly(&model, word, ids);
            assert_ok(split(&fixture, word, length), fixture.error);
            assert_int_equal(fixture.pieces.count, count);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(fixture.pieces.items[i].id, ids[i]);
        }
        fixture_close(&fixture);
        free(json);
    }
}

static void a_megabyte_is_split_and_can_be_stopped(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, lower, false);
    size_t length = (size_t)1 << 20;
    char *word = malloc(length);
    assert_non_null(word);
    memset(word, 'a', length);
    assert_ok(split(&fixture, word, length), fixture.error);
    assert_int_equal(fixture.pieces.count, length / 4);
    assert_int_equal(fixture.pieces.items[length / 4 - 1].stop, length);

    struct questions questions = {.stop_at = 4};
    const sembed_poll poll = questions_poll(&questions);
    assert_fails(bpe_split(fixture.model, &fixture.scratch, word, length, &poll, &fixture.pieces,
                           &fixture.error),
                 SEMBED_CANCELED, fixture.error, "");
    assert_int_equal(questions.asked, 4);
    free(word);
    fixture_close(&fixture);
}

static void the_second_time_nothing_is_allocated(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, lower, false);
    char word[200];
    for (size_t i = 0; i < sizeof word; i++)
        word[i] = "lower"[i % 5];
    split_text(&fixture, word, sizeof word);
    memory_fail_from(1);
    sembed_status status = split(&fixture, word, sizeof word);
    size_t allocations = memory_allocation_count();
    memory_fail_from(0);
    assert_ok(status, fixture.error);
    assert_int_equal(allocations, 0);
    fixture_close(&fixture);
}

/* --- files and faults ----------------------------------------------------------------------- */

static void older_folders_carry_vocabulary_and_merges(void **state)
{
    (void)state;
    char *folder = folder_create();
    folder_write_text(folder, "vocab.json",
                      "{\"a\": 0, \"b\": 1, \"\\u0120\": 2, \"ab\": 3, \"\\u0120ab\": 4}");
    folder_write_text(folder, "merges.txt", "#version: 0.2\r\na b\r\n\xC4\xA0 ab\n");
    char vocabulary_path[512], merges_path[512];
    snprintf(vocabulary_path, sizeof vocabulary_path, "%s/vocab.json", folder);
    snprintf(merges_path, sizeof merges_path, "%s/merges.txt", folder);
    struct fixture fixture = {0};
    assert_ok(vocabulary_create(0, 0, &fixture.vocabulary, &fixture.error), fixture.error);
    assert_ok(bpe_create_from_files(vocabulary_path, merges_path, true, fixture.vocabulary, NULL,
                                    &fixture.model, &fixture.error),
              fixture.error);
    assert_string_equal(split_text(&fixture, " abb", 4), "4:0:3 1:3:4");
    bpe_destroy(fixture.model);

    folder_write_text(folder, "merges.txt", "a b\n\na b\n");
    assert_fails(bpe_create_from_files(vocabulary_path, merges_path, true, fixture.vocabulary, NULL,
                                       &fixture.model, &fixture.error),
                 SEMBED_MALFORMED, fixture.error, "merges.txt: merge 1: expected two tokens");
    folder_delete(folder, "merges.txt");
    assert_fails(bpe_create_from_files(vocabulary_path, merges_path, true, fixture.vocabulary, NULL,
                                       &fixture.model, &fixture.error),
                 SEMBED_NOT_FOUND, fixture.error, "merges.txt");
    assert_null(fixture.model);
    fixture_close(&fixture);
    folder_remove(folder);
}

static void faulty_models_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        sembed_status status;
        const char *message;
    } cases[] = {
        {"{\"vocab\": {}, \"merges\": [], \"dropout\": 0.1}", SEMBED_UNSUPPORTED, "'dropout'"},
        {"{\"vocab\": [], \"merges\": []}", SEMBED_MALFORMED, "'vocab': expected an object"},
        {"{\"vocab\": {}}", SEMBED_MALFORMED, "'merges': expected an array"},
        {"{\"vocab\": {\"a\": -1}, \"merges\": []}", SEMBED_MALFORMED, "an id for 'a'"},
        {"{\"vocab\": {\"a\": \"b\"}, \"merges\": []}", SEMBED_MALFORMED, "found '\"b\"}'"},
        {"{\"vocab\": {\"a\": 99999999}, \"merges\": []}", SEMBED_LIMIT, "99999999"},
        {"{\"vocab\": {\"a\": 0}, \"merges\": [\"a a\"]}", SEMBED_MALFORMED,
         "merge 0: token 'aa' is not in the vocabulary"},
        {"{\"vocab\": {\"a\": 0}, \"merges\": [[\"a\", \"b\"]]}", SEMBED_MALFORMED, "token 'b'"},
        {"{\"vocab\": {\"a\": 0}, \"merges\": [\"a\"]}", SEMBED_MALFORMED, "expected two tokens"},
        {"{\"vocab\": {\"a\": 0}, \"merges\": [\"a a a\"]}", SEMBED_MALFORMED, "'a a a'"},
        {"{\"vocab\": {\"a\": 0}, \"merges\": [7]}", SEMBED_MALFORMED, "found '7]'"},
        {"{\"vocab\": {\"a\": 0}, \"merges\": [\"a a\"], \"continuing_subword_prefix\": \"##\"}",
         SEMBED_MALFORMED, "continuing_subword_prefix"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture fixture;
        assert_fails(fixture_try(&fixture, cases[i].json, false), cases[i].status, fixture.error,
                     cases[i].message);
        assert_null(fixture.model);
        fixture_close(&fixture);
    }
}

/* As in the library, only a text that needs it shows that the unknown token is missing. */
static void a_missing_unknown_token_is_an_error_when_needed(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, "{\"unk_token\": \"<unk>\", \"vocab\": {\"a\": 0}, \"merges\": []}",
                 false);
    assert_string_equal(split_text(&fixture, "a", 1), "0:0:1");
    assert_fails(split(&fixture, "ab", 2), SEMBED_MALFORMED, fixture.error,
                 "'<unk>' is not in the vocabulary");
    fixture_close(&fixture);
}

/* Added tokens go into the same vocabulary once the model is made. */
static void tokens_added_later_change_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, lower, false);
    assert_ok(vocabulary_add(fixture.vocabulary, "x", 1, 50, &fixture.error), fixture.error);
    assert_ok(vocabulary_add(fixture.vocabulary, "lowe", 4, 51, &fixture.error), fixture.error);
    assert_string_equal(split_text(&fixture, "lowex", 5), "7:0:3 3:3:4");
    fixture_close(&fixture);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, lower, false);
    bpe_destroy(fixture.model);
    sembed_status status = SEMBED_NO_MEMORY;
    for (size_t nth = 1; status == SEMBED_NO_MEMORY; nth++) {
        memory_fail_from(nth);
        status = bpe_create(&fixture.file, fixture.file.root, false, fixture.vocabulary, NULL,
                            &fixture.model, &fixture.error);
        memory_fail_from(0);
        assert_true(nth < 100);
        assert_true((status == SEMBED_OK) == (fixture.model != NULL));
    }
    assert_ok(status, fixture.error);
    char word[300];
    memset(word, 'a', sizeof word);
    status = SEMBED_NO_MEMORY;
    for (size_t nth = 1; status == SEMBED_NO_MEMORY; nth++) {
        memory_fail_from(nth);
        status = split(&fixture, word, sizeof word);
        memory_fail_from(0);
        assert_true(nth < 100);
    }
    assert_ok(status, fixture.error);
    assert_int_equal(fixture.pieces.count, sizeof word / 4);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_by_rank_then_from_the_left),
        cmocka_unit_test(without_unknown_token_characters_are_left_out),
        cmocka_unit_test(unknown_characters_are_tokens_of_their_own),
        cmocka_unit_test(unknown_characters_are_fused_where_asked),
        cmocka_unit_test(prefix_and_suffix_mark_where_a_character_stands),
        cmocka_unit_test(unknown_characters_fall_back_to_bytes),
        cmocka_unit_test(ignore_merges_takes_whole_words),
        cmocka_unit_test(a_token_that_no_merge_makes_is_not_used),
        cmocka_unit_test(of_a_merge_that_comes_twice_the_later_rank_counts),
        cmocka_unit_test(bytes_left_out_shift_offsets_by_their_spelling),
        cmocka_unit_test(byte_level_words_are_raw_bytes),
        cmocka_unit_test(short_and_long_words_follow_the_definition),
        cmocka_unit_test(a_megabyte_is_split_and_can_be_stopped),
        cmocka_unit_test(the_second_time_nothing_is_allocated),
        cmocka_unit_test(older_folders_carry_vocabulary_and_merges),
        cmocka_unit_test(faulty_models_are_refused),
        cmocka_unit_test(a_missing_unknown_token_is_an_error_when_needed),
        cmocka_unit_test(tokens_added_later_change_nothing),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("bpe", tests, NULL, NULL);
}
