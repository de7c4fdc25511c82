/* Vocabularies as tokenizer.json and vocab.json write them. */
#ifndef SEMBED_TEXT_VOCABULARY_JSON_H
#define SEMBED_TEXT_VOCABULARY_JSON_H

#include "core/base/json_partly.h"
#include "core/text/vocabulary.h"

/* Adds all of an object {"token": id, …}, whose text is given; key names it in messages. */
SEMBED_MUST_CHECK sembed_status vocabulary_read_ids(const struct json_file *file, const char *key,
                                                    const struct json_text *text,
                                                    struct vocabulary *vocabulary,
                                                    const sembed_poll *poll, sembed_error *error);

/* The same for object["vocab"]. */
SEMBED_MUST_CHECK sembed_status vocabulary_read_vocab(const struct json_file *file,
                                                      const json_t *object,
                                                      struct vocabulary *vocabulary,
                                                      const sembed_poll *poll, sembed_error *error);

#endif
