/*
 * A tokenizer: text → token ids, as the `tokenizers` library (Hugging Face, Rust) does it, from the
 * files of a model folder.
 *
 *     text ─ added tokens ─▶ normalizer ─▶ pre-tokenizer ─▶ model ─▶ post-processor ─▶ ids
 *            cut out whole   case, accents   words           pieces    [CLS] … [SEP]
 *
 * A tokenizer is immutable once opened and may be used by several threads, each with its own
 * scratch.
 */
#ifndef SEMBED_TEXT_TOKENIZER_H
#define SEMBED_TEXT_TOKENIZER_H

#include "core/base/archive.h"

#include <stdbool.h>

struct tokenizer;

/* Working memory of one thread: grows to the largest text and is reused. Zero-initialise through
 * tokenizer_scratch_create. */
struct tokenizer_scratch;

/* A run of tokens. The arrays grow; zero-initialise, free with encoding_free. */
struct encoding {
    uint32_t *ids;   /* [count] */
    uint8_t *types;  /* [count]: token type (segment) 0 or 1 */
    uint32_t *start; /* [count]: first byte in the text it came from; 0 for a special token */
    uint32_t *stop;  /* [count]: one past the last byte; 0 for a special token */
    size_t count;
    size_t capacity; /* of every array */
    bool truncated;  /* tokens were left out to keep the limit */
};

/* Opens the tokenizer of a model folder: tokenizer.json, or the older files it is made of. An
 * unknown component is SEMBED_UNSUPPORTED and named. Free with tokenizer_close. */
SEMBED_MUST_CHECK sembed_status tokenizer_open(const char *folder, const sembed_poll *poll,
                                               struct tokenizer **tokenizer, sembed_error *error);
void tokenizer_close(struct tokenizer *tokenizer); /* NULL is allowed */

/* To and from an image; one that was opened is used like any other and closed the same. */
void tokenizer_store(struct archive *archive, struct tokenizer **tokenizer);

SEMBED_MUST_CHECK sembed_status tokenizer_scratch_create(struct tokenizer_scratch **scratch,
                                                         sembed_error *error);
void tokenizer_scratch_destroy(struct tokenizer_scratch *scratch); /* NULL is allowed */
void tokenizer_scratch_trim(struct tokenizer_scratch *scratch);    /* gives large buffers back */

/* One past the largest id that encoding can give: the embedding table must have as many rows. */
size_t tokenizer_id_limit(const struct tokenizer *tokenizer);

/* The longest input that the folder's tokenizer_config.json names (model_max_length); SIZE_MAX
 * where it names none. */
size_t tokenizer_max_length(const struct tokenizer *tokenizer);

/* The token with that id as tokenizer.json spells it ("##ing"), not zero-terminated; NULL if there
 * is none. Lives as long as the tokenizer. */
const char *tokenizer_token(const struct tokenizer *tokenizer, uint32_t id, size_t *length);

/*
 * One text with its special tokens, at most `limit` tokens in all: tokens beyond are left out
 * before the closing special token, as the reference truncates; work beyond the limit is not done.
 * Where the folder says that it truncates left, the text's first tokens are left out instead.
 * What encoding held before is replaced. Offsets (start, stop) are filled only where with_offsets
 * is set; they are byte offsets into text.data. Texts over UINT32_MAX bytes are SEMBED_LIMIT.
 */
SEMBED_MUST_CHECK sembed_status tokenizer_encode(const struct tokenizer *tokenizer,
                                                 struct tokenizer_scratch *scratch,
                                                 sembed_text text, size_t limit, bool with_offsets,
                                                 const sembed_poll *poll, struct encoding *encoding,
                                                 sembed_error *error);

/* The same for a pair, truncated longest-first: while the sum is over the limit, the longer of the
 * two loses its last token (the second one where they are equal: see the tokenizers library's
 * TruncationStrategy::LongestFirst for its exact rule). */
SEMBED_MUST_CHECK sembed_status
tokenizer_encode_pair(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                      sembed_text first, sembed_text second, size_t limit, bool with_offsets,
                      const sembed_poll *poll, struct encoding *encoding, sembed_error *error);

void encoding_free(struct encoding *encoding);

#endif
