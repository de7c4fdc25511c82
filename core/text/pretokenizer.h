/*
 * Pre-tokenizers: they split a normalized text into the words that a subword model looks up, and
 * some rewrite it on the way (ByteLevel, Metaspace). A list of steps; Sequence is flattened.
 */
#ifndef SEMBED_TEXT_PRETOKENIZER_H
#define SEMBED_TEXT_PRETOKENIZER_H

#include "core/base/json.h"
#include "core/text/aligned_text.h"
#include "core/text/splits.h"

struct pretokenizer;

/* Working memory; zero-initialise; free with pretokenizer_scratch_free. */
struct pretokenizer_scratch {
    struct aligned_text other_text;
    struct splits other_splits;
};

/* Reads tokenizer.json's "pre_tokenizer"; NULL or null gives one that splits nothing. */
SEMBED_MUST_CHECK sembed_status pretokenizer_create(const struct json_file *file,
                                                    const json_t *json,
                                                    struct pretokenizer **pretokenizer,
                                                    sembed_error *error);
void pretokenizer_destroy(struct pretokenizer *pretokenizer); /* NULL is allowed */

/* As normalizer_allows_cuts. */
bool pretokenizer_allows_cuts(const struct pretokenizer *pretokenizer);

/* Splits the splits of text that are no token yet, in place. */
SEMBED_MUST_CHECK sembed_status pretokenizer_apply(const struct pretokenizer *pretokenizer,
                                                   struct pretokenizer_scratch *scratch,
                                                   struct aligned_text *text, struct splits *splits,
                                                   const sembed_poll *poll, sembed_error *error);

void pretokenizer_scratch_free(struct pretokenizer_scratch *scratch);

#endif
