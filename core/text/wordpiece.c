#include "core/text/wordpiece.h"

#include "core/base/memory.h"
#include "core/text/unicode.h"
#include "core/text/vocabulary_json.h"

#include <string.h>

struct wordpiece {
    const struct vocabulary *initial; /* all tokens, as they begin a word */
    struct vocabulary *continuing;    /* those with the prefix, spelled without it */
    uint32_t unknown_id;              /* VOCABULARY_NONE: the vocabulary has no such token */
    char *unknown;                    /* its spelling, for messages */
    size_t longest_word;              /* characters */
};

/* Collects the tokens that begin with the prefix. With an empty prefix those are all. */
static sembed_status collect_continuing(struct wordpiece *model, const char *prefix,
                                        const sembed_poll *poll, sembed_error *error)
{
    size_t prefix_length = strlen(prefix);
    size_t limit = vocabulary_id_limit(model->initial);
    for (size_t id = 0; id < limit; id++) {
        size_t length;
        if (poll_wants_stop_every(poll, id, 4096))
            return error_canceled(error);
        const char *token = vocabulary_token(model->initial, (uint32_t)id, &length);
        if (!token || length < prefix_length || memcmp(token, prefix, prefix_length) != 0 ||
            vocabulary_find(model->initial, token, length) != id)
            continue;
        sembed_status status = vocabulary_add(model->continuing, token + prefix_length,
                                              length - prefix_length, (uint32_t)id, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

sembed_status wordpiece_create_from_vocabulary(const struct wordpiece_options *options,
                                               const struct vocabulary *vocabulary,
                                               const sembed_poll *poll, struct wordpiece **model,
                                               sembed_error *error)
{
    struct wordpiece *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a WordPiece model");
    made->initial = vocabulary;
    made->longest_word = options->longest_word;
    made->unknown_id = vocabulary_find(vocabulary, options->unknown, strlen(options->unknown));
    made->unknown = memory_copy_string(options->unknown);
    sembed_status status = made->unknown ? vocabulary_create(0, 0, &made->continuing, error)
                                         : error_no_memory(error, "a WordPiece model");
    if (status == SEMBED_OK)
        status = collect_continuing(made, options->prefix, poll, error);
    if (status != SEMBED_OK) {
        wordpiece_destroy(made);
        return status;
    }
    *model = made;
    return SEMBED_OK;
}

sembed_status wordpiece_create(const struct json_file *file, const json_t *object,
                               struct vocabulary *vocabulary, const sembed_poll *poll,
                               struct wordpiece **model, sembed_error *error)
{
    struct wordpiece_options options;
    sembed_status status =
        json_get_string_or(file, object, "continuing_subword_prefix", "##", &options.prefix, error);
    if (status == SEMBED_OK)
        status = json_get_string_or(file, object, "unk_token", "[UNK]", &options.unknown, error);
    if (status == SEMBED_OK)
        status = json_get_size_or(file, object, "max_input_chars_per_word", 100,
                                  &options.longest_word, error);
    if (status == SEMBED_OK)
        status = vocabulary_read_vocab(file, object, vocabulary, poll, error);
    if (status != SEMBED_OK)
        return status;
    return wordpiece_create_from_vocabulary(&options, vocabulary, poll, model, error);
}

void wordpiece_destroy(struct wordpiece *model)
{
    if (!model)
        return;
    vocabulary_destroy(model->continuing);
    memory_free(model->unknown);
    memory_free(model);
}

void wordpiece_store(struct archive *archive, struct wordpiece **model,
                     const struct vocabulary *vocabulary)
{
    struct wordpiece *stored = archive_struct(archive, (void **)model, sizeof *stored);
    if (!stored)
        return;
    stored->initial = vocabulary;
    vocabulary_store(archive, &stored->continuing);
    archive_value(archive, &stored->unknown_id);
    archive_value(archive, &stored->longest_word);
    archive_string(archive, &stored->unknown);
    archive_check(archive, stored->continuing && stored->unknown, "a WordPiece model in parts");
}

/*
 * The longest piece at the front of rest[length], as an id, its bytes in *size; VOCABULARY_NONE
 * where none fits. One pass hashes all prefixes no longer than the longest token; then they are
 * looked up, longest first.
 */
static uint32_t longest_piece(const struct vocabulary *vocabulary, uint32_t *hashes,
                              const char *rest, size_t length, size_t *size)
{
    size_t longest = vocabulary_longest(vocabulary);
    if (longest > length)
        longest = length;
    uint32_t state = VOCABULARY_HASH_SEED;
    for (size_t i = 0; i < longest; i++) {
        state = vocabulary_hash_byte(state, (unsigned char)rest[i]);
        hashes[i] = state;
    }
    for (size_t stop = longest; stop > 0; stop--) {
        if (stop < length && ((unsigned char)rest[stop] & 0xC0) == 0x80)
            continue; /* inside a character */
        uint32_t id = vocabulary_find_hashed(vocabulary, vocabulary_hash_finish(hashes[stop - 1]),
                                             rest, stop);
        if (id != VOCABULARY_NONE) {
            *size = stop;
            return id;
        }
    }
    return VOCABULARY_NONE;
}

static sembed_status append_unknown(const struct wordpiece *model, size_t length,
                                    struct pieces *pieces, sembed_error *error)
{
    if (model->unknown_id == VOCABULARY_NONE)
        return error_set(error, SEMBED_MALFORMED,
                         "the tokenizer's vocabulary lacks its unknown token '%s'", model->unknown);
    return pieces_append(pieces, model->unknown_id, 0, length, error);
}

sembed_status wordpiece_split(const struct wordpiece *model, struct wordpiece_scratch *scratch,
                              const char *word, size_t length, const sembed_poll *poll,
                              struct pieces *pieces, sembed_error *error)
{
    if (length > model->longest_word && unicode_count(word, length) > model->longest_word)
        return append_unknown(model, length, pieces, error);
    if (!memory_grow((void **)&scratch->hashes, &scratch->capacity, length,
                     sizeof *scratch->hashes))
        return error_no_memory(error, "the pieces of a word");
    size_t before = pieces->count, longest = vocabulary_longest(model->initial);
    for (size_t at = 0, size; at < length; at += size) {
        if (poll_wants_stop_after(poll, longest < length - at ? longest : length - at,
                                  &scratch->work))
            return error_canceled(error);
        uint32_t id = longest_piece(at ? model->continuing : model->initial, scratch->hashes,
                                    word + at, length - at, &size);
        if (id == VOCABULARY_NONE) {
            pieces->count = before;
            return append_unknown(model, length, pieces, error);
        }
        sembed_status status = pieces_append(pieces, id, at, at + size, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

void wordpiece_scratch_free(struct wordpiece_scratch *scratch)
{
    memory_free(scratch->hashes);
    *scratch = (struct wordpiece_scratch){0};
}
