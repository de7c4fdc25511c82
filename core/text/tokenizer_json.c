/* Reads tokenizer.json, the file that the tokenizers library writes. Its truncation and padding are
 * not used: who embeds sets his own. */
#include "core/text/tokenizer_internal.h"

#include <string.h>

static sembed_status read_model(struct tokenizer *tokenizer, const struct json_file *file,
                                const json_t *json, const sembed_poll *poll, sembed_error *error)
{
    const char *type;
    sembed_status status = json_get_string(file, json, "type", &type, error);
    if (status == SEMBED_OK)
        status = vocabulary_create(json_object_size(json_object_get(json, "vocab")), 0,
                                   &tokenizer->vocabulary, error);
    if (status != SEMBED_OK)
        return status;
    if (strcmp(type, "WordPiece") == 0) {
        tokenizer->subword_type = SUBWORD_WORDPIECE;
        return wordpiece_create(file, json, tokenizer->vocabulary, poll, &tokenizer->wordpiece,
                                error);
    }
    return error_set(error, SEMBED_UNSUPPORTED, "%s: key 'model': type '%s' is not supported",
                     file->path, type);
}

static sembed_status read_parts(struct tokenizer *tokenizer, const struct json_file *file,
                                const sembed_poll *poll, sembed_error *error)
{
    const json_t *model = json_object_get(file->root, "model");
    if (!json_is_object(model))
        return json_expected(file, "model", "an object", model, error);
    sembed_status status = read_model(tokenizer, file, model, poll, error);
    if (status == SEMBED_OK)
        status = normalizer_create(file, json_object_get(file->root, "normalizer"),
                                   &tokenizer->normalizer, error);
    if (status == SEMBED_OK)
        status = pretokenizer_create(file, json_object_get(file->root, "pre_tokenizer"),
                                     &tokenizer->pretokenizer, error);
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
