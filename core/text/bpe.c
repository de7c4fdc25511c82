#include "core/text/bpe_internal.h"

#include "core/base/file.h"
#include "core/base/json_reader.h"
#include "core/base/memory.h"
#include "core/text/byte_alphabet.h"
#include "core/text/unicode.h"
#include "core/text/vocabulary_json.h"

#include <stdio.h>
#include <string.h>

#define POLL_INTERVAL 16384 /* tokens or merges */
#define LEAST_SLOTS   64    /* of the table of merges */

void bpe_destroy(struct bpe *model)
{
    if (!model)
        return;
    trie_free(&model->tokens);
    if (!model->mapped) {
        memory_free(model->merges);
        memory_free(model->whole);
    }
    memory_free(model->prefix);
    memory_free(model->suffix);
    memory_free(model->unknown_token);
    memory_free(model->name);
    memory_free(model);
}

static size_t words_of_whole(size_t id_limit)
{
    return id_limit / 64 + 1;
}

/* Whether a search for a merge comes upon an empty slot. */
static bool has_sound_merges(const struct bpe *model)
{
    size_t slots = (size_t)model->merge_mask + 1, taken = 0;
    for (size_t i = 0; i < slots; i++)
        taken += model->merges[i].rank != BPE_NO_RANK;
    return (slots & model->merge_mask) == 0 && taken < slots;
}

void bpe_store(struct archive *archive, struct bpe **model, size_t id_limit)
{
    struct bpe *stored = archive_struct(archive, (void **)model, sizeof *stored);
    if (!stored)
        return;
    bool has_whole = stored->whole != NULL;
    stored->mapped = archive->opening;
    trie_store(archive, &stored->tokens, id_limit);
    archive_value(archive, &stored->merge_mask);
    archive_table(archive, &stored->merges, (size_t)stored->merge_mask + 1, sizeof *stored->merges);
    archive_value(archive, &has_whole);
    if (has_whole)
        archive_table(archive, &stored->whole, words_of_whole(id_limit), sizeof *stored->whole);
    archive_text(archive, &stored->prefix, &stored->prefix_length);
    archive_text(archive, &stored->suffix, &stored->suffix_length);
    archive_string(archive, &stored->unknown_token);
    archive_value(archive, &stored->unknown_id);
    archive_value(archive, &stored->byte_ids);
    archive_value(archive, &stored->byte_level);
    archive_value(archive, &stored->fuse_unknown);
    archive_value(archive, &stored->byte_fallback);
    archive_value(archive, &stored->ignore_merges);
    archive_string(archive, &stored->name);
    if (archive->status == SEMBED_OK)
        archive_check(archive, has_sound_merges(stored), "merges that lead out of their table");
}

/* --- the byte-level alphabet ------------------------------------------------------------------ */

#define ALPHABET_END 0x144 /* one past the alphabet's largest character */

static void fill_alphabet(int16_t byte_of[ALPHABET_END])
{
    for (uint32_t character = 0; character < ALPHABET_END; character++)
        byte_of[character] = -1;
    for (unsigned byte = 0; byte < 256; byte++)
        byte_of[byte_alphabet_character((unsigned char)byte)] = (int16_t)byte;
}

/* The bytes that a byte-level token stands for, written to bytes[length]; false where it holds a
 * character that stands for none. */
static bool decode_byte_level(const int16_t byte_of[ALPHABET_END], const char *token, size_t length,
                              char *bytes, size_t *bytes_length)
{
    size_t count = 0, size;
    for (size_t i = 0; i < length; i += size) {
        uint32_t character = unicode_decode(token + i, &size);
        if (character >= ALPHABET_END || byte_of[character] < 0)
            return false;
        bytes[count++] = (char)byte_of[character];
    }
    *bytes_length = count;
    return true;
}

/* A prefix or suffix in the spelling that words have. */
static sembed_status decode_affix(const struct bpe *model, const int16_t byte_of[ALPHABET_END],
                                  char *affix, size_t *length, sembed_error *error)
{
    if (model->byte_level && !decode_byte_level(byte_of, affix, *length, affix, length))
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: the prefix or suffix of subwords holds characters that stand for no "
                         "byte in a byte-level vocabulary",
                         model->name);
    return SEMBED_OK;
}

/* --- vocabulary --------------------------------------------------------------------------------- */

/* The vocabulary as words spell it. */
struct token_list {
    struct trie_key *keys; /* [count], value: id */
    size_t count;
    char *pool; /* byte-level tokens by the bytes they stand for */
};

static void token_list_free(struct token_list *list)
{
    memory_free(list->keys);
    memory_free(list->pool);
}

/* Byte-level tokens that hold a character which stands for no byte are left out: no word can reach
 * them. */
static sembed_status list_tokens(const struct bpe *model, const int16_t byte_of[ALPHABET_END],
                                 const struct vocabulary *vocabulary, struct token_list *list,
                                 sembed_error *error)
{
    size_t limit = vocabulary_id_limit(vocabulary), bytes = 0, used = 0;
    for (size_t id = 0; id < limit; id++) {
        size_t length;
        if (vocabulary_token(vocabulary, (uint32_t)id, &length))
            bytes += length;
    }
    list->keys = memory_calloc(limit, sizeof *list->keys);
    list->pool = memory_alloc(model->byte_level ? bytes : 0);
    if (!list->keys || !list->pool)
        return error_no_memory(error, "the BPE vocabulary");
    for (size_t id = 0; id < limit; id++) {
        size_t length;
        const char *token = vocabulary_token(vocabulary, (uint32_t)id, &length);
        if (!token)
            continue;
        if (model->byte_level) {
            if (!decode_byte_level(byte_of, token, length, list->pool + used, &length))
                continue;
            token = list->pool + used;
            used += length;
        }
        list->keys[list->count++] = (struct trie_key){token, (uint32_t)length, (uint32_t)id};
    }
    return SEMBED_OK;
}

/* Finds the tokens that, as words, come out as themselves: with ignore_merges, all of them. */
static sembed_status mark_whole(struct bpe *model, const struct token_list *list, size_t id_limit,
                                const sembed_poll *poll, sembed_error *error)
{
    if (!model->ignore_merges && (model->prefix_length || model->suffix_length))
        return SEMBED_OK;
    sembed_status status = SEMBED_OK;
    struct bpe_scratch scratch = {0};
    struct pieces pieces = {0};
    uint64_t *whole = memory_calloc(words_of_whole(id_limit), sizeof *whole);
    if (!whole)
        return error_no_memory(error, "the BPE vocabulary");
    for (size_t i = 0; i < list->count; i++) {
        const struct trie_key *key = &list->keys[i];
        pieces.count = 0;
        if (!model->ignore_merges)
            status = bpe_split(model, &scratch, key->text, key->length, poll, &pieces, error);
        if (status == SEMBED_OK && i % POLL_INTERVAL == 0 && poll_wants_stop(poll))
            status = error_canceled(error);
        if (status == SEMBED_NO_MEMORY || status == SEMBED_CANCELED)
            goto cleanup;
        if (model->ignore_merges ||
            (status == SEMBED_OK && pieces.count == 1 && pieces.items[0].id == key->value))
            whole[key->value / 64] |= (uint64_t)1 << key->value % 64;
        status = SEMBED_OK; /* a token with characters that are unknown alone */
    }
    model->whole = whole;
    whole = NULL;

cleanup:
    memory_free(whole);
    memory_free(pieces.items);
    bpe_scratch_free(&scratch);
    return status;
}

static sembed_status find_byte_tokens(struct bpe *model, const struct vocabulary *vocabulary,
                                      sembed_error *error)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char spelling[8];
        int length = snprintf(spelling, sizeof spelling, "<0x%02X>", byte);
        model->byte_ids[byte] = vocabulary_find(vocabulary, spelling, (size_t)length);
        char raw = (char)byte;
        /* The library would spell the byte as a character and that in bytes again. */
        if (model->byte_fallback && model->byte_level &&
            trie_find(&model->tokens, &raw, 1) == TRIE_NONE)
            return error_set(
                error, SEMBED_UNSUPPORTED,
                "%s: byte_fallback with a byte-level vocabulary that lacks byte 0x%02X",
                model->name, byte);
    }
    return SEMBED_OK;
}

/* --- merges ------------------------------------------------------------------------------------- */

/* The merges being read: each is looked up in the vocabulary and entered in the table. */
struct merge_reader {
    struct bpe *model;
    const struct vocabulary *vocabulary;
    size_t affix_length; /* of the prefix as the vocabulary spells it */
    char *joined;        /* the two parts put together */
    size_t joined_capacity;
    uint32_t rank; /* of the next merge */
    size_t count;  /* merges in the table */
};

/* Where the merge of a pair is, or would go. */
static struct bpe_merge *find_slot(struct bpe *model, uint32_t left, uint32_t right)
{
    return (struct bpe_merge *)bpe_merge_find(model, left, right);
}

/* Makes room for one merge more: at most half of the slots are taken. */
static sembed_status reserve_merge(struct merge_reader *reader, sembed_error *error)
{
    struct bpe *model = reader->model;
    size_t old_slots = model->merges ? (size_t)model->merge_mask + 1 : 0;
    if (reader->count < old_slots / 2)
        return SEMBED_OK;
    if (reader->count >= BPE_NO_RANK / 4)
        return error_set(error, SEMBED_LIMIT, "%s: more than %zu merges", model->name,
                         reader->count);
    struct bpe_merge *old = model->merges;
    size_t slots = old_slots ? 2 * old_slots : LEAST_SLOTS;
    struct bpe_merge *merges = memory_calloc(slots, sizeof *merges);
    if (!merges)
        return error_no_memory(error, "the BPE merges");
    for (size_t i = 0; i < slots; i++)
        merges[i].rank = BPE_NO_RANK;
    model->merges = merges;
    model->merge_mask = (uint32_t)(slots - 1);
    for (size_t i = 0; i < old_slots; i++)
        if (old[i].rank != BPE_NO_RANK)
            *find_slot(model, old[i].left, old[i].right) = old[i];
    memory_free(old);
    return SEMBED_OK;
}

static sembed_status find_token(const struct merge_reader *reader, const char *token, size_t length,
                                uint32_t *id, sembed_error *error)
{
    *id = vocabulary_find(reader->vocabulary, token, length);
    if (*id != VOCABULARY_NONE)
        return SEMBED_OK;
    return error_set(error, SEMBED_MALFORMED, "%s: merge %u: token '%.*s' is not in the vocabulary",
                     reader->model->name, reader->rank, (int)(length < 100 ? length : 100), token);
}

/* Enters the merge of left and right. Of a pair that comes twice the later rank counts. */
static sembed_status add_merge(struct merge_reader *reader, const char *left, size_t left_length,
                               const char *right, size_t right_length, sembed_error *error)
{
    if (right_length < reader->affix_length)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: merge %u: '%.*s' lacks the continuing_subword_prefix",
                         reader->model->name, reader->rank, (int)right_length, right);
    size_t kept = right_length - reader->affix_length;
    if (!memory_grow((void **)&reader->joined, &reader->joined_capacity, left_length + kept, 1))
        return error_no_memory(error, "the BPE merges");
    if (left_length)
        memcpy(reader->joined, left, left_length);
    if (kept)
        memcpy(reader->joined + left_length, right + reader->affix_length, kept);

    struct bpe_merge merge = {.rank = reader->rank};
    sembed_status status = find_token(reader, left, left_length, &merge.left, error);
    if (status == SEMBED_OK)
        status = find_token(reader, right, right_length, &merge.right, error);
    if (status == SEMBED_OK)
        status = find_token(reader, reader->joined, left_length + kept, &merge.id, error);
    if (status != SEMBED_OK)
        return status;
    status = reserve_merge(reader, error);
    if (status != SEMBED_OK)
        return status;
    struct bpe_merge *slot = find_slot(reader->model, merge.left, merge.right);
    reader->count += slot->rank == BPE_NO_RANK;
    *slot = merge;
    reader->rank++;
    return SEMBED_OK;
}

/* "left right" */
static sembed_status add_merge_line(struct merge_reader *reader, const char *line, size_t length,
                                    sembed_error *error)
{
    if (length >= 8 && memcmp(line, "#version", 8) == 0)
        return SEMBED_OK;
    const char *space = memchr(line, ' ', length);
    size_t left = space ? (size_t)(space - line) : length;
    if (!space || memchr(space + 1, ' ', length - left - 1))
        return error_set(error, SEMBED_MALFORMED,
                         "%s: merge %u: expected two tokens and a space between them, found '%.*s'",
                         reader->model->name, reader->rank, (int)(length < 100 ? length : 100),
                         line);
    return add_merge(reader, line, left, space + 1, length - left - 1, error);
}

/* "left right" or ["left", "right"] */
static sembed_status read_merge(struct merge_reader *reader, struct json_reader *json,
                                const struct json_file *file, struct json_string strings[2],
                                sembed_error *error)
{
    struct json_string *left = &strings[0], *right = &strings[1];
    if (json_reader_string(json, left))
        return add_merge_line(reader, left->data, left->length, error);
    if (json_reader_take(json, '[') && json_reader_string(json, left) &&
        json_reader_take(json, ',') && json_reader_string(json, right) &&
        json_reader_take(json, ']'))
        return add_merge(reader, left->data, left->length, right->data, right->length, error);
    return json_reader_expected(json, file, "merges", "\"a b\" or [\"a\", \"b\"]", error);
}

/* An array of merges. */
static sembed_status read_merge_list(struct merge_reader *reader, const struct json_file *file,
                                     const struct json_text *text, const sembed_poll *poll,
                                     sembed_error *error)
{
    struct json_reader json = {.at = text->data, .end = text->data + text->size};
    struct json_string strings[2] = {{0}, {0}};
    sembed_status status = SEMBED_OK;
    if (!json_reader_take(&json, '['))
        return json_reader_expected(&json, file, "merges", "an array", error);
    if (!json_reader_sees(&json, ']')) {
        size_t count = 0;
        do {
            status = read_merge(reader, &json, file, strings, error);
            if (status == SEMBED_OK && poll_wants_stop_every(poll, count++, POLL_INTERVAL))
                status = error_canceled(error);
        } while (status == SEMBED_OK && json_reader_take(&json, ','));
    }
    if (status == SEMBED_OK && (!json_reader_take(&json, ']') || !json_reader_at_end(&json)))
        status = json_reader_expected(&json, file, "merges", "the end of the array", error);
    memory_free(strings[0].buffer);
    memory_free(strings[1].buffer);
    return status;
}

/* --- models ------------------------------------------------------------------------------------- */

/* The options of tokenizer.json's model; object NULL: none. */
static sembed_status read_options(const struct json_file *file, const json_t *object,
                                  struct bpe *model, sembed_error *error)
{
    const char *prefix, *suffix, *unknown;
    double dropout;
    sembed_status status = json_get_number_or(file, object, "dropout", 0, &dropout, error);
    if (status == SEMBED_OK && dropout != 0)
        status = error_set(error, SEMBED_UNSUPPORTED,
                           "%s: key 'dropout': BPE dropout %g gives other tokens at each call",
                           file->path, dropout);
    if (status == SEMBED_OK)
        status = json_get_string_or(file, object, "continuing_subword_prefix", "", &prefix, error);
    if (status == SEMBED_OK)
        status = json_get_string_or(file, object, "end_of_word_suffix", "", &suffix, error);
    if (status == SEMBED_OK)
        status = json_get_string_or(file, object, "unk_token", NULL, &unknown, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, object, "fuse_unk", false, &model->fuse_unknown, error);
    if (status == SEMBED_OK)
        status =
            json_get_bool_or(file, object, "byte_fallback", false, &model->byte_fallback, error);
    if (status == SEMBED_OK)
        status =
            json_get_bool_or(file, object, "ignore_merges", false, &model->ignore_merges, error);
    if (status != SEMBED_OK)
        return status;
    model->prefix = memory_copy_string(prefix);
    model->suffix = memory_copy_string(suffix);
    model->unknown_token = unknown ? memory_copy_string(unknown) : NULL;
    if (!model->prefix || !model->suffix || (unknown && !model->unknown_token))
        return error_no_memory(error, "the BPE model");
    model->prefix_length = strlen(prefix);
    model->suffix_length = strlen(suffix);
    return SEMBED_OK;
}

/* Everything but the merges: options, vocabulary, trie. */
static sembed_status begin_model(const struct json_file *file, const json_t *options,
                                 const struct json_text *vocab, bool byte_level,
                                 struct vocabulary *vocabulary, struct token_list *list,
                                 const sembed_poll *poll, struct bpe *model, sembed_error *error)
{
    model->byte_level = byte_level;
    model->name = memory_copy_string(file->path);
    if (!model->name)
        return error_no_memory(error, "the BPE model");
    sembed_status status = read_options(file, options, model, error);
    if (status == SEMBED_OK)
        status = vocabulary_read_ids(file, "vocab", vocab, vocabulary, poll, error);
    if (status != SEMBED_OK)
        return status;
    model->unknown_id = model->unknown_token ? vocabulary_find(vocabulary, model->unknown_token,
                                                               strlen(model->unknown_token))
                                             : VOCABULARY_NONE;
    int16_t byte_of[ALPHABET_END];
    fill_alphabet(byte_of);
    status = list_tokens(model, byte_of, vocabulary, list, error);
    if (status == SEMBED_OK)
        status = trie_build(list->keys, list->count, poll, &model->tokens, error);
    if (status == SEMBED_OK)
        status = find_byte_tokens(model, vocabulary, error);
    if (status == SEMBED_OK)
        status = decode_affix(model, byte_of, model->prefix, &model->prefix_length, error);
    if (status == SEMBED_OK)
        status = decode_affix(model, byte_of, model->suffix, &model->suffix_length, error);
    return status;
}

/* Makes sure that there is a table to look into, even if no merge is in it, and finds the whole
 * tokens. */
static sembed_status finish_model(struct merge_reader *reader, const struct token_list *list,
                                  const sembed_poll *poll, sembed_error *error)
{
    sembed_status status = reserve_merge(reader, error);
    if (status != SEMBED_OK)
        return status;
    return mark_whole(reader->model, list, vocabulary_id_limit(reader->vocabulary), poll, error);
}

sembed_status bpe_create(const struct json_file *file, const json_t *object, bool byte_level,
                         struct vocabulary *vocabulary, const sembed_poll *poll, struct bpe **model,
                         sembed_error *error)
{
    *model = NULL;
    struct bpe *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "the BPE model");
    struct token_list list = {0};
    struct json_text vocab = {0}, merges = {0};
    struct merge_reader reader = {.model = made, .vocabulary = vocabulary};
    reader.affix_length = json_string_length(json_object_get(object, "continuing_subword_prefix"));
    sembed_status status = json_text_of(file, object, "vocab", &vocab, error);
    if (status == SEMBED_OK)
        status = json_text_of(file, object, "merges", &merges, error);
    if (status == SEMBED_OK)
        status =
            begin_model(file, object, &vocab, byte_level, vocabulary, &list, poll, made, error);
    if (status == SEMBED_OK)
        status = read_merge_list(&reader, file, &merges, poll, error);
    if (status == SEMBED_OK)
        status = finish_model(&reader, &list, poll, error);
    if (status != SEMBED_OK)
        goto cleanup;
    *model = made;
    made = NULL;

cleanup:
    memory_free(reader.joined);
    json_text_free(&vocab);
    json_text_free(&merges);
    token_list_free(&list);
    bpe_destroy(made);
    return status;
}

/* Every line of merges.txt; a carriage return at its end does not belong to it. */
static sembed_status read_merge_file(struct merge_reader *reader, const struct file_map *map,
                                     const sembed_poll *poll, sembed_error *error)
{
    const char *data = (const char *)map->data, *end = data + map->size;
    sembed_status status = SEMBED_OK;
    for (size_t lines = 1; status == SEMBED_OK && data < end; lines++) {
        const char *stop = memchr(data, '\n', (size_t)(end - data));
        stop = stop ? stop : end;
        size_t length = (size_t)(stop - data);
        if (length && data[length - 1] == '\r')
            length--;
        status = add_merge_line(reader, data, length, error);
        data = stop + 1;
        if (status == SEMBED_OK && lines % POLL_INTERVAL == 0 && poll_wants_stop(poll))
            status = error_canceled(error);
    }
    return status;
}

sembed_status bpe_create_from_files(const char *vocabulary_path, const char *merges_path,
                                    bool byte_level, struct vocabulary *vocabulary,
                                    const sembed_poll *poll, struct bpe **model,
                                    sembed_error *error)
{
    *model = NULL;
    struct json_file file = {.path = (char *)vocabulary_path};
    struct file_map vocabulary_map = {0}, merges_map = {0};
    struct token_list list = {0};
    struct bpe *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "the BPE model");
    struct merge_reader reader = {.model = made, .vocabulary = vocabulary};
    sembed_status status = file_read(vocabulary_path, poll, &vocabulary_map, error);
    if (status == SEMBED_OK)
        status = file_read(merges_path, poll, &merges_map, error);
    if (status != SEMBED_OK)
        goto cleanup;
    struct json_text vocab = {(const char *)vocabulary_map.data, vocabulary_map.size, NULL};
    status = begin_model(&file, NULL, &vocab, byte_level, vocabulary, &list, poll, made, error);
    if (status != SEMBED_OK)
        goto cleanup;
    memory_free(made->name);
    made->name = memory_copy_string(merges_path);
    status = made->name ? read_merge_file(&reader, &merges_map, poll, error)
                        : error_no_memory(error, "the BPE model");
    if (status == SEMBED_OK)
        status = finish_model(&reader, &list, poll, error);
    if (status != SEMBED_OK)
        goto cleanup;
    *model = made;
    made = NULL;

cleanup:
    memory_free(reader.joined);
    token_list_free(&list);
    bpe_destroy(made);
    file_unmap(&merges_map);
    file_unmap(&vocabulary_map);
    return status;
}
