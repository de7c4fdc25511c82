#include "core/text/tokenizer_build.h"

#include "core/base/file.h"

#include <string.h>

static sembed_status read_folder(struct tokenizer *tokenizer, struct tokenizer_settings *settings,
                                 const char *folder, const sembed_poll *poll, sembed_error *error)
{
    char *path = path_join(folder, "tokenizer.json");
    if (!path)
        return error_no_memory(error, "a path");
    sembed_status status = tokenizer_settings_read(settings, folder, error);
    if (status == SEMBED_OK)
        status = added_tokens_create(&tokenizer->added_tokens, error);
    if (status == SEMBED_OK)
        status = file_exists(path) ? tokenizer_read_json(tokenizer, settings, path, poll, error)
                                   : tokenizer_read_files(tokenizer, settings, folder, poll, error);
    memory_free(path);
    return status;
}

/* tokenizer_config.json's truncation_side, where it is there. */
static sembed_status read_truncation_side(struct tokenizer *tokenizer,
                                          const struct json_file *config, sembed_error *error)
{
    const char *side;
    sembed_status status =
        json_get_string_or(config, config->root, "truncation_side", NULL, &side, error);
    if (status != SEMBED_OK || !side)
        return status;
    tokenizer->truncates_left = strcmp(side, "left") == 0;
    if (!tokenizer->truncates_left && strcmp(side, "right") != 0)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: key 'truncation_side': expected left or right, found '%s'",
                         config->path, side);
    return SEMBED_OK;
}

/* What is known once all parts are there. */
static sembed_status finish(struct tokenizer *tokenizer, const struct tokenizer_settings *settings,
                            sembed_error *error)
{
    const struct json_file *config = &settings->config;
    bool split_special;
    sembed_status status = json_get_bool_or(config, config->root, "split_special_tokens", false,
                                            &split_special, error);
    if (status == SEMBED_OK && split_special)
        added_tokens_split_special(tokenizer->added_tokens);
    if (status == SEMBED_OK)
        status = read_truncation_side(tokenizer, config, error);
    if (status == SEMBED_OK && settings->lowercase_first)
        status = normalizer_lowercase_first(tokenizer->normalizer, error);
    if (status == SEMBED_OK)
        status = added_tokens_finish(tokenizer->added_tokens, tokenizer->normalizer, error);
    tokenizer->max_length = tokenizer_settings_max_length(settings);
    tokenizer->needs_spans = pretokenizer_needs_spans(tokenizer->pretokenizer);
    tokenizer->allows_cuts = normalizer_allows_cuts(tokenizer->normalizer) &&
                             pretokenizer_allows_cuts(tokenizer->pretokenizer) &&
                             added_tokens_allow_cuts(tokenizer->added_tokens);
    tokenizer->cuts_at_chinese =
        tokenizer->allows_cuts && normalizer_isolates_chinese(tokenizer->normalizer);
    return status;
}

sembed_status tokenizer_open(const char *folder, const sembed_poll *poll,
                             struct tokenizer **tokenizer, sembed_error *error)
{
    struct tokenizer *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a tokenizer");
    struct tokenizer_settings settings = {0};
    sembed_status status = read_folder(made, &settings, folder, poll, error);
    if (status == SEMBED_OK)
        status = finish(made, &settings, error);
    tokenizer_settings_free(&settings);
    if (status != SEMBED_OK) {
        tokenizer_close(made);
        return status;
    }
    *tokenizer = made;
    return SEMBED_OK;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    switch (tokenizer->subword_type) {
    case SUBWORD_WORDPIECE:
        wordpiece_destroy(tokenizer->wordpiece);
        break;
    case SUBWORD_BPE:
        bpe_destroy(tokenizer->bpe);
        break;
    case SUBWORD_UNIGRAM:
        unigram_destroy(tokenizer->unigram);
        break;
    case SUBWORD_NONE:
        break;
    }
    vocabulary_destroy(tokenizer->vocabulary);
    added_tokens_destroy(tokenizer->added_tokens);
    normalizer_destroy(tokenizer->normalizer);
    pretokenizer_destroy(tokenizer->pretokenizer);
    postprocessor_free(&tokenizer->postprocessor);
    memory_free(tokenizer);
}

static void store_subword_model(struct archive *archive, struct tokenizer *tokenizer)
{
    switch (tokenizer->subword_type) {
    case SUBWORD_WORDPIECE:
        wordpiece_store(archive, &tokenizer->wordpiece, tokenizer->vocabulary);
        break;
    case SUBWORD_BPE:
        bpe_store(archive, &tokenizer->bpe, vocabulary_id_limit(tokenizer->vocabulary));
        break;
    case SUBWORD_UNIGRAM:
        unigram_store(archive, &tokenizer->unigram);
        break;
    case SUBWORD_NONE:
        archive_check(archive, false, "a tokenizer without a model");
        break;
    }
}

void tokenizer_store(struct archive *archive, struct tokenizer **tokenizer)
{
    struct tokenizer *stored = archive_struct(archive, (void **)tokenizer, sizeof *stored);
    if (!stored)
        return;
    vocabulary_store(archive, &stored->vocabulary);
    added_tokens_store(archive, &stored->added_tokens);
    normalizer_store(archive, &stored->normalizer);
    pretokenizer_store(archive, &stored->pretokenizer);
    postprocessor_store(archive, &stored->postprocessor);
    archive_value(archive, &stored->max_length);
    archive_value(archive, &stored->truncates_left);
    archive_value(archive, &stored->allows_cuts);
    archive_value(archive, &stored->cuts_at_chinese);
    archive_value(archive, &stored->needs_spans);
    archive_check(archive,
                  stored->vocabulary && stored->added_tokens && stored->normalizer &&
                      stored->pretokenizer,
                  "a tokenizer in parts");
    if (archive->status != SEMBED_OK)
        return;
    archive_value(archive, &stored->subword_type);
    store_subword_model(archive, stored);
    archive_check(archive, stored->wordpiece != NULL, "a tokenizer without a model");
}

static size_t template_id_limit(const struct template *template)
{
    size_t limit = 0;
    for (size_t i = 0; i < template->count; i++)
        if (template->parts[i].id < TEMPLATE_FIRST && template->parts[i].id >= limit)
            limit = (size_t) template->parts[i].id + 1;
    return limit;
}

size_t tokenizer_id_limit(const struct tokenizer *tokenizer)
{
    const size_t limits[] = {
        vocabulary_id_limit(tokenizer->vocabulary),
        added_tokens_id_limit(tokenizer->added_tokens),
        template_id_limit(&tokenizer->postprocessor.single),
        template_id_limit(&tokenizer->postprocessor.pair),
    };
    size_t largest = 0;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (limits[i] > largest)
            largest = limits[i];
    return largest;
}

size_t tokenizer_max_length(const struct tokenizer *tokenizer)
{
    return tokenizer->max_length;
}

const char *tokenizer_token(const struct tokenizer *tokenizer, uint32_t id, size_t *length)
{
    const char *added = added_tokens_content(tokenizer->added_tokens, id, length);
    return added ? added : vocabulary_token(tokenizer->vocabulary, id, length);
}
