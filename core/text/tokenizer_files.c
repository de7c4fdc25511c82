/*
 * Folders without tokenizer.json, from before there was one: the vocabulary alone is in a file, and
 * the rest is what the class of the tokenizer says (tokenizer_settings.h).
 */
#include "core/text/tokenizer_build.h"

#include "core/base/file.h"
#include "core/text/sentencepiece.h"

#define POLL_INTERVAL 4096 /* lines */

/* ------------------------------------------------------------------------------- which files */

/* Names that a SentencePiece model has in a folder. */
static const char *const sentencepiece_names[] = {"sentencepiece.bpe.model", "sentencepiece.model",
                                                  "spiece.model", "tokenizer.model"};

/* *path: folder/name, to be freed, if there is such a file; else NULL. */
static sembed_status find_file(const char *folder, const char *name, char **path,
                               sembed_error *error)
{
    *path = path_join(folder, name);
    if (!*path)
        return error_no_memory(error, "a path");
    if (!file_exists(*path)) {
        memory_free(*path);
        *path = NULL;
    }
    return SEMBED_OK;
}

/* What of these is there; paths are freed by free_paths. */
struct paths {
    char *vocabulary_text; /* vocab.txt */
    char *vocabulary_json; /* vocab.json */
    char *merges;          /* merges.txt */
    char *sentencepiece;
};

static void free_paths(struct paths *paths)
{
    memory_free(paths->vocabulary_text);
    memory_free(paths->vocabulary_json);
    memory_free(paths->merges);
    memory_free(paths->sentencepiece);
}

static sembed_status find_paths(const char *folder, struct paths *paths, sembed_error *error)
{
    sembed_status status = find_file(folder, "vocab.txt", &paths->vocabulary_text, error);
    if (status == SEMBED_OK)
        status = find_file(folder, "vocab.json", &paths->vocabulary_json, error);
    if (status == SEMBED_OK)
        status = find_file(folder, "merges.txt", &paths->merges, error);
    for (size_t i = 0; i < sizeof sentencepiece_names / sizeof sentencepiece_names[0] &&
                       status == SEMBED_OK && !paths->sentencepiece;
         i++)
        status = find_file(folder, sentencepiece_names[i], &paths->sentencepiece, error);
    return status;
}

/* Whether the files of a class are there. */
static bool suffices(const struct paths *paths, enum tokenizer_class class)
{
    switch (class) {
    case CLASS_BERT:
    case CLASS_MPNET:
        return paths->vocabulary_text;
    case CLASS_ROBERTA:
        return paths->vocabulary_json && paths->merges;
    case CLASS_XLM_ROBERTA:
    case CLASS_CAMEMBERT:
        return paths->sentencepiece;
    case CLASS_ANY:
        break;
    }
    return false;
}

/* The class that the files belong to, where no other is named. */
static enum tokenizer_class guess_class(const struct paths *paths)
{
    static const enum tokenizer_class classes[] = {CLASS_BERT, CLASS_ROBERTA, CLASS_XLM_ROBERTA};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (suffices(paths, classes[i]))
            return classes[i];
    return CLASS_ANY;
}

/* ------------------------------------------------------------------------------- vocab.txt */

/* Where text[length] ends without the white space behind it. */
static size_t without_trailing_space(const char *text, size_t length)
{
    size_t size;
    while (length && unicode_is_whitespace(unicode_decode_last(text, length, &size)))
        length -= size;
    return length;
}

/* A token a line; its id is the line's number from 0. Source: WordPiece::read_file. */
static sembed_status read_lines(const char *path, const struct file_map *map,
                                struct vocabulary *vocabulary, const sembed_poll *poll,
                                sembed_error *error)
{
    const char *text = (const char *)map->data;
    if (unicode_valid_prefix(text, map->size) != map->size)
        return error_set(error, SEMBED_MALFORMED, "%s: not valid UTF-8 at byte %zu", path,
                         unicode_valid_prefix(text, map->size));
    uint32_t line = 0;
    for (size_t at = 0; at < map->size; line++) {
        const char *end = memchr(text + at, '\n', map->size - at);
        size_t length = end ? (size_t)(end - text) - at : map->size - at;
        sembed_status status = vocabulary_add(
            vocabulary, text + at, without_trailing_space(text + at, length), line, error);
        if (status != SEMBED_OK)
            return status;
        if (poll_wants_stop_every(poll, line, POLL_INTERVAL))
            return error_canceled(error);
        at += length + 1;
    }
    return SEMBED_OK;
}

static sembed_status read_wordpiece(struct tokenizer *tokenizer,
                                    const struct tokenizer_settings *settings, const char *path,
                                    const sembed_poll *poll, sembed_error *error)
{
    const struct wordpiece_options options = {
        .prefix = "##",
        .unknown = tokenizer_settings_token_text(settings, "unk_token"),
        .longest_word = 100,
    };
    struct file_map map;
    sembed_status status = file_read(path, poll, &map, error);
    if (status != SEMBED_OK)
        return status;
    status = read_lines(path, &map, tokenizer->vocabulary, poll, error);
    file_unmap(&map);
    if (status == SEMBED_OK)
        status = wordpiece_create_from_vocabulary(&options, tokenizer->vocabulary, poll,
                                                  &tokenizer->wordpiece, error);
    if (status == SEMBED_OK)
        tokenizer->subword_type = SUBWORD_WORDPIECE;
    return status;
}

/* ------------------------------------------------------------------------------- the others */

static sembed_status read_bpe(struct tokenizer *tokenizer, const struct paths *paths,
                              const sembed_poll *poll, sembed_error *error)
{
    sembed_status status =
        bpe_create_from_files(paths->vocabulary_json, paths->merges, true, tokenizer->vocabulary,
                              poll, &tokenizer->bpe, error);
    if (status != SEMBED_OK)
        return status;
    tokenizer->subword_type = SUBWORD_BPE;
    pretokenizer_leave_bytes(tokenizer->pretokenizer);
    return SEMBED_OK;
}

static sembed_status add_converted(struct tokenizer *tokenizer,
                                   const struct sentencepiece_conversion *conversion,
                                   sembed_error *error)
{
    added_tokens_begin(tokenizer->added_tokens, tokenizer->vocabulary);
    for (size_t i = 0; i < conversion->added_count; i++) {
        const struct sentencepiece_added_token *from = &conversion->added[i];
        struct added_token token = {.content = from->text,
                                    .length = from->length,
                                    .lstrip = from->lstrip,
                                    .special = from->special};
        sembed_status status =
            added_tokens_add(tokenizer->added_tokens, &token, tokenizer->vocabulary, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static sembed_status read_sentencepiece(struct tokenizer *tokenizer, enum tokenizer_class class,
                                        const char *path, const sembed_poll *poll,
                                        sembed_error *error)
{
    struct sentencepiece model = {0};
    struct sentencepiece_conversion conversion = {0};
    sembed_status status = sentencepiece_open(path, poll, &model, error);
    if (status == SEMBED_OK)
        status = sentencepiece_convert(
            &model, class == CLASS_CAMEMBERT ? SENTENCEPIECE_CAMEMBERT : SENTENCEPIECE_XLM_ROBERTA,
            &conversion, error);
    if (status == SEMBED_OK)
        status = unigram_create_from_pieces(path, conversion.pieces, conversion.count,
                                            conversion.unknown_id, false, tokenizer->vocabulary,
                                            poll, &tokenizer->unigram, error);
    if (status == SEMBED_OK)
        tokenizer->subword_type = SUBWORD_UNIGRAM;
    if (status == SEMBED_OK && model.charsmap)
        status = normalizer_create_precompiled(path, model.charsmap, model.charsmap_size,
                                               &tokenizer->normalizer, error);
    if (status == SEMBED_OK)
        status = add_converted(tokenizer, &conversion, error);
    sentencepiece_conversion_free(&conversion);
    sentencepiece_close(&model);
    return status;
}

static sembed_status make_pipeline(struct tokenizer *tokenizer,
                                   const struct tokenizer_settings *settings,
                                   const struct json_file *file, sembed_error *error)
{
    json_t *normalizer = NULL, *pretokenizer = NULL;
    sembed_status status = SEMBED_OK;
    if (!tokenizer->normalizer)
        status = tokenizer_class_normalizer(settings, NULL, &normalizer, error);
    if (status == SEMBED_OK && !tokenizer->normalizer)
        status = normalizer_create(file, normalizer, &tokenizer->normalizer, error);
    if (status == SEMBED_OK)
        status = tokenizer_class_pretokenizer(settings, &pretokenizer, error);
    if (status == SEMBED_OK)
        status = pretokenizer_create(file, pretokenizer, &tokenizer->pretokenizer, error);
    json_decref(normalizer);
    json_decref(pretokenizer);
    return status;
}

static sembed_status read_paths(struct tokenizer *tokenizer,
                                const struct tokenizer_settings *settings,
                                const struct paths *paths, struct json_file *file,
                                const sembed_poll *poll, sembed_error *error)
{
    bool of_sentencepiece =
        settings->class == CLASS_XLM_ROBERTA || settings->class == CLASS_CAMEMBERT;
    sembed_status status = vocabulary_create(0, 0, &tokenizer->vocabulary, error);
    if (status == SEMBED_OK && of_sentencepiece)
        status = read_sentencepiece(tokenizer, settings->class, paths->sentencepiece, poll, error);
    if (status == SEMBED_OK)
        status = make_pipeline(tokenizer, settings, file, error);
    if (status == SEMBED_OK && settings->class == CLASS_ROBERTA)
        status = read_bpe(tokenizer, paths, poll, error);
    else if (status == SEMBED_OK && !of_sentencepiece)
        status = read_wordpiece(tokenizer, settings, paths->vocabulary_text, poll, error);
    if (status == SEMBED_OK)
        status = tokenizer_add_tokens(tokenizer, settings, file, NULL, error);
    if (status == SEMBED_OK)
        status = tokenizer_class_postprocessor(tokenizer, settings, file->path, error);
    return status;
}

sembed_status tokenizer_read_files(struct tokenizer *tokenizer, struct tokenizer_settings *settings,
                                   const char *folder, const sembed_poll *poll, sembed_error *error)
{
    struct json_file file = {.path = (char *)folder}; /* for messages */
    struct paths paths = {0};
    sembed_status status = find_paths(folder, &paths, error);
    if (!suffices(&paths, settings->class))
        settings->class = guess_class(&paths);
    if (status == SEMBED_OK && settings->class == CLASS_ANY)
        status = error_set(error, SEMBED_NOT_FOUND,
                           "%s: no tokenizer: looked for tokenizer.json, vocab.txt, vocab.json "
                           "with merges.txt, %s, %s, %s, %s",
                           folder, sentencepiece_names[0], sentencepiece_names[1],
                           sentencepiece_names[2], sentencepiece_names[3]);
    if (status == SEMBED_OK)
        status = read_paths(tokenizer, settings, &paths, &file, poll, error);
    free_paths(&paths);
    return status;
}
