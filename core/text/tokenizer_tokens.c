/*
 * Which special tokens a folder's small files add to a tokenizer, in the order in which transformers
 * adds them: those of added_tokens_decoder by id, then the named ones ("cls_token"), then the extra
 * ones. The order matters only for tokens that have no id yet.
 */
#include "core/text/tokenizer_build.h"

#include <stdlib.h>

/* The flags of a token that is written as an object. Where `normalized` is missing, tokens are
 * normalized unless they are special. */
static sembed_status read_token(const struct json_file *file, const json_t *json, bool special,
                                struct added_token *token, sembed_error *error)
{
    const json_t *content = json_object_get(json, "content");
    *token = (struct added_token){.content = json_string_value(content),
                                  .length = json_string_length(content)};
    if (!token->content)
        return json_expected(file, "content", "a string", content, error);
    sembed_status status =
        json_get_bool_or(file, json, "single_word", false, &token->single_word, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "lstrip", false, &token->lstrip, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "rstrip", false, &token->rstrip, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "special", special, &token->special, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "normalized", !(token->special || special),
                                  &token->normalized, error);
    return status;
}

/* ------------------------------------------------------------------------------- by id */

struct numbered {
    long long id;
    size_t order; /* of two with one id the later counts */
    const struct json_file *file;
    const json_t *json;  /* an object, or NULL */
    const char *content; /* where json is NULL */
};

struct numbered_tokens {
    struct numbered *items;
    size_t count, capacity;
};

static sembed_status append_numbered(struct numbered_tokens *tokens, struct numbered token,
                                     sembed_error *error)
{
    if (!memory_grow((void **)&tokens->items, &tokens->capacity, tokens->count + 1,
                     sizeof *tokens->items))
        return error_no_memory(error, "the added tokens");
    token.order = tokens->count;
    tokens->items[tokens->count++] = token;
    return SEMBED_OK;
}

static int compare_numbered(const void *left, const void *right)
{
    const struct numbered *a = left, *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* added_tokens_decoder: {"0": {"content": …}, …} */
static sembed_status list_decoder(const struct json_file *file, const json_t *decoder,
                                  struct numbered_tokens *tokens, sembed_error *error)
{
    const char *id;
    json_t *token;
    json_object_foreach((json_t *)decoder, id, token)
    {
        struct numbered numbered = {.id = strtoll(id, NULL, 10), .file = file, .json = token};
        sembed_status status = append_numbered(tokens, numbered, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

/* added_tokens.json: {"<token>": 5, …} */
static sembed_status list_old_tokens(const struct json_file *file, struct numbered_tokens *tokens,
                                     sembed_error *error)
{
    const char *content;
    json_t *id;
    json_object_foreach(file->root, content, id)
    {
        struct numbered numbered = {.id = json_integer_value(id), .file = file, .content = content};
        sembed_status status = json_is_integer(id)
                                   ? append_numbered(tokens, numbered, error)
                                   : json_expected(file, content, "a token id", id, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

/* tokenizer.json's added_tokens: [{"id": 0, "content": …}, …] */
static sembed_status list_json_tokens(const struct json_file *file, const json_t *json_tokens,
                                      struct numbered_tokens *tokens, sembed_error *error)
{
    for (size_t i = 0; i < json_array_size(json_tokens); i++) {
        const json_t *token = json_array_get(json_tokens, i);
        struct numbered numbered = {
            .id = json_integer_value(json_object_get(token, "id")), .file = file, .json = token};
        sembed_status status = append_numbered(tokens, numbered, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static bool is_named(const struct tokenizer_settings *settings, const char *content)
{
    for (size_t i = 0; i < SPECIAL_TOKEN_KEYS; i++) {
        const char *text = tokenizer_settings_token_text(settings, special_token_keys[i]);
        if (text && strcmp(text, content) == 0)
            return true;
    }
    return false;
}

static sembed_status add_numbered(struct tokenizer *tokenizer,
                                  const struct tokenizer_settings *settings,
                                  const struct numbered *numbered, sembed_error *error)
{
    struct added_token token;
    const char *content = numbered->content
                              ? numbered->content
                              : json_string_value(json_object_get(numbered->json, "content"));
    bool named = content && is_named(settings, content);
    sembed_status status = SEMBED_OK;
    if (numbered->json)
        status = read_token(numbered->file, numbered->json, named, &token, error);
    else
        token = (struct added_token){
            .content = content, .length = strlen(content), .normalized = !named, .special = named};
    if (status == SEMBED_OK)
        status = added_tokens_add(tokenizer->added_tokens, &token, tokenizer->vocabulary, error);
    return status;
}

static sembed_status add_by_id(struct tokenizer *tokenizer,
                               const struct tokenizer_settings *settings,
                               const struct json_file *file, const json_t *json_tokens,
                               sembed_error *error)
{
    struct numbered_tokens tokens = {0};
    const json_t *decoder = json_object_get(settings->config.root, "added_tokens_decoder");
    sembed_status status;
    if (decoder) {
        status = list_decoder(&settings->config, decoder, &tokens, error);
    } else {
        status = list_old_tokens(&settings->added_tokens, &tokens, error);
        if (status == SEMBED_OK)
            status = list_json_tokens(file, json_tokens, &tokens, error);
    }
    if (tokens.count)
        qsort(tokens.items, tokens.count, sizeof *tokens.items, compare_numbered);
    for (size_t i = 0; i < tokens.count && status == SEMBED_OK; i++)
        if (i + 1 == tokens.count || tokens.items[i + 1].id != tokens.items[i].id)
            status = add_numbered(tokenizer, settings, &tokens.items[i], error);
    memory_free(tokens.items);
    return status;
}

/* ------------------------------------------------------------------------------- by name */

/* Adds a token that is a string or an object, unless one with its content is added already. */
static sembed_status add_if_new(struct tokenizer *tokenizer, const struct json_file *file,
                                const json_t *json, const char *fallback, bool lstrip,
                                sembed_error *error)
{
    struct added_token token = {.content = fallback, .lstrip = lstrip, .special = true};
    sembed_status status = SEMBED_OK;
    if (json_is_object(json))
        status = read_token(file, json, true, &token, error);
    else if (json_is_string(json))
        token.content = json_string_value(json);
    if (status != SEMBED_OK || !token.content)
        return status;
    token.length = strlen(token.content);
    if (added_tokens_find(tokenizer->added_tokens, token.content, token.length) != VOCABULARY_NONE)
        return SEMBED_OK;
    return added_tokens_add(tokenizer->added_tokens, &token, tokenizer->vocabulary, error);
}

static sembed_status add_named(struct tokenizer *tokenizer,
                               const struct tokenizer_settings *settings, sembed_error *error)
{
    for (size_t i = 0; i < SPECIAL_TOKEN_KEYS; i++) {
        const char *key = special_token_keys[i];
        /* These two classes let a mask take the space before it. */
        bool lstrip = strcmp(key, "mask_token") == 0 &&
                      (settings->class == CLASS_MPNET || settings->class == CLASS_CAMEMBERT);
        sembed_status status =
            add_if_new(tokenizer, &settings->config, tokenizer_settings_token(settings, key),
                       tokenizer_class_token(settings->class, key), lstrip, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static sembed_status add_extra(struct tokenizer *tokenizer,
                               const struct tokenizer_settings *settings, bool of_json,
                               sembed_error *error)
{
    static const char *const unused[] = {"<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"};
    const json_t *extra = json_object_get(settings->config.root, "extra_special_tokens");
    if (!json_array_size(extra))
        extra = json_object_get(settings->config.root, "additional_special_tokens");
    for (size_t i = 0; i < json_array_size(extra); i++) {
        sembed_status status =
            add_if_new(tokenizer, &settings->config, json_array_get(extra, i), NULL, false, error);
        if (status != SEMBED_OK)
            return status;
    }
    /* A SentencePiece file brings extra tokens of its own, and then these are not added. */
    bool wants_unused = settings->class == CLASS_CAMEMBERT && of_json && !json_is_array(extra);
    for (size_t i = 0; wants_unused && i < sizeof unused / sizeof unused[0]; i++) {
        sembed_status status = add_if_new(tokenizer, NULL, NULL, unused[i], false, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

sembed_status tokenizer_add_tokens(struct tokenizer *tokenizer,
                                   const struct tokenizer_settings *settings,
                                   const struct json_file *file, const json_t *json_tokens,
                                   sembed_error *error)
{
    added_tokens_begin(tokenizer->added_tokens, tokenizer->vocabulary);
    sembed_status status = add_by_id(tokenizer, settings, file, json_tokens, error);
    if (status == SEMBED_OK)
        status = add_named(tokenizer, settings, error);
    if (status == SEMBED_OK)
        status = add_extra(tokenizer, settings, file->root != NULL, error);
    return status;
}

/* ------------------------------------------------------------------------------- templates */

static sembed_status find_id(const struct tokenizer *tokenizer,
                             const struct tokenizer_settings *settings, const char *name,
                             const char *key, uint32_t *id, sembed_error *error)
{
    const char *text = tokenizer_settings_token_text(settings, key);
    size_t length = text ? strlen(text) : 0;
    *id = text ? added_tokens_find(tokenizer->added_tokens, text, length) : VOCABULARY_NONE;
    if (text && *id == VOCABULARY_NONE)
        *id = vocabulary_find(tokenizer->vocabulary, text, length);
    if (*id == VOCABULARY_NONE)
        return error_set(error, SEMBED_MALFORMED, "%s: the tokenizer has no %s '%s'", name, key,
                         text ? text : "");
    return SEMBED_OK;
}

static sembed_status add_trim(struct tokenizer *tokenizer,
                              const struct tokenizer_settings *settings, const char *name,
                              sembed_error *error)
{
    const struct json_file *config = &settings->config;
    bool trim = true, prefix = false;
    sembed_status status = SEMBED_OK;
    if (settings->class == CLASS_ROBERTA) {
        status = json_get_bool_or(config, config->root, "trim_offsets", true, &trim, error);
        if (status == SEMBED_OK)
            status =
                json_get_bool_or(config, config->root, "add_prefix_space", false, &prefix, error);
    }
    if (status == SEMBED_OK && trim)
        status = postprocessor_add_trim(&tokenizer->postprocessor, name, prefix, error);
    return status;
}

sembed_status tokenizer_class_postprocessor(struct tokenizer *tokenizer,
                                            const struct tokenizer_settings *settings,
                                            const char *name, sembed_error *error)
{
    bool of_words = settings->class == CLASS_XLM_ROBERTA || settings->class == CLASS_CAMEMBERT;
    uint32_t cls = 0, sep = 0;
    sembed_status status =
        find_id(tokenizer, settings, name, of_words ? "bos_token" : "cls_token", &cls, error);
    if (status == SEMBED_OK)
        status =
            find_id(tokenizer, settings, name, of_words ? "eos_token" : "sep_token", &sep, error);
    if (status != SEMBED_OK)
        return status;
    if (settings->class == CLASS_BERT)
        return postprocessor_make_bert(&tokenizer->postprocessor, cls, sep, error);
    if (!of_words)
        status = add_trim(tokenizer, settings, name, error);
    if (status == SEMBED_OK)
        status = postprocessor_make_roberta(&tokenizer->postprocessor, cls, sep, error);
    return status;
}
