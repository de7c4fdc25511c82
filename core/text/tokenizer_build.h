/* How a tokenizer is put together from what a folder holds, for tokenizer.c. */
#ifndef SEMBED_TEXT_TOKENIZER_BUILD_H
#define SEMBED_TEXT_TOKENIZER_BUILD_H

#include "core/text/tokenizer_internal.h"
#include "core/text/tokenizer_settings.h"

/* Fills a zeroed tokenizer from tokenizer.json. settings->class becomes CLASS_ANY where the file's
 * model is not of the class's kind. */
SEMBED_MUST_CHECK sembed_status tokenizer_read_json(struct tokenizer *tokenizer,
                                                    struct tokenizer_settings *settings,
                                                    const char *path, const sembed_poll *poll,
                                                    sembed_error *error);

/* The same from the files of old: vocab.txt, or vocab.json and merges.txt, or a SentencePiece
 * model. Where settings name no class, the files that are there tell. */
SEMBED_MUST_CHECK sembed_status tokenizer_read_files(struct tokenizer *tokenizer,
                                                     struct tokenizer_settings *settings,
                                                     const char *folder, const sembed_poll *poll,
                                                     sembed_error *error);

/* Adds the tokens that tokenizer_config.json and its like list, behind those that are added
 * already. file: tokenizer.json, without a root where there is none; json_tokens: its
 * "added_tokens", or NULL. */
SEMBED_MUST_CHECK sembed_status tokenizer_add_tokens(struct tokenizer *tokenizer,
                                                     const struct tokenizer_settings *settings,
                                                     const struct json_file *file,
                                                     const json_t *json_tokens,
                                                     sembed_error *error);

/* Makes the class's post-processor; its tokens must be there. name stands for the file. */
SEMBED_MUST_CHECK sembed_status tokenizer_class_postprocessor(
    struct tokenizer *tokenizer, const struct tokenizer_settings *settings, const char *name,
    sembed_error *error);

#endif
