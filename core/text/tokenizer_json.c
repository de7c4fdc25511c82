/*
 * Reads tokenizer.json, the file that the tokenizers library writes. Of its truncation only the side is
 * used, and nothing of its padding: who embeds sets his own length. Where the tokenizer's class is known,
 * only the vocabulary is taken from it, see tokenizer_settings.h.
 */
#include "core/base/json_partly.h"
#include "core/text/tokenizer_build.h"

static sembed_status read_bpe(struct tokenizer *tokenizer, const struct json_file *file,
                              const json_t *json, const sembed_poll *poll, sembed_error *error)
{
    /* With a fallback for bytes, words are text whose characters the vocabulary may lack. */
    bool byte_level = pretokenizer_is_byte_level(tokenizer->pretokenizer) &&
                      !json_is_true(json_object_get(json, "byte_fallback"));
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

typedef sembed_status model_reader(struct tokenizer *tokenizer, const struct json_file *file,
                                   const json_t *json, const sembed_poll *poll,
                                   sembed_error *error);

static const struct {
    const char *type;
    model_reader *read;
} readers[] = {{"WordPiece", read_wordpiece}, {"BPE", read_bpe}, {"Unigram", read_unigram}};

/* Files of old have no type; the library then takes the first model whose keys are there. */
static const char *guess_type(const json_t *model)
{
    if (json_object_get(model, "merges"))
        return "BPE";
    return json_is_array(json_object_get(model, "vocab")) ? "Unigram" : "WordPiece";
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
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        if (strcmp(readers[i].type, type) == 0)
            return readers[i].read(tokenizer, file, json, poll, error);
    return error_set(error, SEMBED_UNSUPPORTED, "%s: key 'model': type '%s' is not supported",
                     file->path, type);
}

/* ------------------------------------------------------------------------------- as it is */

static sembed_status read_as_it_is(struct tokenizer *tokenizer,
                                   const struct tokenizer_settings *settings,
                                   const struct json_file *file, const sembed_poll *poll,
                                   sembed_error *error)
{
    const json_t *tokens = json_object_get(file->root, "added_tokens");
    sembed_status status = normalizer_create(file, json_object_get(file->root, "normalizer"),
                                             &tokenizer->normalizer, error);
    if (status == SEMBED_OK)
        status = pretokenizer_create(file, json_object_get(file->root, "pre_tokenizer"),
                                     &tokenizer->pretokenizer, error);
    if (status == SEMBED_OK)
        status = read_model(tokenizer, file, json_object_get(file->root, "model"), poll, error);
    if (status == SEMBED_OK)
        status = postprocessor_read(file, json_object_get(file->root, "post_processor"),
                                    &tokenizer->postprocessor, error);
    if (status == SEMBED_OK)
        status =
            added_tokens_read(tokenizer->added_tokens, file, tokens, tokenizer->vocabulary, error);
    if (status == SEMBED_OK)
        status = tokenizer_add_tokens(tokenizer, settings, file, tokens, error);
    return status;
}

/* ------------------------------------------------------------------------------- by class */

static const char *model_type_of(enum tokenizer_class class)
{
    switch (class) {
    case CLASS_BERT:
    case CLASS_MPNET:
        return "WordPiece";
    case CLASS_ROBERTA:
        return "BPE";
    case CLASS_XLM_ROBERTA:
    case CLASS_CAMEMBERT:
        return "Unigram";
    case CLASS_ANY:
        break;
    }
    return "";
}

/* The first Precompiled of a normalizer, itself or in a Sequence; borrowed, NULL for none. */
static json_t *find_charsmap(const json_t *normalizer)
{
    const json_t *list = json_object_get(normalizer, "normalizers");
    size_t count = json_is_array(list) ? json_array_size(list) : 1;
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_is_array(list) ? json_array_get(list, i) : normalizer;
        const char *type = json_string_value(json_object_get(one, "type"));
        if (type && strcmp(type, "Precompiled") == 0)
            return (json_t *)one;
    }
    return NULL;
}

/* The place of CamemBERT's unknown token among the pieces; 0 where it is not one. */
static size_t find_unknown(const json_t *pieces, const char *unknown)
{
    for (size_t i = 0; i < json_array_size(pieces); i++) {
        const char *piece = json_string_value(json_array_get(json_array_get(pieces, i), 0));
        if (piece && strcmp(piece, unknown) == 0)
            return i;
    }
    return 0;
}

/* The file's "model" with the options that the class gives it; free it with json_decref. */
static sembed_status class_model(const struct tokenizer_settings *settings, json_t *model,
                                 json_t **json, sembed_error *error)
{
    const char *unknown = tokenizer_settings_token_text(settings, "unk_token");
    json_t *options = NULL;
    switch (settings->class) {
    case CLASS_BERT:
    case CLASS_MPNET:
        options = json_pack("{s:s, s:s, s:i}", "unk_token", unknown, "continuing_subword_prefix",
                            "##", "max_input_chars_per_word", 100);
        break;
    case CLASS_ROBERTA:
        options = json_pack("{s:n, s:s, s:s, s:b, s:b, s:b, s:n}", "unk_token",
                            "continuing_subword_prefix", "", "end_of_word_suffix", "", "fuse_unk",
                            0, "byte_fallback", 0, "ignore_merges", 0, "dropout");
        break;
    case CLASS_XLM_ROBERTA:
        options =
            json_pack("{s:i, s:b, s:b}", "unk_id", 3, "byte_fallback", 0, "nearest_scores", 1);
        break;
    case CLASS_CAMEMBERT:
        options = json_pack("{s:I, s:b, s:b}", "unk_id",
                            (json_int_t)find_unknown(json_object_get(model, "vocab"), unknown),
                            "byte_fallback", 0, "nearest_scores", 1);
        break;
    case CLASS_ANY:
        options = json_empty_object();
        break;
    }
    /* Not by json_copy, which leaves out what it finds no memory for. */
    *json = json_empty_object();
    bool made = options && *json && json_object_update(*json, model) == 0 &&
                json_object_update(*json, options) == 0;
    json_decref(options);
    return made ? SEMBED_OK : error_no_memory(error, "a tokenizer");
}

static sembed_status read_by_class(struct tokenizer *tokenizer,
                                   const struct tokenizer_settings *settings,
                                   const struct json_file *file, const sembed_poll *poll,
                                   sembed_error *error)
{
    json_t *charsmap = find_charsmap(json_object_get(file->root, "normalizer"));
    json_t *normalizer = NULL, *pretokenizer = NULL, *model = NULL;
    sembed_status status = tokenizer_class_normalizer(settings, charsmap, &normalizer, error);
    if (status == SEMBED_OK)
        status = normalizer_create(file, normalizer, &tokenizer->normalizer, error);
    if (status == SEMBED_OK)
        status = tokenizer_class_pretokenizer(settings, &pretokenizer, error);
    if (status == SEMBED_OK)
        status = pretokenizer_create(file, pretokenizer, &tokenizer->pretokenizer, error);
    if (status == SEMBED_OK)
        status = class_model(settings, json_object_get(file->root, "model"), &model, error);
    if (status == SEMBED_OK)
        status = read_model(tokenizer, file, model, poll, error);
    if (status == SEMBED_OK)
        status = tokenizer_add_tokens(tokenizer, settings, file,
                                      json_object_get(file->root, "added_tokens"), error);
    if (status == SEMBED_OK)
        status = tokenizer_class_postprocessor(tokenizer, settings, file->path, error);
    json_decref(normalizer);
    json_decref(pretokenizer);
    json_decref(model);
    return status;
}

/* The side on which the file itself truncates; tokenizer_config.json's word comes before it. */
static sembed_status read_truncation(struct tokenizer *tokenizer, const struct json_file *file,
                                     sembed_error *error)
{
    const json_t *truncation = json_object_get(file->root, "truncation");
    const char *direction;
    sembed_status status =
        json_get_string_or(file, truncation, "direction", "Right", &direction, error);
    if (status != SEMBED_OK)
        return status;
    tokenizer->truncates_left = strcmp(direction, "Left") == 0;
    if (!tokenizer->truncates_left && strcmp(direction, "Right") != 0)
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: key 'direction': expected Left or Right, found '%s'", file->path,
                         direction);
    return SEMBED_OK;
}

/* The vocabulary and the merges are not read into the tree: that would take most of the time.
 * Camembert's is, which is small and looked through for the unknown token. */
static sembed_status open_file(const struct tokenizer_settings *settings, const char *path,
                               const sembed_poll *poll, struct json_file *file, sembed_error *error)
{
    static const char *const large[] = {"vocab", "merges"};
    if (settings->class == CLASS_CAMEMBERT)
        return json_file_open(path, file, error);
    return json_file_open_partly(path, "model", large, 2, poll, file, error);
}

sembed_status tokenizer_read_json(struct tokenizer *tokenizer, struct tokenizer_settings *settings,
                                  const char *path, const sembed_poll *poll, sembed_error *error)
{
    struct json_file file;
    sembed_status status = open_file(settings, path, poll, &file, error);
    if (status != SEMBED_OK)
        return status;
    const json_t *model = json_object_get(file.root, "model");
    const char *type = json_string_value(json_object_get(model, "type"));
    if (strcmp(type ? type : guess_type(model), model_type_of(settings->class)) != 0)
        settings->class = CLASS_ANY;
    if (!json_is_object(model))
        status = json_expected(&file, "model", "an object", model, error);
    else if (settings->class == CLASS_ANY)
        status = read_as_it_is(tokenizer, settings, &file, poll, error);
    else
        status = read_by_class(tokenizer, settings, &file, poll, error);
    if (status == SEMBED_OK)
        status = read_truncation(tokenizer, &file, error);
    json_file_close(&file);
    return status;
}
