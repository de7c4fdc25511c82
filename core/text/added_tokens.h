/*
 * Added tokens: strings that are cut out of the text whole, before anything splits it, such as
 * "[SEP]" or "<mask>". Those with `normalized` are looked for in the normalized text and by their
 * normalized spelling, the others in the text as it was written.
 *
 * Source: the tokenizers library's AddedVocabulary (src/tokenizer/added_vocabulary.rs): of the
 * matches that begin first the longest wins, a match ends before the next one begins, and only then
 * the flags are looked at. Of two that the normalizer makes alike the library takes one by the order of
 * a hash table, another in each process, here the one added last; one that the normalizer leaves nothing
 * of makes the library panic, here it is never found.
 */
#ifndef SEMBED_TEXT_ADDED_TOKENS_H
#define SEMBED_TEXT_ADDED_TOKENS_H

#include "core/base/json.h"
#include "core/text/normalizer.h"
#include "core/text/vocabulary.h"

struct added_tokens;

/* The flags of one token, as tokenizer.json names them. */
struct added_token {
    const char *content; /* valid UTF-8, not owned */
    size_t length;
    bool single_word, lstrip, rstrip, normalized, special;
};

SEMBED_MUST_CHECK sembed_status added_tokens_create(struct added_tokens **tokens,
                                                    sembed_error *error);
void added_tokens_destroy(struct added_tokens *tokens); /* NULL is allowed */

/* Says which id a token gets that has none, for the tokens that are added from now on: the model's
 * count of tokens, or one past the largest added id where that is more; then the next, and so on. */
void added_tokens_begin(struct added_tokens *tokens, const struct vocabulary *vocabulary);

/* Adds a token under the id that it has already, here or in the model's vocabulary, else under the
 * next new one. A token that is there takes the new flags. One of no characters is left out. */
SEMBED_MUST_CHECK sembed_status added_tokens_add(struct added_tokens *tokens,
                                                 const struct added_token *token,
                                                 const struct vocabulary *vocabulary,
                                                 sembed_error *error);

/* Begins, and adds tokenizer.json's "added_tokens" (missing: none). The ids in the file are not used, as the
 * library does not use them. */
SEMBED_MUST_CHECK sembed_status added_tokens_read(struct added_tokens *tokens,
                                                  const struct json_file *file, const json_t *json,
                                                  const struct vocabulary *vocabulary,
                                                  sembed_error *error);

/* Call once after the last token: builds what the search needs. */
SEMBED_MUST_CHECK sembed_status added_tokens_finish(struct added_tokens *tokens,
                                                    const struct normalizer *normalizer,
                                                    sembed_error *error);

/* From now on special tokens are not cut out of a text that spells them: they are text like any
 * other (transformers' split_special_tokens). */
void added_tokens_split_special(struct added_tokens *tokens);

/* To and from an image, once finished. */
void added_tokens_store(struct archive *archive, struct added_tokens **tokens);

/* The id of an added token by its content; VOCABULARY_NONE where there is none. */
uint32_t added_tokens_find(const struct added_tokens *tokens, const char *content, size_t length);

/* The content of the added token with that id; NULL where there is none. */
const char *added_tokens_content(const struct added_tokens *tokens, uint32_t id, size_t *length);

/* One past the largest id; 0 where there are none. */
size_t added_tokens_id_limit(const struct added_tokens *tokens);

/* As normalizer_allows_cuts, for the tokens that are looked for in normalized text. */
bool added_tokens_allow_cuts(const struct added_tokens *tokens);

/* Bytes to compare between two questions to poll: some milliseconds. Each place of a text can take as many
 * as the longest token has. */
#define ADDED_MOST_WORK ((size_t)1 << 20)

/* A search through one text from left to right. Zero-initialise it but for the first line. */
struct added_search {
    const char *text; /* valid UTF-8 */
    size_t length;
    bool normalized;   /* which of the two kinds of tokens to look for */
    size_t at;         /* where the next match may begin */
    size_t done;       /* where the last token, with the spaces it took, ended */
    size_t spaces_end; /* of the last spaces that were gone through behind a token */
    size_t work;       /* bytes that were compared; the caller sets it back */
};

/*
 * The next token of the text that begins before `limit`, spaces that it takes included. False where
 * there is none; search->at is then `limit` or more, or less where search->work has come to
 * ADDED_MOST_WORK.
 */
bool added_tokens_next(const struct added_tokens *tokens, struct added_search *search, size_t limit,
                       uint32_t *id, size_t *start, size_t *stop);

#endif
