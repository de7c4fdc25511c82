/*
 * Pre-tokenizers: they split a normalized text into the words that a subword model looks up, and
 * some rewrite it on the way (ByteLevel, Metaspace). A list of steps; Sequence is flattened.
 */
#ifndef SEMBED_TEXT_PRETOKENIZER_H
#define SEMBED_TEXT_PRETOKENIZER_H

#include "core/base/json.h"
#include "core/text/aligned_text.h"
#include "core/text/regex.h"
#include "core/text/splits.h"

struct pretokenizer;

/* A run of a split that a pattern matches or does not match. */
struct match {
    uint32_t start, stop;
    bool is_match;
};

/* Working memory; zero-initialise; free with pretokenizer_scratch_free. */
struct pretokenizer_scratch {
    struct aligned_text other_text;
    struct splits other_splits;
    struct match *matches;
    size_t match_count, match_capacity;
    struct regex_scratch regex;
};

/* Reads tokenizer.json's "pre_tokenizer"; NULL or null gives one that splits nothing. */
SEMBED_MUST_CHECK sembed_status pretokenizer_create(const struct json_file *file,
                                                    const json_t *json,
                                                    struct pretokenizer **pretokenizer,
                                                    sembed_error *error);
/* To and from an image. */
void pretokenizer_store(struct archive *archive, struct pretokenizer **pretokenizer);
void pretokenizer_destroy(struct pretokenizer *pretokenizer); /* NULL is allowed */

/*
 * Whether words are text in the byte-level alphabet, with ByteLevel as the last step. A BPE model
 * takes the bytes as they are; pretokenizer_leave_bytes says that they should be left so.
 */
bool pretokenizer_is_byte_level(const struct pretokenizer *pretokenizer);
void pretokenizer_leave_bytes(struct pretokenizer *pretokenizer);

/* Whether it looks at where a split stands in the text, so that spans must be kept. */
bool pretokenizer_needs_spans(const struct pretokenizer *pretokenizer);

/*
 * Whether a long text may be split in parts, cut between an ASCII letter or digit and the space
 * behind it, with the same result: because words end there in any case, and nothing looks further.
 */
bool pretokenizer_allows_cuts(const struct pretokenizer *pretokenizer);

/* Splits the splits of text that are no token yet, in place; text may be rewritten. */
SEMBED_MUST_CHECK sembed_status pretokenizer_apply(const struct pretokenizer *pretokenizer,
                                                   struct pretokenizer_scratch *scratch,
                                                   struct aligned_text *text, struct splits *splits,
                                                   const sembed_poll *poll, sembed_error *error);

void pretokenizer_scratch_free(struct pretokenizer_scratch *scratch);

#endif
