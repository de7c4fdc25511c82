#include "core/text/tokenizer_settings.h"

#include "core/base/file.h"
#include "core/base/memory.h"

#include <string.h>

/* ------------------------------------------------------------------------------- files */

/* Reads folder/name if it is there. */
static sembed_status read_file(const char *folder, const char *name, struct json_file *file,
                               sembed_error *error)
{
    char *path = path_join(folder, name);
    if (!path)
        return error_no_memory(error, "a path");
    sembed_status status = file_exists(path) ? json_file_open(path, file, error) : SEMBED_OK;
    if (status == SEMBED_OK && file->root && !json_is_object(file->root))
        status = error_set(error, SEMBED_MALFORMED, "%s: expected an object, found %s", path,
                           json_type_word(file->root));
    memory_free(path);
    return status;
}

/* Names under which transformers knows one class, "Fast" taken off. */
static const struct {
    const char *name;
    enum tokenizer_class class;
} class_names[] = {
    {"BertTokenizer", CLASS_BERT},
    {"DistilBertTokenizer", CLASS_BERT},
    {"ElectraTokenizer", CLASS_BERT},
    {"MobileBertTokenizer", CLASS_BERT},
    {"SqueezeBertTokenizer", CLASS_BERT},
    {"LayoutLMTokenizer", CLASS_BERT},
    {"MPNetTokenizer", CLASS_MPNET},
    {"RobertaTokenizer", CLASS_ROBERTA},
    {"LongformerTokenizer", CLASS_ROBERTA},
    {"BartTokenizer", CLASS_ROBERTA},
    {"XLMRobertaTokenizer", CLASS_XLM_ROBERTA},
    {"CamembertTokenizer", CLASS_CAMEMBERT},
};

/* The class of a model whose files name no tokenizer class, by config.json's model_type. */
static const struct {
    const char *type;
    enum tokenizer_class class;
} model_types[] = {
    {"bert", CLASS_BERT},           {"distilbert", CLASS_BERT}, {"electra", CLASS_BERT},
    {"mpnet", CLASS_MPNET},         {"roberta", CLASS_ROBERTA}, {"xlm-roberta", CLASS_XLM_ROBERTA},
    {"camembert", CLASS_CAMEMBERT},
};

static enum tokenizer_class class_of_name(const char *name)
{
    size_t length = strlen(name);
    if (length > 4 && strcmp(name + length - 4, "Fast") == 0)
        length -= 4;
    for (size_t i = 0; i < sizeof class_names / sizeof class_names[0]; i++)
        if (strlen(class_names[i].name) == length &&
            strncmp(class_names[i].name, name, length) == 0)
            return class_names[i].class;
    return CLASS_ANY;
}

static const char *string_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static enum tokenizer_class find_class(const json_t *config, const json_t *model_config)
{
    const char *name = string_of(config, "tokenizer_class");
    if (!name)
        name = string_of(model_config, "tokenizer_class");
    if (name)
        return class_of_name(name);
    const char *type = string_of(model_config, "model_type");
    for (size_t i = 0; type && i < sizeof model_types / sizeof model_types[0]; i++)
        if (strcmp(model_types[i].type, type) == 0)
            return model_types[i].class;
    return CLASS_ANY;
}

static sembed_status read_sentence_config(struct tokenizer_settings *settings, const char *folder,
                                          sembed_error *error)
{
    struct json_file file = {0};
    sembed_status status = read_file(folder, "sentence_bert_config.json", &file, error);
    if (status == SEMBED_OK && file.root)
        status = json_get_bool_or(&file, file.root, "do_lower_case", false,
                                  &settings->lowercase_first, error);
    json_file_close(&file);
    return status;
}

sembed_status tokenizer_settings_read(struct tokenizer_settings *settings, const char *folder,
                                      sembed_error *error)
{
    struct json_file model_config = {0};
    sembed_status status = read_file(folder, "tokenizer_config.json", &settings->config, error);
    if (status == SEMBED_OK)
        status = read_file(folder, "special_tokens_map.json", &settings->special_tokens, error);
    if (status == SEMBED_OK)
        status = read_file(folder, "added_tokens.json", &settings->added_tokens, error);
    if (status == SEMBED_OK)
        status = read_file(folder, "config.json", &model_config, error);
    if (status == SEMBED_OK)
        status = read_sentence_config(settings, folder, error);
    if (status == SEMBED_OK)
        settings->class = find_class(settings->config.root, model_config.root);
    json_file_close(&model_config);
    return status;
}

void tokenizer_settings_free(struct tokenizer_settings *settings)
{
    json_file_close(&settings->config);
    json_file_close(&settings->special_tokens);
    json_file_close(&settings->added_tokens);
}

size_t tokenizer_settings_max_length(const struct tokenizer_settings *settings)
{
    /* "No limit" is written as 10^30. */
    double length = json_number_value(json_object_get(settings->config.root, "model_max_length"));
    return length >= 1 && length < (double)UINT32_MAX ? (size_t)length : SIZE_MAX;
}

/* ------------------------------------------------------------------------------- tokens */

const char *const special_token_keys[SPECIAL_TOKEN_KEYS] = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
};

const char *tokenizer_class_token(enum tokenizer_class class, const char *key)
{
    static const char *const bert[SPECIAL_TOKEN_KEYS] = {
        NULL, NULL, "[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]",
    };
    static const char *const roberta[SPECIAL_TOKEN_KEYS] = {
        "<s>", "</s>", "<unk>", "</s>", "<pad>", "<s>", "<mask>",
    };
    for (size_t i = 0; class != CLASS_ANY && i < SPECIAL_TOKEN_KEYS; i++) {
        if (strcmp(special_token_keys[i], key) != 0)
            continue;
        if (class == CLASS_MPNET && strcmp(key, "unk_token") == 0)
            return "[UNK]";
        return class == CLASS_BERT ? bert[i] : roberta[i];
    }
    return NULL;
}

const json_t *tokenizer_settings_token(const struct tokenizer_settings *settings, const char *key)
{
    /* special_tokens_map.json is of old; it counts where tokenizer_config.json lists no tokens. */
    const json_t *found = NULL;
    if (!json_object_get(settings->config.root, "added_tokens_decoder"))
        found = json_object_get(settings->special_tokens.root, key);
    if (!found)
        found = json_object_get(settings->config.root, key);
    return json_is_string(found) || json_is_object(found) ? found : NULL;
}

const char *tokenizer_settings_token_text(const struct tokenizer_settings *settings,
                                          const char *key)
{
    const json_t *found = tokenizer_settings_token(settings, key);
    const char *text =
        json_is_object(found) ? string_of(found, "content") : json_string_value(found);
    return text ? text : tokenizer_class_token(settings->class, key);
}

/* ------------------------------------------------------------------------------- pipeline */

static sembed_status bert_normalizer(const struct tokenizer_settings *settings, json_t **json,
                                     sembed_error *error)
{
    const struct json_file *config = &settings->config;
    const json_t *strip = json_object_get(config->root, "strip_accents");
    bool lowercase, chinese;
    sembed_status status =
        json_get_bool_or(config, config->root, "do_lower_case", true, &lowercase, error);
    if (status == SEMBED_OK)
        status =
            json_get_bool_or(config, config->root, "tokenize_chinese_chars", true, &chinese, error);
    if (status != SEMBED_OK)
        return status;
    *json = json_pack("{s:s, s:b, s:b, s:O?, s:b}", "type", "BertNormalizer", "clean_text", 1,
                      "handle_chinese_chars", (int)chinese, "strip_accents", strip, "lowercase",
                      (int)lowercase);
    return *json ? SEMBED_OK : error_no_memory(error, "a normalizer");
}

sembed_status tokenizer_class_normalizer(const struct tokenizer_settings *settings,
                                         json_t *charsmap, json_t **json, sembed_error *error)
{
    *json = NULL;
    switch (settings->class) {
    case CLASS_BERT:
    case CLASS_MPNET:
        return bert_normalizer(settings, json, error);
    case CLASS_XLM_ROBERTA:
    case CLASS_CAMEMBERT:
        *json = json_incref(charsmap);
        return SEMBED_OK;
    case CLASS_ROBERTA:
    case CLASS_ANY:
        break;
    }
    return SEMBED_OK;
}

sembed_status tokenizer_class_pretokenizer(const struct tokenizer_settings *settings, json_t **json,
                                           sembed_error *error)
{
    const struct json_file *config = &settings->config;
    bool of_words = settings->class == CLASS_XLM_ROBERTA || settings->class == CLASS_CAMEMBERT;
    bool prefix;
    *json = NULL;
    sembed_status status =
        json_get_bool_or(config, config->root, "add_prefix_space", of_words, &prefix, error);
    if (status != SEMBED_OK)
        return status;
    if (of_words)
        *json = json_pack("{s:s, s:[{s:s}, {s:s, s:s, s:s}]}", "type", "Sequence", "pretokenizers",
                          "type", "WhitespaceSplit", "type", "Metaspace", "replacement",
                          "\xE2\x96\x81", "prepend_scheme", prefix ? "always" : "never");
    else if (settings->class == CLASS_ROBERTA)
        *json = json_pack("{s:s, s:b}", "type", "ByteLevel", "add_prefix_space", (int)prefix);
    else
        *json = json_pack("{s:s}", "type", "BertPreTokenizer");
    return *json ? SEMBED_OK : error_no_memory(error, "a pre-tokenizer");
}
