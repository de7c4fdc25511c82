/*
 * WordPiece: a word is cut from the left into the longest pieces that the vocabulary has; pieces
 * behind the first are spelled with a prefix ("##"). A word that cannot be cut so, or is too long,
 * is one unknown token.
 *
 *     unaffable  →  una ##ffa ##ble
 *
 * Source: Devlin et al. 2019, tokenization.py, WordpieceTokenizer.
 */
#ifndef SEMBED_TEXT_WORDPIECE_H
#define SEMBED_TEXT_WORDPIECE_H

#include "core/base/json.h"
#include "core/text/subword.h"
#include "core/text/vocabulary.h"

struct wordpiece;

/* Working memory; zero-initialise; free with wordpiece_scratch_free. */
struct wordpiece_scratch {
    uint32_t *hashes; /* of the prefixes of what is left of the word */
    size_t capacity;
    size_t work; /* since poll was asked, see poll_wants_stop_after */
};

/* object: tokenizer.json's "model": vocab (token → id), unk_token, continuing_subword_prefix,
 * max_input_chars_per_word. Fills vocabulary (empty before), which must outlive the model. */
SEMBED_MUST_CHECK sembed_status wordpiece_create(const struct json_file *file, const json_t *object,
                                                 struct vocabulary *vocabulary,
                                                 const sembed_poll *poll, struct wordpiece **model,
                                                 sembed_error *error);

struct wordpiece_options {
    const char *prefix;  /* of pieces behind the first: "##" */
    const char *unknown; /* token of a word that cannot be cut: "[UNK]" */
    size_t longest_word; /* characters: 100 */
};

/* The same with a vocabulary that is full already. */
SEMBED_MUST_CHECK sembed_status wordpiece_create_from_vocabulary(
    const struct wordpiece_options *options, const struct vocabulary *vocabulary,
    const sembed_poll *poll, struct wordpiece **model, sembed_error *error);
void wordpiece_destroy(struct wordpiece *model); /* NULL is allowed */

/* To and from an image, without the vocabulary, which must outlive the model. */
void wordpiece_store(struct archive *archive, struct wordpiece **model,
                     const struct vocabulary *vocabulary);

/* Appends the pieces of a word of valid UTF-8. poll may be NULL; it is asked now and then. */
SEMBED_MUST_CHECK sembed_status wordpiece_split(const struct wordpiece *model,
                                                struct wordpiece_scratch *scratch, const char *word,
                                                size_t length, const sembed_poll *poll,
                                                struct pieces *pieces, sembed_error *error);

void wordpiece_scratch_free(struct wordpiece_scratch *scratch);

#endif
