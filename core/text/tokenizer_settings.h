/*
 * What the small files beside a tokenizer say: tokenizer_config.json, special_tokens_map.json,
 * added_tokens.json, config.json, sentence_bert_config.json.
 *
 * transformers 5, and sentence-transformers through it, does not take tokenizer.json as it is where
 * it knows the tokenizer's class. It takes the vocabulary from it and builds the rest anew from the
 * class and tokenizer_config.json, so that do_lower_case there wins over the normalizer in
 * tokenizer.json. Sources: transformers 5, TokenizersBackend.convert_to_native_format,
 * PreTrainedTokenizerBase._from_pretrained, AutoTokenizer.from_pretrained, tokenization_bert.py,
 * tokenization_mpnet.py, tokenization_roberta.py, tokenization_xlm_roberta.py,
 * tokenization_camembert.py.
 */
#ifndef SEMBED_TEXT_TOKENIZER_SETTINGS_H
#define SEMBED_TEXT_TOKENIZER_SETTINGS_H

#include "core/base/json.h"

enum tokenizer_class {
    CLASS_ANY, /* tokenizer.json is taken as it is */
    CLASS_BERT,
    CLASS_MPNET,
    CLASS_ROBERTA,
    CLASS_XLM_ROBERTA,
    CLASS_CAMEMBERT
};

/* Files that are not there have no root. */
struct tokenizer_settings {
    enum tokenizer_class class;
    struct json_file config;         /* tokenizer_config.json */
    struct json_file special_tokens; /* special_tokens_map.json */
    struct json_file added_tokens;   /* added_tokens.json */
    bool lowercase_first;            /* sentence_bert_config.json's do_lower_case */
};

/* Reads the files of a folder into a zeroed struct. Free with tokenizer_settings_free, also after a
 * failure. */
SEMBED_MUST_CHECK sembed_status tokenizer_settings_read(struct tokenizer_settings *settings,
                                                        const char *folder, sembed_error *error);
void tokenizer_settings_free(struct tokenizer_settings *settings);

/* model_max_length; SIZE_MAX where it is missing, or so large that it means "no limit". */
size_t tokenizer_settings_max_length(const struct tokenizer_settings *settings);

/* The value of a special token's key, such as "cls_token", a string or an object; NULL where no file
 * has it. */
const json_t *tokenizer_settings_token(const struct tokenizer_settings *settings, const char *key);

/* The token itself, or what the class calls it where no file does. */
const char *tokenizer_settings_token_text(const struct tokenizer_settings *settings,
                                          const char *key);

/* What the class calls a special token; NULL where it has none of that key. */
const char *tokenizer_class_token(enum tokenizer_class class, const char *key);

/* The keys of special tokens, in the order in which they are added. */
#define SPECIAL_TOKEN_KEYS 7
extern const char *const special_token_keys[SPECIAL_TOKEN_KEYS];

/*
 * The class's own "normalizer" and "pre_tokenizer", in tokenizer.json's terms; charsmap: a
 * Precompiled normalizer to keep, or NULL. *json is NULL for none; free it with json_decref.
 */
SEMBED_MUST_CHECK sembed_status
tokenizer_class_normalizer(const struct tokenizer_settings *settings, json_t *charsmap,
                           json_t **json, sembed_error *error);
SEMBED_MUST_CHECK sembed_status tokenizer_class_pretokenizer(
    const struct tokenizer_settings *settings, json_t **json, sembed_error *error);

#endif
