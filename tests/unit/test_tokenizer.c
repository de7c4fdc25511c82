/*
 * core/text/tokenizer and encode: whole texts and pairs, limits, bytes that are no text, what is
 * refused, memory. Ids and offsets were made by the tokenizers library 0.23.3 with the tokenizer
 * written here. The components each for itself are test_components.c's, whole models
 * test_golden.c's.
 */
#include "core/base/memory.h"
#include "core/text/tokenizer.h"
#include "tests/unit/folder.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

/* Ids: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, a 5, b 6, c 7, un 8, ##aff 9, ##able 10, ##a 11,
 * ##b 12, 你 13, "," 14, e 15, ##e 16, aa 17. */
static const char *const bert_json =
    "{\"added_tokens\": [{\"id\": 4, \"content\": \"[MASK]\", \"special\": true}],"
    "\"normalizer\": {\"type\": \"BertNormalizer\", \"lowercase\": true},"
    "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},"
    "\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3],"
    " \"cls\": [\"[CLS]\", 2]},"
    "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\","
    " \"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 10, \"vocab\": {"
    "\"[PAD]\": 0, \"[UNK]\": 1, \"[CLS]\": 2, \"[SEP]\": 3, \"[MASK]\": 4, \"a\": 5, \"b\": 6,"
    "\"c\": 7, \"un\": 8, \"##aff\": 9, \"##able\": 10, \"##a\": 11, \"##b\": 12, "
    "\"\xE4\xBD\xA0\": 13,"
    "\",\": 14, \"e\": 15, \"##e\": 16, \"aa\": 17}}}";

struct fixture {
    struct tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    struct encoding encoding;
    sembed_error error;
};

static struct fixture open_folder(const char *folder)
{
    struct fixture fixture = {0};
    assert_ok(tokenizer_open(folder, NULL, &fixture.tokenizer, &fixture.error), fixture.error);
    assert_ok(tokenizer_scratch_create(&fixture.scratch, &fixture.error), fixture.error);
    return fixture;
}

static struct fixture open_json(const char *json)
{
    char *folder = folder_create();
    folder_write_text(folder, "tokenizer.json", json);
    struct fixture fixture = open_folder(folder);
    folder_remove(folder);
    return fixture;
}

static struct fixture open_fixture(const char *name)
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s/%s", fixtures_folder(), name);
    return open_folder(folder);
}

static void close_fixture(struct fixture *fixture)
{
    encoding_free(&fixture->encoding);
    tokenizer_scratch_destroy(fixture->scratch);
    tokenizer_close(fixture->tokenizer);
}

/* The encoding as "id:type:start:stop …", in a buffer that the next call overwrites. */
static const char *encoding_text(const struct encoding *encoding)
{
    static char text[4096];
    size_t length = 0;
    text[0] = 0;
    for (size_t i = 0; i < encoding->count; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%u:%u:%u:%u",
                                   i ? " " : "", encoding->ids[i], encoding->types[i],
                                   encoding->start[i], encoding->stop[i]);
    return text;
}

static const char *encode(struct fixture *fixture, const char *text, size_t length, size_t limit)
{
    assert_ok(tokenizer_encode(fixture->tokenizer, fixture->scratch, (sembed_text){text, length},
                               limit, true, NULL, &fixture->encoding, &fixture->error),
              fixture->error);
    return encoding_text(&fixture->encoding);
}

static const char *encode_pair(struct fixture *fixture, const char *first, const char *second,
                               size_t limit)
{
    assert_ok(tokenizer_encode_pair(fixture->tokenizer, fixture->scratch,
                                    (sembed_text){first, strlen(first)},
                                    (sembed_text){second, strlen(second)}, limit, true, NULL,
                                    &fixture->encoding, &fixture->error),
              fixture->error);
    return encoding_text(&fixture->encoding);
}

/* ------------------------------------------------------------------------------- texts */

static void texts_become_the_library_s_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t length;
        const char *tokens;
    } cases[] = {
        {"", 0, "2:0:0:0 3:0:0:0"},
        {"unaffable", 9, "2:0:0:0 8:0:0:2 9:0:2:5 10:0:5:9 3:0:0:0"},
        {"unaffabled", 10, "2:0:0:0 1:0:0:10 3:0:0:0"},
        {"aaaaaaaaaa", 10,
         "2:0:0:0 17:0:0:2 11:0:2:3 11:0:3:4 11:0:4:5 11:0:5:6 11:0:6:7 11:0:7:8 11:0:8:9 "
         "11:0:9:10 3:0:0:0"},
        {"aaaaaaaaaaa", 11, "2:0:0:0 1:0:0:11 3:0:0:0"}, /* over 10 characters */
        {"\xC3\x84"
         "b,C",
         5, "2:0:0:0 5:0:0:2 12:0:2:3 14:0:3:4 7:0:4:5 3:0:0:0"},
        {"a[MASK]b", 8, "2:0:0:0 5:0:0:1 4:0:1:7 6:0:7:8 3:0:0:0"},
        {"\xE4\xBD\xA0"
         "a",
         4, "2:0:0:0 13:0:0:3 5:0:3:4 3:0:0:0"},
        {"\0a\0", 3, "2:0:0:0 5:0:1:2 3:0:0:0"},
        {"a\xEF\xBF\xBD"
         "b",
         5, "2:0:0:0 5:0:0:1 12:0:4:5 3:0:0:0"},
    };
    struct fixture fixture = open_json(bert_json);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(encode(&fixture, cases[i].text, cases[i].length, SIZE_MAX),
                            cases[i].tokens);
    close_fixture(&fixture);
}

/* Faults become U+FFFD, which this normalizer drops; offsets are those of the bytes given. */
static void bytes_that_are_no_text_keep_their_places(void **state)
{
    (void)state;
    struct fixture fixture = open_json(bert_json);
    assert_string_equal(encode(&fixture,
                               "a\xFF"
                               "b",
                               3, SIZE_MAX),
                        "2:0:0:0 5:0:0:1 12:0:2:3 3:0:0:0");
    assert_string_equal(encode(&fixture,
                               "\xE4\xBD"
                               "a\xC0\xAF"
                               "b \xE4\xBD\xA0\xF0\x9F",
                               12, SIZE_MAX),
                        "2:0:0:0 5:0:2:3 12:0:5:6 13:0:7:10 3:0:0:0");
    assert_string_equal(encode(&fixture, "\x80[MASK]\x80", 8, SIZE_MAX), "2:0:0:0 4:0:1:7 3:0:0:0");
    close_fixture(&fixture);
}

static void offsets_are_left_alone_where_nobody_asks(void **state)
{
    (void)state;
    struct fixture fixture = open_json(bert_json);
    encode(&fixture, "unaffable \xFF b", 13, SIZE_MAX);
    size_t count = fixture.encoding.count;
    uint32_t ids[16];
    memcpy(ids, fixture.encoding.ids, count * sizeof *ids);
    assert_ok(tokenizer_encode(fixture.tokenizer, fixture.scratch,
                               (sembed_text){"unaffable \xFF b", 13}, SIZE_MAX, false, NULL,
                               &fixture.encoding, &fixture.error),
              fixture.error);
    assert_int_equal(fixture.encoding.count, count);
    assert_memory_equal(fixture.encoding.ids, ids, count * sizeof *ids);
    close_fixture(&fixture);
}

/* <s> 0, </s> 1, <mask> 2, a 3, b 4, Ġ 5, Ġa 6, Ġb 7, ĠĠ 8, Ċ 9, ab 10, Ã 11, © 12, ĠÃ 13. The first
 * %s is add_prefix_space of both, the last trim_offsets. */
static const char *const roberta_json =
    "{\"added_tokens\": [{\"id\": 2, \"content\": \"<mask>\", \"lstrip\": true, \"rstrip\": true}],"
    "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": %s},"
    "\"post_processor\": {\"type\": \"RobertaProcessing\", \"sep\": [\"</s>\", 1],"
    " \"cls\": [\"<s>\", 0], \"add_prefix_space\": %s, \"trim_offsets\": %s},"
    "\"model\": {\"type\": \"BPE\", \"vocab\": {\"<s>\": 0, \"</s>\": 1, \"<mask>\": 2, \"a\": 3,"
    "\"b\": 4, \"\\u0120\": 5, \"\\u0120a\": 6, \"\\u0120b\": 7, \"\\u0120\\u0120\": 8,"
    "\"\\u010A\": 9, \"ab\": 10, \"\\u00C3\": 11, \"\\u00A9\": 12, \"\\u0120\\u00C3\": 13},"
    "\"merges\": [\"\\u0120 a\", \"\\u0120 b\", \"a b\", \"\\u0120 \\u00C3\","
    " \"\\u0120 \\u0120\"]}}";

static void spaces_are_taken_off_offsets_as_the_library_does(void **state)
{
    (void)state;
    static const struct {
        const char *text, *untrimmed, *trimmed, *prefixed, *prefixed_trimmed;
    } cases[] = {
        {"a b", "3:0:0:1 7:0:1:3", "3:0:0:1 7:0:2:3", "6:0:0:1 7:0:1:3", "6:0:0:1 7:0:2:3"},
        {" a  b", "6:0:0:2 5:0:2:3 7:0:3:5", "6:0:1:2 5:0:3:3 7:0:4:5", "6:0:0:2 5:0:2:3 7:0:3:5",
         "6:0:0:2 5:0:3:3 7:0:4:5"},
        {"  a", "5:0:0:1 6:0:1:3", "5:0:1:1 6:0:2:3", "5:0:0:1 6:0:1:3", "5:0:0:0 6:0:2:3"},
        {"ab\n", "10:0:0:2 9:0:2:3", "10:0:0:2 9:0:2:3", "6:0:0:1 4:0:1:2 9:0:2:3",
         "6:0:0:1 4:0:1:2 9:0:2:3"},
        {" \xE3\x80\x80<mask>  b", "2:0:0:12 4:0:12:13", "2:0:4:10 4:0:12:13", "2:0:0:12 7:0:12:13",
         "2:0:4:10 7:0:13:13"},
        {"\xC3\xA9 \xC3\xA9", "11:0:0:2 12:0:0:2 13:0:2:5 12:0:3:5",
         "11:0:0:2 12:0:0:2 13:0:3:5 12:0:3:5", "13:0:0:2 12:0:0:2 13:0:2:5 12:0:3:5",
         "13:0:0:2 12:0:0:2 13:0:3:5 12:0:3:5"},
        {"   ", "8:0:0:2 5:0:2:3", "8:0:2:2 5:0:3:3", "8:0:0:2 5:0:2:3", "8:0:2:2 5:0:3:3"},
        {" ", "5:0:0:1", "5:0:1:1", "5:0:0:1", "5:0:0:0"},
    };
    for (int which = 0; which < 4; which++) {
        char json[2048], expected[256];
        const char *prefix = which & 2 ? "true" : "false", *trim = which & 1 ? "true" : "false";
        assert_in_range(snprintf(json, sizeof json, roberta_json, prefix, prefix, trim), 1,
                        sizeof json - 1);
        struct fixture fixture = open_json(json);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const char *const columns[] = {cases[i].untrimmed, cases[i].trimmed, cases[i].prefixed,
                                           cases[i].prefixed_trimmed};
            snprintf(expected, sizeof expected, "0:0:0:0 %s 1:0:0:0", columns[which]);
            assert_string_equal(encode(&fixture, cases[i].text, strlen(cases[i].text), SIZE_MAX),
                                expected);
        }
        close_fixture(&fixture);
    }
}

/* ------------------------------------------------------------------------------- limits */

static void a_limit_cuts_before_the_closing_token(void **state)
{
    (void)state;
    struct fixture fixture = open_json(bert_json);
    const char *text = "a b c a b";
    assert_string_equal(encode(&fixture, text, 9, 2), "2:0:0:0 3:0:0:0");
    assert_true(fixture.encoding.truncated);
    assert_string_equal(encode(&fixture, text, 9, 4), "2:0:0:0 5:0:0:1 6:0:2:3 3:0:0:0");
    assert_true(fixture.encoding.truncated);
    encode(&fixture, text, 9, 6);
    assert_true(fixture.encoding.truncated);
    assert_string_equal(encode(&fixture, text, 9, 7),
                        "2:0:0:0 5:0:0:1 6:0:2:3 7:0:4:5 5:0:6:7 6:0:8:9 3:0:0:0");
    assert_false(fixture.encoding.truncated);
    /* Inside a word. */
    assert_string_equal(encode(&fixture, "unaffable", 9, 4), "2:0:0:0 8:0:0:2 9:0:2:5 3:0:0:0");
    assert_true(fixture.encoding.truncated);
    assert_fails(tokenizer_encode(fixture.tokenizer, fixture.scratch, (sembed_text){text, 9}, 1,
                                  false, NULL, &fixture.encoding, &fixture.error),
                 SEMBED_INVALID_ARGUMENT, fixture.error, "2 special tokens");
    close_fixture(&fixture);
}

static void pairs_are_cut_longest_first(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        size_t limit;
        const char *tokens;
    } cases[] = {
        {"a b c a b", "b a", 3, "2:0:0:0 3:0:0:0 3:1:0:0"},
        {"a b c a b", "b a", 4, "2:0:0:0 5:0:0:1 3:0:0:0 3:1:0:0"},
        {"b a", "a b c a b", 4, "2:0:0:0 3:0:0:0 5:1:0:1 3:1:0:0"},
        {"a b c a", "b a c b", 4, "2:0:0:0 3:0:0:0 6:1:0:1 3:1:0:0"}, /* as long: to the second */
        {"a b c a b c", "b a c b a", 4, "2:0:0:0 5:0:0:1 3:0:0:0 3:1:0:0"},
        {"b a c b a", "a b c a b c", 4, "2:0:0:0 3:0:0:0 5:1:0:1 3:1:0:0"},
        {"a b c a b", "b a", 6, "2:0:0:0 5:0:0:1 6:0:2:3 3:0:0:0 6:1:0:1 3:1:0:0"},
        {"a b c a b", "b a", 7, "2:0:0:0 5:0:0:1 6:0:2:3 3:0:0:0 6:1:0:1 5:1:2:3 3:1:0:0"},
        {"a b c a b", "b a", 9,
         "2:0:0:0 5:0:0:1 6:0:2:3 7:0:4:5 5:0:6:7 3:0:0:0 6:1:0:1 5:1:2:3 3:1:0:0"},
        {"b a c b a", "a b c a b c", 8,
         "2:0:0:0 6:0:0:1 5:0:2:3 3:0:0:0 5:1:0:1 6:1:2:3 7:1:4:5 3:1:0:0"},
    };
    struct fixture fixture = open_json(bert_json);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(encode_pair(&fixture, cases[i].first, cases[i].second, cases[i].limit),
                            cases[i].tokens);
        assert_true(fixture.encoding.truncated);
    }
    assert_string_equal(
        encode_pair(&fixture, "a b c a b", "b a", 20),
        "2:0:0:0 5:0:0:1 6:0:2:3 7:0:4:5 5:0:6:7 6:0:8:9 3:0:0:0 6:1:0:1 5:1:2:3 3:1:0:0");
    assert_false(fixture.encoding.truncated);
    close_fixture(&fixture);
}

/* A folder with tokenizer.json and a tokenizer_config.json. */
static struct fixture open_configured(const char *json, const char *config)
{
    char *folder = folder_create();
    folder_write_text(folder, "tokenizer.json", json);
    folder_write_text(folder, "tokenizer_config.json", config);
    struct fixture fixture = open_folder(folder);
    folder_remove(folder);
    return fixture;
}

static void what_is_too_long_may_lose_its_front(void **state)
{
    (void)state;
    struct fixture fixture = open_configured(bert_json, "{\"truncation_side\": \"left\"}");
    const char *text = "unaffable b";
    assert_string_equal(encode(&fixture, text, 11, 5),
                        "2:0:0:0 9:0:2:5 10:0:5:9 6:0:10:11 3:0:0:0");
    assert_true(fixture.encoding.truncated);
    assert_string_equal(encode(&fixture, text, 11, 2), "2:0:0:0 3:0:0:0");
    assert_string_equal(encode(&fixture, text, 11, 6),
                        "2:0:0:0 8:0:0:2 9:0:2:5 10:0:5:9 6:0:10:11 3:0:0:0");
    assert_false(fixture.encoding.truncated);
    assert_string_equal(encode_pair(&fixture, "a b c", "unaffable", 7),
                        "2:0:0:0 6:0:2:3 7:0:4:5 3:0:0:0 9:1:2:5 10:1:5:9 3:1:0:0");
    assert_string_equal(encode_pair(&fixture, "a b c a b", "a b c a", 8),
                        "2:0:0:0 7:0:4:5 5:0:6:7 6:0:8:9 3:0:0:0 7:1:4:5 5:1:6:7 3:1:0:0");
    close_fixture(&fixture);
}

/* The first token that is left keeps the space that would be its added prefix. */
static void the_first_token_left_is_trimmed_as_the_first(void **state)
{
    (void)state;
    char json[2048];
    snprintf(json, sizeof json, roberta_json, "true", "true", "true");
    struct fixture fixture = open_configured(json, "{\"truncation_side\": \"left\"}");
    assert_string_equal(encode(&fixture, "a b  b", 6, 3), "0:0:0:0 7:0:4:6 1:0:0:0");
    assert_string_equal(encode(&fixture, "a b  b", 6, 4), "0:0:0:0 5:0:3:3 7:0:5:6 1:0:0:0");
    assert_string_equal(encode(&fixture, "a b  b", 6, 5),
                        "0:0:0:0 7:0:1:3 5:0:4:4 7:0:5:6 1:0:0:0");
    assert_string_equal(encode_pair(&fixture, "a b", "a b a", 6),
                        "0:0:0:0 7:0:1:3 1:0:0:0 1:0:0:0 6:0:3:5 1:0:0:0");
    close_fixture(&fixture);
}

/* tokenizer_config.json outweighs tokenizer.json's own truncation, whose length counts nowhere. */
static void the_side_is_where_transformers_looks_for_it(void **state)
{
    (void)state;
    char json[2048];
    snprintf(json, sizeof json,
             "{\"truncation\": {\"direction\": \"Left\", \"max_length\": 3, \"stride\": 1},"
             "\"padding\": {\"strategy\": {\"Fixed\": 9}, \"direction\": \"Left\"},%s",
             bert_json + 1);
    static const struct {
        const char *config, *tokens;
    } cases[] = {
        {"{}", "2:0:0:0 6:0:2:3 7:0:4:5 3:0:0:0"},
        {"{\"truncation_side\": null, \"padding_side\": \"left\"}",
         "2:0:0:0 6:0:2:3 7:0:4:5 3:0:0:0"},
        {"{\"truncation_side\": \"right\"}", "2:0:0:0 5:0:0:1 6:0:2:3 3:0:0:0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture fixture = open_configured(json, cases[i].config);
        assert_string_equal(encode(&fixture, "a b c", 5, 4), cases[i].tokens);
        close_fixture(&fixture);
    }
    char *folder = folder_create();
    struct tokenizer *tokenizer;
    sembed_error error = {0};
    folder_write_text(folder, "tokenizer.json", bert_json);
    folder_write_text(folder, "tokenizer_config.json", "{\"truncation_side\": \"both\"}");
    assert_fails(tokenizer_open(folder, NULL, &tokenizer, &error), SEMBED_MALFORMED, error,
                 "'truncation_side': expected left or right, found 'both'");
    folder_remove(folder);
}

/* size bytes of words, freed with free. */
static char *long_text(size_t size)
{
    char *text = malloc(size);
    for (size_t i = 0; i < size; i++)
        text[i] = "unaffable aaa, "[i % 15];
    return text;
}

static void work_beyond_the_limit_is_not_done(void **state)
{
    (void)state;
    struct fixture fixture = open_json(bert_json);
    const size_t size = 4 << 20;
    char *text = long_text(size);
    struct questions questions = {0};
    const sembed_poll poll = questions_poll(&questions);
    assert_ok(tokenizer_encode(fixture.tokenizer, fixture.scratch, (sembed_text){text, size}, 256,
                               false, &poll, &fixture.encoding, &fixture.error),
              fixture.error);
    assert_int_equal(fixture.encoding.count, 256);
    assert_true(fixture.encoding.truncated);
    assert_in_range(questions.asked, 1, 4); /* it is asked once for some thousand bytes */
    free(text);
    close_fixture(&fixture);
}

static void a_call_stops_when_it_is_told_to(void **state)
{
    (void)state;
    struct fixture fixture = open_json(bert_json);
    const size_t size = 4 << 20;
    char *text = long_text(size);
    struct questions questions = {.stop_at = 20};
    const sembed_poll poll = questions_poll(&questions);
    assert_fails(tokenizer_encode(fixture.tokenizer, fixture.scratch, (sembed_text){text, size},
                                  SIZE_MAX, false, &poll, &fixture.encoding, &fixture.error),
                 SEMBED_CANCELED, fixture.error, "");
    assert_int_equal(questions.asked, 20);
    assert_string_equal(encode(&fixture, "a", 1, SIZE_MAX), "2:0:0:0 5:0:0:1 3:0:0:0");
    free(text);
    close_fixture(&fixture);
}

/* A text that cannot be cut anywhere is worked through as a whole, and asks all the same. */
static void a_text_without_a_space_can_be_stopped_too(void **state)
{
    (void)state;
    struct fixture fixture = open_json(bert_json);
    const size_t size = 4 << 20;
    char *text = malloc(size);
    memset(text, 'a', size);
    struct questions questions = {.stop_at = 20};
    const sembed_poll poll = questions_poll(&questions);
    assert_fails(tokenizer_encode(fixture.tokenizer, fixture.scratch, (sembed_text){text, size},
                                  SIZE_MAX, true, &poll, &fixture.encoding, &fixture.error),
                 SEMBED_CANCELED, fixture.error, "");
    questions = (struct questions){0};
    assert_ok(tokenizer_encode(fixture.tokenizer, fixture.scratch, (sembed_text){text, size},
                               SIZE_MAX, true, &poll, &fixture.encoding, &fixture.error),
              fixture.error);
    assert_string_equal(encoding_text(&fixture.encoding), "2:0:0:0 1:0:0:4194304 3:0:0:0");
    free(text);
    close_fixture(&fixture);
}

/* Marks without end sort in linear time: a quadratic sort of these would take minutes. */
static void endless_marks_take_no_endless_time(void **state)
{
    (void)state;
    struct fixture fixture = open_json(bert_json);
    const size_t marks = 1 << 19;
    char *text = malloc(marks * 4 + 1);
    text[0] = 'a';
    for (size_t i = 0; i < marks; i++)
        memcpy(text + 1 + i * 4, i % 2 ? "\xCC\xA3\xCC\xB4" : "\xCC\x81\xCC\xA1", 4);
    assert_string_equal(encode(&fixture, text, marks * 4 + 1, SIZE_MAX), "2:0:0:0 5:0:0:1 3:0:0:0");
    free(text);
    close_fixture(&fixture);
}

/* ------------------------------------------------------------------------------- questions */

static void tokens_have_their_spelling(void **state)
{
    (void)state;
    struct fixture fixture = open_json(bert_json);
    size_t length;
    assert_memory_equal(tokenizer_token(fixture.tokenizer, 9, &length), "##aff", 5);
    assert_int_equal(length, 5);
    assert_memory_equal(tokenizer_token(fixture.tokenizer, 4, &length), "[MASK]", 6);
    assert_null(tokenizer_token(fixture.tokenizer, 18, &length));
    assert_int_equal(tokenizer_id_limit(fixture.tokenizer), 18);
    assert_true(tokenizer_max_length(fixture.tokenizer) == SIZE_MAX);
    close_fixture(&fixture);
}

static void the_longest_input_is_in_tokenizer_config(void **state)
{
    (void)state;
    char *folder = folder_create();
    folder_write_text(folder, "tokenizer.json", bert_json);
    folder_write_text(folder, "tokenizer_config.json", "{\"model_max_length\": 77}");
    struct fixture fixture = open_folder(folder);
    assert_int_equal(tokenizer_max_length(fixture.tokenizer), 77);
    close_fixture(&fixture);
    folder_write_text(folder, "tokenizer_config.json",
                      "{\"model_max_length\": 1000000000000000019884624838656}");
    fixture = open_folder(folder);
    assert_true(tokenizer_max_length(fixture.tokenizer) == SIZE_MAX);
    close_fixture(&fixture);
    folder_remove(folder);
}

/* transformers gives a token of special_tokens_map.json that is in no vocabulary the next id. */
static void tokens_of_the_small_files_are_added(void **state)
{
    (void)state;
    char *folder = folder_create();
    folder_write_text(folder, "tokenizer.json", bert_json);
    folder_write_text(folder, "added_tokens.json", "{\"<new>\": 18}");
    folder_write_text(folder, "special_tokens_map.json",
                      "{\"pad_token\": {\"content\": \"<pad>\", \"lstrip\": true}}");
    struct fixture fixture = open_folder(folder);
    assert_string_equal(encode(&fixture, "a <NEW> <pad>", 13, SIZE_MAX),
                        "2:0:0:0 5:0:0:1 18:0:2:7 19:0:7:13 3:0:0:0");
    assert_int_equal(tokenizer_id_limit(fixture.tokenizer), 20);
    close_fixture(&fixture);
    folder_remove(folder);
}

/* special_tokens_map.json is of old: it counts only beside a tokenizer_config.json without tokens. */
static void listed_tokens_outweigh_the_older_file(void **state)
{
    (void)state;
    char *folder = folder_create();
    folder_write_text(folder, "tokenizer.json", bert_json);
    folder_write_text(folder, "special_tokens_map.json", "{\"pad_token\": \"<old>\"}");
    folder_write_text(folder, "tokenizer_config.json",
                      "{\"pad_token\": \"<pad>\", \"added_tokens_decoder\": {\"18\": "
                      "{\"content\": \"<pad>\", \"special\": true, \"lstrip\": true}}}");
    struct fixture fixture = open_folder(folder);
    assert_string_equal(encode(&fixture, "a <pad>", 7, SIZE_MAX),
                        "2:0:0:0 5:0:0:1 18:0:1:7 3:0:0:0");
    assert_int_equal(tokenizer_id_limit(fixture.tokenizer), 19);
    close_fixture(&fixture);
    folder_write_text(folder, "tokenizer_config.json",
                      "{\"pad_token\": \"<pad>\", \"split_special_tokens\": true}");
    fixture = open_folder(folder);
    assert_string_equal(encode(&fixture, "[MASK]", 6, SIZE_MAX),
                        "2:0:0:0 1:0:0:1 1:0:1:5 1:0:5:6 3:0:0:0");
    size_t length;
    assert_memory_equal(tokenizer_token(fixture.tokenizer, 18, &length), "<old>", 5);
    close_fixture(&fixture);
    folder_remove(folder);
}

/* Lines may end in CR LF; white space behind a token is none of it. */
static void a_vocab_txt_is_read_line_by_line(void **state)
{
    (void)state;
    char *folder = folder_create();
    folder_write_text(folder, "vocab.txt",
                      "[PAD]\r\n[UNK] \n[CLS]\n\n[SEP]\xE3\x80\x80\n[MASK]\nab\n##c\nAb");
    struct fixture fixture = open_folder(folder);
    assert_string_equal(encode(&fixture, "ABC z[SEP]", 10, SIZE_MAX),
                        "2:0:0:0 6:0:0:2 7:0:2:3 1:0:4:5 4:0:5:10 4:0:0:0");
    close_fixture(&fixture);
    folder_write_text(folder, "tokenizer_config.json", "{\"do_lower_case\": false}");
    fixture = open_folder(folder);
    assert_string_equal(encode(&fixture, "Abc ab", 6, SIZE_MAX),
                        "2:0:0:0 8:0:0:2 7:0:2:3 6:0:4:6 4:0:0:0");
    close_fixture(&fixture);
    folder_remove(folder);
}

/* ------------------------------------------------------------------------------- refusals */

/* bert_json with one string in it replaced. */
static sembed_status try_edited(const char *old, const char *new, sembed_error *error)
{
    char *folder = folder_create();
    struct tokenizer *tokenizer = NULL;
    folder_write_text(folder, "tokenizer.json", bert_json);
    folder_edit(folder, "tokenizer.json", old, new);
    sembed_status status = tokenizer_open(folder, NULL, &tokenizer, error);
    tokenizer_close(tokenizer);
    folder_remove(folder);
    return status;
}

static void what_is_unknown_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *old, *new;
        sembed_status status;
        const char *message;
    } cases[] = {
        {"\"BertNormalizer\"", "\"Mystery\"", SEMBED_UNSUPPORTED,
         "key 'normalizer': type 'Mystery'"},
        {"{\"type\": \"BertPreTokenizer\"}", "{\"type\": \"Riddle\"}", SEMBED_UNSUPPORTED,
         "key 'pre_tokenizer': type 'Riddle'"},
        {"\"BertProcessing\"", "\"Enigma\"", SEMBED_UNSUPPORTED,
         "key 'post_processor': type 'Enigma'"},
        {"\"WordPiece\"", "\"WordLevel\"", SEMBED_UNSUPPORTED, "key 'model': type 'WordLevel'"},
        {"{\"type\": \"BertPreTokenizer\"}",
         "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"invert\": false, "
         "\"behavior\": \"Sideways\", \"pattern\": {\"String\": \"a\"}}]}",
         SEMBED_UNSUPPORTED, "behavior 'Sideways'"},
        {"{\"type\": \"BertPreTokenizer\"}",
         "{\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": {\"Regex\": \"a(b\"}}",
         SEMBED_UNSUPPORTED, "regular expression 'a(b'"},
        {"{\"type\": \"BertPreTokenizer\"}", "{\"type\": \"Metaspace\", \"replacement\": \"__\"}",
         SEMBED_MALFORMED, "one character"},
        {"\"lowercase\": true", "\"lowercase\": 1", SEMBED_MALFORMED, "'lowercase'"},
        {"[\"[SEP]\", 3]", "[\"[SEP]\", -3]", SEMBED_MALFORMED, "'sep'"},
        {"\"content\": \"[MASK]\"", "\"content\": 4", SEMBED_MALFORMED, "'content'"},
        {"\"aa\": 17", "\"aa\": 4000000000", SEMBED_LIMIT, "4000000000"},
        {"\"model\"", "\"modell\"", SEMBED_MALFORMED, "'model'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sembed_error error = {0};
        assert_fails(try_edited(cases[i].old, cases[i].new, &error), cases[i].status, error,
                     cases[i].message);
        assert_non_null(strstr(error.message, i == 10 ? "" : "tokenizer.json"));
    }
}

static void a_folder_without_a_tokenizer_says_what_was_looked_for(void **state)
{
    (void)state;
    sembed_error error = {0};
    struct tokenizer *tokenizer = NULL;
    char *folder = folder_create();
    assert_fails(tokenizer_open(folder, NULL, &tokenizer, &error), SEMBED_NOT_FOUND, error,
                 "tokenizer.json, vocab.txt, vocab.json with merges.txt, sentencepiece.bpe.model");
    folder_write_text(folder, "vocab.json", "{}"); /* merges.txt is missing */
    assert_fails(tokenizer_open(folder, NULL, &tokenizer, &error), SEMBED_NOT_FOUND, error,
                 "merges.txt");
    folder_write(folder, "vocab.txt", "[UNK]\n\xFF\n", 8);
    assert_fails(tokenizer_open(folder, NULL, &tokenizer, &error), SEMBED_MALFORMED, error,
                 "vocab.txt: not valid UTF-8 at byte 6");
    folder_write_text(folder, "vocab.txt", "[UNK]\n[CLS]\n");
    assert_ok(tokenizer_open(folder, NULL, &tokenizer, &error), error); /* [SEP] is added */
    tokenizer_close(tokenizer);
    folder_remove(folder);
}

static void a_word_without_an_unknown_token_is_an_error_at_last(void **state)
{
    (void)state;
    char *folder = folder_create();
    folder_write_text(folder, "tokenizer.json", bert_json);
    folder_edit(folder, "tokenizer.json", "\"unk_token\": \"[UNK]\"", "\"unk_token\": \"<gone>\"");
    struct fixture fixture = open_folder(folder);
    assert_string_equal(encode(&fixture, "a", 1, SIZE_MAX), "2:0:0:0 5:0:0:1 3:0:0:0");
    assert_fails(tokenizer_encode(fixture.tokenizer, fixture.scratch, (sembed_text){"zz", 2},
                                  SIZE_MAX, false, NULL, &fixture.encoding, &fixture.error),
                 SEMBED_MALFORMED, fixture.error, "<gone>");
    close_fixture(&fixture);
    folder_remove(folder);
}

/* ------------------------------------------------------------------------------- memory */

static const char *const fixture_names[] = {"tiny-bert",      "mpnet",       "roberta",
                                            "roberta-merges", "xlm-roberta", "xlm-roberta-model",
                                            "camembert-model"};

static const char *const mixed_text =
    "Hello <mask> w\xC3\xB6rld, it's 42 \xE4\xBD\xA0\xE5\xA5\xBD \xFF\xF0\x9F\x98\x80  [MASK]!";

static void nothing_is_allocated_in_the_steady_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fixture_names / sizeof *fixture_names; i++) {
        struct fixture fixture = open_fixture(fixture_names[i]);
        encode(&fixture, mixed_text, strlen(mixed_text), SIZE_MAX);
        encode_pair(&fixture, mixed_text, mixed_text, 20);
        memory_fail_from(0);
        encode(&fixture, mixed_text, strlen(mixed_text), SIZE_MAX);
        encode(&fixture, mixed_text, strlen(mixed_text) / 2, 10);
        encode_pair(&fixture, mixed_text, mixed_text, 20);
        assert_int_equal(memory_allocation_count(), 0);
        close_fixture(&fixture);
    }
}

/* The nth allocation and all behind it fail, for each n until none is needed: an error each time,
 * never a crash, a leak (make asan) or a tokenizer that is not whole. */
static void no_memory_is_said_when_opening(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fixture_names / sizeof *fixture_names; i++) {
        char folder[512];
        snprintf(folder, sizeof folder, "%s/%s", fixtures_folder(), fixture_names[i]);
        sembed_status status = SEMBED_NO_MEMORY;
        for (size_t nth = 1; status != SEMBED_OK; nth++) {
            sembed_error error = {0};
            struct tokenizer *tokenizer = NULL;
            memory_fail_from(nth);
            status = tokenizer_open(folder, NULL, &tokenizer, &error);
            memory_fail_from(0);
            if (status != SEMBED_OK)
                assert_fails(status, SEMBED_NO_MEMORY, error, "");
            tokenizer_close(tokenizer);
        }
    }
}

static void no_memory_is_said_when_encoding(void **state)
{
    (void)state;
    const sembed_text text = {mixed_text, strlen(mixed_text)};
    for (size_t i = 0; i < sizeof fixture_names / sizeof *fixture_names; i++) {
        sembed_status status = SEMBED_NO_MEMORY;
        struct fixture fixture = open_fixture(fixture_names[i]);
        tokenizer_scratch_destroy(fixture.scratch);
        for (size_t nth = 1; status != SEMBED_OK; nth++) {
            fixture.scratch = NULL;
            memory_fail_from(nth);
            status = tokenizer_scratch_create(&fixture.scratch, &fixture.error);
            if (status == SEMBED_OK)
                status = tokenizer_encode_pair(fixture.tokenizer, fixture.scratch, text, text, 50,
                                               true, NULL, &fixture.encoding, &fixture.error);
            memory_fail_from(0);
            if (status != SEMBED_OK) {
                assert_fails(status, SEMBED_NO_MEMORY, fixture.error, "");
                tokenizer_scratch_destroy(fixture.scratch);
            }
            encoding_free(&fixture.encoding);
        }
        close_fixture(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_the_library_s_tokens),
        cmocka_unit_test(bytes_that_are_no_text_keep_their_places),
        cmocka_unit_test(offsets_are_left_alone_where_nobody_asks),
        cmocka_unit_test(spaces_are_taken_off_offsets_as_the_library_does),
        cmocka_unit_test(a_limit_cuts_before_the_closing_token),
        cmocka_unit_test(pairs_are_cut_longest_first),
        cmocka_unit_test(what_is_too_long_may_lose_its_front),
        cmocka_unit_test(the_first_token_left_is_trimmed_as_the_first),
        cmocka_unit_test(the_side_is_where_transformers_looks_for_it),
        cmocka_unit_test(work_beyond_the_limit_is_not_done),
        cmocka_unit_test(a_call_stops_when_it_is_told_to),
        cmocka_unit_test(a_text_without_a_space_can_be_stopped_too),
        cmocka_unit_test(endless_marks_take_no_endless_time),
        cmocka_unit_test(tokens_have_their_spelling),
        cmocka_unit_test(the_longest_input_is_in_tokenizer_config),
        cmocka_unit_test(tokens_of_the_small_files_are_added),
        cmocka_unit_test(listed_tokens_outweigh_the_older_file),
        cmocka_unit_test(a_vocab_txt_is_read_line_by_line),
        cmocka_unit_test(what_is_unknown_is_named),
        cmocka_unit_test(a_folder_without_a_tokenizer_says_what_was_looked_for),
        cmocka_unit_test(a_word_without_an_unknown_token_is_an_error_at_last),
        cmocka_unit_test(nothing_is_allocated_in_the_steady_state),
        cmocka_unit_test(no_memory_is_said_when_opening),
        cmocka_unit_test(no_memory_is_said_when_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
