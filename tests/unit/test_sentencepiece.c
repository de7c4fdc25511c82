/* core/text/sentencepiece: files written here, byte by byte. */
#include "core/base/memory.h"
#include "core/text/sentencepiece.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

/* --- a protobuf writer -------------------------------------------------------------------------- */

struct bytes {
    unsigned char data[4096];
    size_t size;
};

static void put(struct bytes *bytes, const void *data, size_t size)
{
    assert_true(bytes->size + size <= sizeof bytes->data);
    if (size)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

static void put_varint(struct bytes *bytes, uint64_t value)
{
    do {
        unsigned char byte = (unsigned char)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        put(bytes, &byte, 1);
        value >>= 7;
    } while (value);
}

static void put_number(struct bytes *bytes, unsigned field, uint64_t value)
{
    put_varint(bytes, field << 3 | 0);
    put_varint(bytes, value);
}

static void put_float(struct bytes *bytes, unsigned field, float value)
{
    put_varint(bytes, field << 3 | 5);
    put(bytes, &value, sizeof value); /* little-endian hosts */
}

static void put_bytes(struct bytes *bytes, unsigned field, const void *data, size_t size)
{
    put_varint(bytes, field << 3 | 2);
    put_varint(bytes, size);
    put(bytes, data, size);
}

static void put_piece(struct bytes *bytes, const char *text, float score, int type)
{
    struct bytes piece = {.size = 0};
    put_bytes(&piece, 1, text, strlen(text));
    put_float(&piece, 2, score);
    if (type)
        put_number(&piece, 3, (uint64_t)type);
    put_bytes(bytes, 1, piece.data, piece.size);
}

/* A file with everything that is read, and fields that are not. */
static void fill_model(struct bytes *model)
{
    *model = (struct bytes){.size = 0};
    put_piece(model, "<unk>", 0, SENTENCEPIECE_UNKNOWN);
    put_piece(model, "<s>", 0, SENTENCEPIECE_CONTROL);
    put_piece(model, "</s>", 0, SENTENCEPIECE_CONTROL);
    put_piece(model, ",", -3.5f, 0);
    put_piece(model, "\xE2\x96\x81the", -4.25f, SENTENCEPIECE_NORMAL);
    put_piece(model, "<sep>", 0, SENTENCEPIECE_USER_DEFINED);
    struct bytes trainer = {.size = 0};
    put_bytes(&trainer, 2, "prefix", 6);
    put_number(&trainer, 3, SENTENCEPIECE_UNIGRAM);
    put_float(&trainer, 10, 0.9995f);
    put_number(&trainer, 35, 1);
    put_number(&trainer, 40, 0);
    put_number(&trainer, 43, (uint64_t)-1);
    put_bytes(model, 2, trainer.data, trainer.size);
    struct bytes normalizer = {.size = 0};
    put_bytes(&normalizer, 1, "nmt_nfkc", 8);
    put_bytes(&normalizer, 2, "\4\0\0\0\0\0\0\0x", 9);
    put_number(&normalizer, 3, 1);
    put_number(&normalizer, 4, 0);
    put_bytes(model, 3, normalizer.data, normalizer.size);
    put_varint(model, 200 << 3 | 1); /* an extension: eight bytes */
    put(model, "12345678", 8);
}

struct fixture {
    char *folder;
    char path[512];
    struct sentencepiece model;
    sembed_error error;
};

static sembed_status fixture_open(struct fixture *fixture, const void *data, size_t size)
{
    *fixture = (struct fixture){.folder = folder_create()};
    folder_write(fixture->folder, "some.model", data, size);
    snprintf(fixture->path, sizeof fixture->path, "%s/some.model", fixture->folder);
    return sentencepiece_open(fixture->path, NULL, &fixture->model, &fixture->error);
}

static void fixture_close(struct fixture *fixture)
{
    sentencepiece_close(&fixture->model);
    folder_remove(fixture->folder);
}

static void reads_pieces_and_specs(void **state)
{
    (void)state;
    static struct bytes model;
    fill_model(&model);
    struct fixture fixture;
    assert_ok(fixture_open(&fixture, model.data, model.size), fixture.error);
    const struct sentencepiece *read = &fixture.model;
    assert_int_equal(read->count, 6);
    assert_int_equal(read->pieces[4].length, 6);
    assert_memory_equal(read->pieces[4].text, "\xE2\x96\x81the", 6);
    assert_true(read->pieces[4].score == -4.25);
    assert_int_equal(read->types[0], SENTENCEPIECE_UNKNOWN);
    assert_int_equal(read->types[1], SENTENCEPIECE_CONTROL);
    assert_int_equal(read->types[3], SENTENCEPIECE_NORMAL); /* the default */
    assert_int_equal(read->types[5], SENTENCEPIECE_USER_DEFINED);
    assert_int_equal(read->algorithm, SENTENCEPIECE_UNIGRAM);
    assert_int_equal(read->unknown_id, 0);
    assert_int_equal(read->begin_id, 1); /* defaults of the schema */
    assert_int_equal(read->end_id, 2);
    assert_int_equal(read->padding_id, -1);
    assert_true(read->byte_fallback);
    assert_int_equal(read->charsmap_size, 9);
    assert_int_equal(read->charsmap[8], 'x');
    assert_true(read->add_dummy_prefix);
    assert_false(read->remove_extra_whitespaces);
    assert_true(read->escape_whitespaces); /* the default */
    fixture_close(&fixture);
}

static void check_pieces(const struct sentencepiece_conversion *conversion,
                         const char *const *expected, size_t count)
{
    assert_int_equal(conversion->count, count);
    assert_int_equal(conversion->unknown_id, 3);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(conversion->pieces[i].length, strlen(expected[i]));
        assert_memory_equal(conversion->pieces[i].text, expected[i], strlen(expected[i]));
    }
}

static void check_added(const struct sentencepiece_conversion *conversion,
                        const struct sentencepiece_added_token *expected, size_t count)
{
    assert_int_equal(conversion->added_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct sentencepiece_added_token *token = &conversion->added[i];
        assert_int_equal(token->length, strlen(expected[i].text));
        assert_memory_equal(token->text, expected[i].text, token->length);
        assert_int_equal(token->id, expected[i].id);
        assert_int_equal(token->special, expected[i].special);
        assert_int_equal(token->lstrip, expected[i].lstrip);
    }
}

/* Expected: what transformers 5.23 makes of the same file. */
static void xlm_roberta_puts_four_tokens_first(void **state)
{
    (void)state;
    static const char *const pieces[] = {"<s>", "<pad>",           "</s>",  "<unk>",
                                         ",",   "\xE2\x96\x81the", "<sep>", "<mask>"};
    static const struct sentencepiece_added_token added[] = {
        {"<s>", 3, 0, true, false},   {"</s>", 4, 2, true, false},   {"<unk>", 5, 3, true, false},
        {"<pad>", 5, 1, true, false}, {"<mask>", 6, 7, true, false}, {"<sep>", 5, 6, false, false}};
    static struct bytes model;
    fill_model(&model);
    struct fixture fixture;
    struct sentencepiece_conversion conversion;
    assert_ok(fixture_open(&fixture, model.data, model.size), fixture.error);
    assert_ok(sentencepiece_convert(&fixture.model, SENTENCEPIECE_XLM_ROBERTA, &conversion,
                                    &fixture.error),
              fixture.error);
    check_pieces(&conversion, pieces, sizeof pieces / sizeof *pieces);
    assert_true(conversion.pieces[5].score == -4.25);
    check_added(&conversion, added, sizeof added / sizeof *added);
    sentencepiece_conversion_free(&conversion);
    fixture_close(&fixture);
}

static void camembert_keeps_the_files_own_beginning_and_end(void **state)
{
    (void)state;
    static const char *const pieces[] = {"<s>NOTUSED",      "<pad>", "</s>NOTUSED", "<unk>",
                                         "<unk>NOTUSED",    "<s>",   "</s>",        ",",
                                         "\xE2\x96\x81the", "<sep>", "<mask>"};
    static const struct sentencepiece_added_token added[] = {
        {"<s>", 3, 5, true, false},   {"</s>", 4, 6, true, false},   {"<unk>", 5, 3, true, false},
        {"<pad>", 5, 1, true, false}, {"<mask>", 6, 10, true, true}, {"<sep>", 5, 9, false, false}};
    static struct bytes model;
    fill_model(&model);
    struct fixture fixture;
    struct sentencepiece_conversion conversion;
    assert_ok(fixture_open(&fixture, model.data, model.size), fixture.error);
    assert_ok(
        sentencepiece_convert(&fixture.model, SENTENCEPIECE_CAMEMBERT, &conversion, &fixture.error),
        fixture.error);
    check_pieces(&conversion, pieces, sizeof pieces / sizeof *pieces);
    assert_true(conversion.pieces[4].score == -100);
    check_added(&conversion, added, sizeof added / sizeof *added);
    sentencepiece_conversion_free(&conversion);
    fixture_close(&fixture);
}

/* A CamemBERT file without <s> and </s>: they get the ids behind the pieces. */
static void missing_tokens_are_added_behind(void **state)
{
    (void)state;
    static struct bytes model;
    model.size = 0;
    put_piece(&model, "<unk>", 0, SENTENCEPIECE_UNKNOWN);
    put_piece(&model, "a", -1, 0);
    struct fixture fixture;
    struct sentencepiece_conversion conversion;
    assert_ok(fixture_open(&fixture, model.data, model.size), fixture.error);
    assert_ok(
        sentencepiece_convert(&fixture.model, SENTENCEPIECE_CAMEMBERT, &conversion, &fixture.error),
        fixture.error);
    assert_int_equal(conversion.count, 7);
    assert_int_equal(conversion.added[0].id, 7);
    assert_int_equal(conversion.added[1].id, 8);
    assert_int_equal(conversion.added[4].id, 6);
    sentencepiece_conversion_free(&conversion);
    fixture_close(&fixture);
}

/* Ids and settings that are not those of the schema. */
static void other_ids_are_read(void **state)
{
    (void)state;
    static struct bytes model;
    fill_model(&model);
    struct bytes trainer = {.size = 0}, normalizer = {.size = 0};
    put_number(&trainer, 40, 2);
    put_number(&trainer, 41, 0);
    put_number(&trainer, 42, 5);
    put_bytes(&model, 2, trainer.data, trainer.size);
    put_number(&normalizer, 5, 0);
    put_bytes(&model, 3, normalizer.data, normalizer.size);
    struct fixture fixture;
    assert_ok(fixture_open(&fixture, model.data, model.size), fixture.error);
    assert_int_equal(fixture.model.unknown_id, 2);
    assert_int_equal(fixture.model.begin_id, 0);
    assert_int_equal(fixture.model.end_id, 5);
    assert_false(fixture.model.escape_whitespaces);
    fixture_close(&fixture);
}

static void other_algorithms_are_refused(void **state)
{
    (void)state;
    static struct bytes model;
    fill_model(&model);
    struct bytes trainer = {.size = 0};
    put_number(&trainer, 3, SENTENCEPIECE_BPE);
    put_bytes(&model, 2, trainer.data, trainer.size); /* a second one is merged into the first */
    struct fixture fixture;
    struct sentencepiece_conversion conversion;
    assert_ok(fixture_open(&fixture, model.data, model.size), fixture.error);
    assert_true(fixture.model.byte_fallback);
    assert_fails(sentencepiece_convert(&fixture.model, SENTENCEPIECE_XLM_ROBERTA, &conversion,
                                       &fixture.error),
                 SEMBED_UNSUPPORTED, fixture.error, "model_type: expected 1 (Unigram), found 2");
    fixture_close(&fixture);
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    static struct bytes model;
    fill_model(&model);
    struct fixture fixture;
    /* Cut anywhere but between two fields. */
    size_t refused = 0;
    for (size_t size = 0; size < model.size; size++) {
        if (fixture_open(&fixture, model.data, size) != SEMBED_OK) {
            assert_int_equal(fixture.error.code, SEMBED_MALFORMED);
            refused++;
        }
        fixture_close(&fixture);
    }
    assert_int_equal(refused, model.size - 8); /* 8 of the cuts leave whole fields */

    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11}, /* a length of 2^64 - 1 */
        {"\x0A\x05\x0A\x7F"
         "abc",
         7},                                 /* a string longer than its message */
        {"\x0A\x03\x0A\x01\xFF", 5},         /* not UTF-8 */
        {"\x0A\x05\x15\x00\x00\xC0\x7F", 7}, /* a score that is no number */
        {"\x0B\x0C", 2},                     /* a group */
        {"{\"not\": \"protobuf\"}", 19},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(fixture_open(&fixture, cases[i].bytes, cases[i].size), SEMBED_MALFORMED,
                     fixture.error, "some.model");
        fixture_close(&fixture);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static struct bytes model;
    fill_model(&model);
    struct fixture fixture;
    assert_ok(fixture_open(&fixture, model.data, model.size), fixture.error);
    sembed_status status = SEMBED_NO_MEMORY;
    for (size_t nth = 1; status == SEMBED_NO_MEMORY; nth++) {
        sentencepiece_close(&fixture.model);
        struct sentencepiece_conversion conversion = {0};
        memory_fail_from(nth);
        status = sentencepiece_open(fixture.path, NULL, &fixture.model, &fixture.error);
        if (status == SEMBED_OK)
            status = sentencepiece_convert(&fixture.model, SENTENCEPIECE_CAMEMBERT, &conversion,
                                           &fixture.error);
        memory_fail_from(0);
        sentencepiece_conversion_free(&conversion);
        assert_true(nth < 100);
    }
    assert_ok(status, fixture.error);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_pieces_and_specs),
        cmocka_unit_test(xlm_roberta_puts_four_tokens_first),
        cmocka_unit_test(camembert_keeps_the_files_own_beginning_and_end),
        cmocka_unit_test(missing_tokens_are_added_behind),
        cmocka_unit_test(other_ids_are_read),
        cmocka_unit_test(other_algorithms_are_refused),
        cmocka_unit_test(broken_files_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("sentencepiece", tests, NULL, NULL);
}
