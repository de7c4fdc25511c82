/*
 * Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) as the `tokenizers` library's BPE
 * model does it (src/models/bpe): a word starts as one symbol a character; again and again the
 * neighbours whose merge has the lowest rank become one symbol, the leftmost first among equals.
 *
 * Byte-level vocabularies (GPT-2, RoBERTa). There the ByteLevel pre-tokenizer writes each byte of
 * the text as one printable character ("é" is C3 A9 is "Ã©") and the vocabulary is spelled in those
 * characters. With `byte_level` set, words are given to bpe_split as the raw bytes of the text and
 * the translation is never done: the first symbols come from a table of 256 entries. The pipeline
 * then passes the pre-tokenizer's words on as they are, and piece offsets are bytes of the text.
 * Pieces may begin or end inside a character; the library reports such a piece with the offsets of
 * the whole characters it touches. Without `byte_level` words must be valid UTF-8.
 *
 * The model takes from the vocabulary what it needs when it is created; tokens added to the
 * vocabulary later (added tokens) do not change how words are split.
 */
#ifndef SEMBED_TEXT_BPE_H
#define SEMBED_TEXT_BPE_H

#include "core/base/json.h"
#include "core/text/subword.h"
#include "core/text/vocabulary.h"

struct bpe;

/* Working memory of one thread for any BPE model. Zero-initialise, free with bpe_scratch_free.
 * Grows to the longest word seen, so that a steady state allocates nothing. */
struct bpe_symbol;
struct bpe_candidate;
struct bpe_scratch {
    struct bpe_symbol *symbols; /* doubly linked list of the word's symbols */
    size_t symbols_capacity;
    struct bpe_candidate *queue; /* heap of merges that may be done; long words only */
    size_t queue_capacity;
    size_t work; /* since poll was asked, see poll_wants_stop_after */
};
void bpe_scratch_free(struct bpe_scratch *scratch);

/*
 * object: tokenizer.json's "model": vocab (token → id), merges ("a b" strings or ["a", "b"] pairs),
 * unk_token, continuing_subword_prefix, end_of_word_suffix, fuse_unk, byte_fallback, ignore_merges.
 * Fills vocabulary (empty before) with vocab, in tokenizer.json's spelling. dropout other than 0 is
 * SEMBED_UNSUPPORTED; a merge whose parts or result are not in vocab is SEMBED_MALFORMED, as in the
 * library. Free with bpe_destroy.
 */
SEMBED_MUST_CHECK sembed_status bpe_create(const struct json_file *file, const json_t *object,
                                           bool byte_level, struct vocabulary *vocabulary,
                                           const sembed_poll *poll, struct bpe **model,
                                           sembed_error *error);

/*
 * From the older pair of files: vocab.json (token → id) and merges.txt (a merge a line, "a b"; lines
 * that begin with "#version" are skipped), without unknown token or any other option: what
 * transformers makes of them for RoBERTa and GPT-2, whose pipeline is byte-level.
 */
SEMBED_MUST_CHECK sembed_status bpe_create_from_files(const char *vocabulary_path,
                                                      const char *merges_path, bool byte_level,
                                                      struct vocabulary *vocabulary,
                                                      const sembed_poll *poll, struct bpe **model,
                                                      sembed_error *error);
void bpe_destroy(struct bpe *model); /* NULL is allowed */

/* To and from an image; id_limit: one past the vocabulary's largest id. */
void bpe_store(struct archive *archive, struct bpe **model, size_t id_limit);

/*
 * Appends the pieces of word[length] to pieces, offsets in bytes of word. An empty word has none.
 * Takes time in proportion to n log n. SEMBED_MALFORMED where the unknown token is needed and not in
 * the vocabulary; without an unknown token unknown characters are left out, and the offsets of the
 * pieces behind them count as if they had not been there, both as the library does. poll may be
 * NULL; it is asked now and then in long words.
 */
SEMBED_MUST_CHECK sembed_status bpe_split(const struct bpe *model, struct bpe_scratch *scratch,
                                          const char *word, size_t length, const sembed_poll *poll,
                                          struct pieces *pieces, sembed_error *error);

#endif
