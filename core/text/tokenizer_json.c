/* Reads tokenizer.json, the file that the tokenizers library writes. Its truncation and padding are
 * not used: who embeds sets his own. */
#include "core/text/tokenizer_internal.h"

#include <string.h>

static sembed_status read_bpe(struct tokenizer *tokenizer, const struct json_file *file,
                              const json_t *json, const sembed_poll *poll, sembed_error *error)
{
    bool byte_level = pretokenizer_is_byte_level(tokenizer->pretokenizer);
    sembed_status status =
        bpe_create(file, json, byte_level, tokenizer->vocabulary, poll, &tokenizer->bpe, error);
    if (status != SEMBED_OK)
        return status;
    tokenizer->subword_type = SUBWORD_BPE;
    if (byte_level)
        pretokenizer_leave_bytes(tokenizer->pretokenizer);
    return SEMBED_OK;
}

static sembed_status read_wordpiece(struct tokenizer *tokenizer, const struct json_file *file,
                                    const json_t *json, const sembed_poll *poll,
                                    sembed_error *error)
{
    sembed_status status =
        wordpiece_create(file, json, tokenizer->vocabulary, poll, &tokenizer->wordpiece, error);
    if (status == SEMBED_OK)
        tokenizer->subword_type = SUBWORD_WORDPIECE;
    return status;
}

static sembed_status read_unigram(struct tokenizer *tokenizer, const struct json_file *file,
                                  const json_t *json, const sembed_poll *poll, sembed_error *error)
{
    sembed_status status =
        unigram_create(file, json, tokenizer->vocabulary, poll, &tokenizer->unigram, error);
    if (status == SEMBED_OK)
        tokenizer->subword_type = SUBWORD_UNIGRAM;
    return status;
}

/* Files of old have no type: the library then takes the first model whose keys are there. */
static const char *guess_type(const json_t *model)
{
    if (json_object_get(model, "merges"))
        return "BPE";
    if (json_is_array(json_object_get(model, "vocab")))
        return "Unigram";
    return "WordPiece";
}

/* The pre-tokenizer must be there already. */
static sembed_status read_model(struct tokenizer *tokenizer, const struct json_file *file,
                                const json_t *json, const sembed_poll *poll, sembed_error *error)
{
    const json_t *vocabulary = json_object_get(json, "vocab");
    const char *type;
    sembed_status status = json_get_string_or(file, json, "type", guess_type(json), &type, error);
    if (status == SEMBED_OK)
        status = vocabulary_create(json_object_size(vocabulary) + json_array_size(vocabulary), 0,
                                   &tokenizer->vocabulary, error);
    if (status != SEMBED_OK)
        return status;
    if (strcmp(type, "WordPiece") == 0)
        return read_wordpiece(tokenizer, file, json, poll, error);
    if (strcmp(type, "BPE") == 0)
        return read_bpe(tokenizer, file, json, poll, error);
    if (strcmp(type, "Unigram") == 0)
        return read_unigram(tokenizer, file, json, poll, error);
    return error_set(error, SEMBED_UNSUPPORTED, "%s: key 'model': type '%s' is not supported",
                     file->path, type);
}

static sembed_status read_parts(struct tokenizer *tokenizer, const struct json_file *file,
                                const sembed_poll *poll, sembed_error *error)
{
    const json_t *model = json_object_get(file->root, "model");
    if (!json_is_object(model))
        return json_expected(file, "model", "an object", model, error);
    sembed_status status = normalizer_create(file, json_object_get(file->root, "normalizer"),
                                             &tokenizer->normalizer, error);
    if (status == SEMBED_OK)
        status = pretokenizer_create(file, json_object_get(file->root, "pre_tokenizer"),
                                     &tokenizer->pretokenizer, error);
    if (status == SEMBED_OK)
        status = read_model(tokenizer, file, model, poll, error);
    if (status == SEMBED_OK)
        status = postprocessor_read(file, json_object_get(file->root, "post_processor"),
                                    &tokenizer->postprocessor, error);
    if (status == SEMBED_OK)
        status = added_tokens_create(&tokenizer->added_tokens, error);
    if (status == SEMBED_OK)
        status = added_tokens_read(tokenizer->added_tokens, file,
                                   json_object_get(file->root, "added_tokens"),
                                   tokenizer->vocabulary, error);
    return status;
}

sembed_status tokenizer_read_json(struct tokenizer *tokenizer, const char *path,
                                  const sembed_poll *poll, sembed_error *error)
{
    struct json_file file;
    sembed_status status = json_file_open(path, &file, error);
    if (status != SEMBED_OK)
        return status;
    status = read_parts(tokenizer, &file, poll, error);
    json_file_close(&file);
    return status;
}
