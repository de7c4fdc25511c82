/*
 * Every normalizer, pre-tokenizer, post-processor and flag of an added token against what the
 * tokenizers library makes of the same texts: tests/fixtures/components.jsonl, written by
 * tests/parity/component_parity.py. Two models that know bytes alone stand behind them: BPE shows
 * where each byte comes from, Unigram where each word begins and ends.
 */
#include "core/text/tokenizer.h"
#include "tests/unit/folder.h"
#include "tests/unit/golden.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define BYTE_TOKENS 256 /* ids 1 to 256 are the bytes 0 to 255 */

/* The models by name, in the order of a line's digests. */
static const char *const model_names[2] = {"bytes", "words"};

struct subject {
    const char *name;
    struct tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    struct encoding encoding;
};

static void subject_open(struct subject *subject, const json_t *line, const json_t *model)
{
    sembed_error error = {0};
    char *folder = folder_create();
    json_t *root = json_copy(json_object_get(line, "tokenizer"));
    assert_int_equal(json_object_set(root, "model", (json_t *)model), 0);
    char *text = json_dumps(root, 0);
    folder_write_text(folder, "tokenizer.json", text);
    *subject = (struct subject){.name = json_string_value(json_object_get(line, "name"))};
    assert_ok(tokenizer_open(folder, NULL, &subject->tokenizer, &error), error);
    assert_ok(tokenizer_scratch_create(&subject->scratch, &error), error);
    free(text);
    json_decref(root);
    folder_remove(folder);
}

static void subject_close(struct subject *subject)
{
    encoding_free(&subject->encoding);
    tokenizer_scratch_destroy(subject->scratch);
    tokenizer_close(subject->tokenizer);
}

static void encode(struct subject *subject, sembed_text text)
{
    sembed_error error = {0};
    assert_ok(tokenizer_encode(subject->tokenizer, subject->scratch, text, SIZE_MAX, true, NULL,
                               &subject->encoding, &error),
              error);
}

/* FNV-1a over ids and offsets. */
static uint32_t digest(const struct encoding *encoding)
{
    uint32_t state = 2166136261u;
    for (size_t i = 0; i < encoding->count; i++) {
        const uint32_t numbers[3] = {encoding->ids[i], encoding->start[i], encoding->stop[i]};
        for (size_t n = 0; n < 3; n++)
            for (unsigned shift = 0; shift < 32; shift += 8)
                state = (state ^ (numbers[n] >> shift & 0xFF)) * 16777619u;
    }
    return state;
}

/* [[word, start, stop], …] of an encoding: byte tokens of the same offsets are one word. */
static json_t *words_of(const struct encoding *encoding)
{
    json_t *words = json_array();
    char *word = malloc(encoding->count + 1);
    for (size_t i = 0, length = 0; i < encoding->count; i++) {
        uint32_t id = encoding->ids[i], start = encoding->start[i], stop = encoding->stop[i];
        if (id < 1 || id > BYTE_TOKENS) {
            json_array_append_new(words, json_pack("[i, i, i]", (int)id, (int)start, (int)stop));
            continue;
        }
        word[length++] = (char)(id - 1);
        bool goes_on = i + 1 < encoding->count && encoding->start[i + 1] == start &&
                       encoding->stop[i + 1] == stop && encoding->ids[i + 1] >= 1 &&
                       encoding->ids[i + 1] <= BYTE_TOKENS;
        if (goes_on)
            continue;
        json_t *text = json_stringn(word, length);
        json_array_append_new(words, json_pack("[o, i, i]", text, (int)start, (int)stop));
        length = 0;
    }
    free(word);
    return words;
}

static void check_words(struct subject *subject, const json_t *expected, sembed_text text)
{
    json_t *found = words_of(&subject->encoding);
    if (!json_equal(found, expected)) {
        char *written = json_dumps(found, JSON_COMPACT),
             *wanted = json_dumps(expected, JSON_COMPACT);
        fail_msg("%s: %s\nexpected %s\nfound    %s", subject->name, text.data, wanted, written);
    }
    json_decref(found);
}

/* The line's texts again and again: longer than what is tokenized in one part. */
static char *long_text(const json_t *texts, size_t *length)
{
    size_t once = json_array_size(texts) - 1; /* spaces between */
    for (size_t i = 0; i < json_array_size(texts); i++)
        once += json_string_length(json_array_get(texts, i));
    size_t times = 6000 / once + 1;
    char *text = malloc(times * (once + 1)), *at = text;
    for (size_t i = 0; i < times * json_array_size(texts); i++) {
        const json_t *one = json_array_get(texts, i % json_array_size(texts));
        if (i)
            *at++ = ' ';
        memcpy(at, json_string_value(one), json_string_length(one));
        at += json_string_length(one);
    }
    *length = (size_t)(at - text);
    return text;
}

static void check_digest(const struct subject *subject, const json_t *digests, size_t i)
{
    json_int_t expected = json_integer_value(json_array_get(digests, i));
    if (digest(&subject->encoding) != (uint32_t)expected)
        fail_msg("%s: text %zu: ids or offsets differ", subject->name, i);
}

static void check_line(const json_t *line, const json_t *models, size_t which)
{
    const json_t *texts = json_object_get(line, "texts");
    const json_t *words = json_object_get(line, "words");
    const json_t *digests = json_array_get(json_object_get(line, "digests"), which);
    struct subject subject;
    size_t i;
    subject_open(&subject, line, json_object_get(models, model_names[which]));
    for (i = 0; i < json_array_size(texts); i++) {
        const json_t *one = json_array_get(texts, i);
        sembed_text text = {json_string_value(one), json_string_length(one)};
        encode(&subject, text);
        if (which == 1)
            check_words(&subject, json_array_get(words, i), text);
        check_digest(&subject, digests, i);
    }
    sembed_text text = {0};
    char *data = long_text(texts, &text.length);
    text.data = data;
    encode(&subject, text);
    check_digest(&subject, digests, i);
    free(data);
    subject_close(&subject);
}

static void check_all(size_t which)
{
    char path[512];
    snprintf(path, sizeof path, "%s/components.jsonl", fixtures_folder());
    json_t *lines = golden_read(path);
    const json_t *models = json_array_get(lines, 0);
    assert_true(json_array_size(lines) > 100);
    for (size_t i = 1; i < json_array_size(lines); i++)
        check_line(json_array_get(lines, i), models, which);
    json_decref(lines);
}

static void bytes_come_from_where_the_library_says(void **state)
{
    (void)state;
    check_all(0);
}

static void words_are_the_library_s(void **state)
{
    (void)state;
    check_all(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_from_where_the_library_says),
        cmocka_unit_test(words_are_the_library_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
