/* core/base/archive and the tokenizer's tables through it: what is opened works like what was saved,
 * and what is cut short is refused. */
#include "core/base/archive.h"
#include "core/base/file.h"
#include "core/base/memory.h"
#include "core/text/tokenizer.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* ------------------------------------------------------------------------------------- in memory */

/* What was saved, as a file would hold it. */
struct saved {
    unsigned char *records, *tables;
    size_t record_size, tables_size;
};

static struct saved saved_copy(const struct archive *archive)
{
    struct saved saved = {memory_alloc(archive->record_size), memory_aligned(archive->tables_size),
                          archive->record_size, archive->tables_size};
    unsigned char *to = saved.tables;
    memcpy(saved.records, archive->records, saved.record_size);
    for (size_t i = 0; i < archive->table_count; i++) {
        const struct archive_range *table = &archive->tables[i];
        if (table->size)
            memcpy(to, table->data, table->size);
        memset(to + table->size, 0, archive_padding(table->size));
        to += table->size + archive_padding(table->size);
    }
    assert_ptr_equal(to, saved.tables + saved.tables_size);
    return saved;
}

static void saved_free(struct saved *saved)
{
    memory_free(saved->records);
    memory_free(saved->tables);
}

static struct archive saved_open(const struct saved *saved, size_t record_size, size_t tables_size,
                                 sembed_error *error)
{
    return archive_for_opening((struct archive_range){saved->records, record_size},
                               (struct archive_range){saved->tables, tables_size}, error);
}

struct sample {
    uint32_t number;
    char *name, *absent, *text;
    size_t text_length;
    uint16_t *table;
    size_t table_count;
};

static void sample_store(struct archive *archive, struct sample **sample)
{
    struct sample *stored = archive_struct(archive, (void **)sample, sizeof **sample);
    if (!stored)
        return;
    archive_value(archive, &stored->number);
    archive_string(archive, &stored->name);
    archive_string(archive, &stored->absent);
    archive_text(archive, &stored->text, &stored->text_length);
    archive_value(archive, &stored->table_count);
    archive_table(archive, &stored->table, stored->table_count, sizeof *stored->table);
    archive_check(archive, stored->number == 7, "a number that is not 7");
}

static void sample_free(struct sample *sample)
{
    if (!sample)
        return;
    memory_free(sample->name);
    memory_free(sample->text);
    memory_free(sample);
}

static struct saved sample_saved(uint32_t number)
{
    sembed_error error = {0};
    uint16_t table[] = {1, 2, 3};
    struct sample sample = {number, "name", NULL, "a\0b", 3, table, 3}, *pointer = &sample;
    struct archive archive = archive_for_saving(&error);
    sample_store(&archive, &pointer);
    assert_ok(archive_finish(&archive), error);
    struct saved saved = saved_copy(&archive);
    archive_free(&archive);
    return saved;
}

static void what_was_saved_is_opened(void **state)
{
    (void)state;
    sembed_error error = {0};
    struct saved saved = sample_saved(7);
    struct archive archive = saved_open(&saved, saved.record_size, saved.tables_size, &error);
    struct sample *sample = NULL;
    sample_store(&archive, &sample);
    assert_ok(archive_finish(&archive), error);
    assert_string_equal(sample->name, "name");
    assert_null(sample->absent);
    assert_int_equal(sample->text_length, 3);
    assert_memory_equal(sample->text, "a\0b", 4);
    assert_ptr_equal(sample->table, saved.tables); /* where it lies, not a copy */
    assert_int_equal(sample->table[2], 3);
    sample_free(sample);
    saved_free(&saved);
}

static void opening_refuses_what_does_not_fit(void **state)
{
    (void)state;
    sembed_error error = {0};
    struct saved saved = sample_saved(7);
    for (size_t size = 0; size < saved.record_size; size++) {
        struct archive archive = saved_open(&saved, size, saved.tables_size, &error);
        struct sample *sample = NULL;
        sample_store(&archive, &sample);
        assert_int_equal(archive_finish(&archive), SEMBED_MALFORMED);
        sample_free(sample);
    }
    struct archive archive = saved_open(&saved, saved.record_size, 5, &error);
    struct sample *sample = NULL;
    sample_store(&archive, &sample);
    assert_fails(archive_finish(&archive), SEMBED_MALFORMED, error, "a table beyond the end");
    sample_free(sample);

    archive = saved_open(&saved, saved.record_size, saved.tables_size, &error);
    assert_fails(archive_finish(&archive), SEMBED_MALFORMED, error, "nobody reads");
    saved_free(&saved);

    saved = sample_saved(8);
    sample = NULL;
    archive = saved_open(&saved, saved.record_size, saved.tables_size, &error);
    sample_store(&archive, &sample);
    assert_fails(archive_finish(&archive), SEMBED_MALFORMED, error, "not 7");
    sample_free(sample);
    saved_free(&saved);
}

/* ----------------------------------------------------------------------------------- tokenizers */

static struct saved tokenizer_saved(struct tokenizer *tokenizer)
{
    sembed_error error = {0};
    struct archive archive = archive_for_saving(&error);
    tokenizer_store(&archive, &tokenizer);
    assert_ok(archive_finish(&archive), error);
    struct saved saved = saved_copy(&archive);
    archive_free(&archive);
    return saved;
}

static const char *const texts[] = {
    "",
    "The river ferry crosses at dawn; the CROWD's 3 dogs don't mind.",
    ("Caf\xC3\xA9 na\xC3\xAFve \xE2\x84\xAB \xEF\xAC\x81sh \xE5\x8C\x97\xE4\xBA\xAC "
     "\xF0\x9F\x98\x80 <mask> [SEP] </s>"),
    "unaffable   spaces\t\nand \xFF bytes <unk>x<pad>",
};

static void check_same(const char *name, const struct tokenizer *a, const struct tokenizer *b)
{
    sembed_error error = {0};
    struct tokenizer_scratch *scratch;
    struct encoding left = {0}, right = {0};
    assert_ok(tokenizer_scratch_create(&scratch, &error), error);
    assert_int_equal(tokenizer_id_limit(a), tokenizer_id_limit(b));
    assert_int_equal(tokenizer_max_length(a), tokenizer_max_length(b));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        sembed_text text = {texts[i], strlen(texts[i])};
        assert_ok(tokenizer_encode_pair(a, scratch, text, text, 500, true, NULL, &left, &error),
                  error);
        assert_ok(tokenizer_encode_pair(b, scratch, text, text, 500, true, NULL, &right, &error),
                  error);
        if (left.count != right.count)
            fail_msg("%s: %zu tokens, %zu from the image", name, left.count, right.count);
        assert_memory_equal(left.ids, right.ids, left.count * sizeof *left.ids);
        assert_memory_equal(left.types, right.types, left.count);
        assert_memory_equal(left.start, right.start, left.count * sizeof *left.start);
        assert_memory_equal(left.stop, right.stop, left.count * sizeof *left.stop);
    }
    for (uint32_t id = 0; id < tokenizer_id_limit(a); id++) {
        size_t length_a = 0, length_b = 0;
        const char *token_a = tokenizer_token(a, id, &length_a);
        const char *token_b = tokenizer_token(b, id, &length_b);
        assert_int_equal(length_a, length_b);
        assert_int_equal(token_a == NULL, token_b == NULL);
        if (token_a)
            assert_memory_equal(token_a, token_b, length_a);
    }
    encoding_free(&left);
    encoding_free(&right);
    tokenizer_scratch_destroy(scratch);
}

/* The same folder, opened again, gives the same records. Under valgrind (make valgrind) the comparison
 * finds a byte that nobody set and that would carry what was in memory into an image. */
static void check_saved_again(const char *name, const char *folder, const struct saved *saved)
{
    sembed_error error = {0};
    struct tokenizer *tokenizer;
    assert_ok(tokenizer_open(folder, NULL, &tokenizer, &error), error);
    struct saved again = tokenizer_saved(tokenizer);
    tokenizer_close(tokenizer);
    assert_int_equal(again.record_size, saved->record_size);
    for (size_t i = 0; i < saved->record_size; i++)
        if (again.records[i] != saved->records[i])
            fail_msg("%s: byte %zu of the records is %02x, then %02x", name, i, saved->records[i],
                     again.records[i]);
    saved_free(&again);
}

static void check_folder(const char *name, const char *folder)
{
    sembed_error error = {0};
    struct tokenizer *tokenizer, *opened = NULL;
    assert_ok(tokenizer_open(folder, NULL, &tokenizer, &error), error);
    struct saved saved = tokenizer_saved(tokenizer);
    check_saved_again(name, folder, &saved);

    struct archive archive = saved_open(&saved, saved.record_size, saved.tables_size, &error);
    tokenizer_store(&archive, &opened);
    assert_ok(archive_finish(&archive), error);
    check_same(name, tokenizer, opened);
    tokenizer_close(tokenizer);
    tokenizer_close(opened);

    for (size_t cut = 1; cut <= saved.record_size; cut += 1 + cut / 16) {
        archive = saved_open(&saved, saved.record_size - cut, saved.tables_size, &error);
        opened = NULL;
        tokenizer_store(&archive, &opened);
        assert_int_equal(archive_finish(&archive), SEMBED_MALFORMED);
        tokenizer_close(opened);
    }
    archive = saved_open(&saved, saved.record_size, saved.tables_size / 2, &error);
    opened = NULL;
    tokenizer_store(&archive, &opened);
    assert_int_equal(archive_finish(&archive), SEMBED_MALFORMED);
    tokenizer_close(opened);
    saved_free(&saved);
}

static void every_fixture_tokenizes_the_same(void **state)
{
    (void)state;
    size_t count = 0;
    DIR *directory = opendir(fixtures_folder());
    const struct dirent *item;
    assert_non_null(directory);
    while ((item = readdir(directory)) != NULL) {
        char folder[512];
        snprintf(folder, sizeof folder, "%s/%s", fixtures_folder(), item->d_name);
        if (item->d_name[0] == '.' || !folder_exists(folder))
            continue;
        snprintf(folder, sizeof folder, "%s/%s/config.json", fixtures_folder(), item->d_name);
        if (!file_exists(folder))
            continue;
        folder[strlen(folder) - strlen("/config.json")] = '\0';
        check_folder(item->d_name, folder);
        count++;
    }
    closedir(directory);
    assert_true(count >= 25);
}

/* Components that no fixture has: regular expressions and literals, contents, several steps. */
static void patterns_are_compiled_again(void **state)
{
    (void)state;
    char *folder = folder_create();
    folder_write_text(
        folder, "tokenizer.json",
        "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": ["
        "{\"type\": \"Prepend\", \"prepend\": \"_\"}, {\"type\": \"Lowercase\"},"
        "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \"f+\"}, \"content\": \"x\"},"
        "{\"type\": \"Replace\", \"pattern\": {\"String\": \"dog\"}, \"content\": \"\"}]},"
        "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": ["
        "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[aeiou]|\\\\s+\"}, \"behavior\": "
        "\"MergedWithNext\", \"invert\": false},"
        "{\"type\": \"CharDelimiterSplit\", \"delimiter\": \";\"}]},"
        "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"?\", \"vocab\": "
        "{\"?\": 0, \"e\": 1, \"o\": 2, \"##r\": 3, \"##x\": 4, \" \": 5, \"_\": 6, \"t\": 7, "
        "\"##h\": 8, \"##s\": 9, \"i\": 10}}}");
    folder_write_text(folder, "config.json", "{}");
    check_folder("patterns", folder);
    folder_remove(folder);
}

static void tables_that_lead_outside_are_refused(void **state)
{
    (void)state;
    sembed_error error = {0};
    char folder[512];
    struct tokenizer *tokenizer;
    snprintf(folder, sizeof folder, "%s/%s", fixtures_folder(), "roberta");
    assert_ok(tokenizer_open(folder, NULL, &tokenizer, &error), error);
    struct saved saved = tokenizer_saved(tokenizer);
    tokenizer_close(tokenizer);
    /* Large numbers all over: no index may be believed. */
    memset(saved.tables, 0x7F, saved.tables_size);
    struct archive archive = saved_open(&saved, saved.record_size, saved.tables_size, &error);
    struct tokenizer *opened = NULL;
    tokenizer_store(&archive, &opened);
    assert_fails(archive_finish(&archive), SEMBED_MALFORMED, error, "leads out of its tables");
    tokenizer_close(opened);
    saved_free(&saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_opened),
        cmocka_unit_test(opening_refuses_what_does_not_fit),
        cmocka_unit_test(every_fixture_tokenizes_the_same),
        cmocka_unit_test(patterns_are_compiled_again),
        cmocka_unit_test(tables_that_lead_outside_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
