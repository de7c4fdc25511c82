/*
 * The Unigram language model (Kudo 2018, arXiv:1804.10959) as the `tokenizers` library's Unigram
 * model does it (src/models/unigram/model.rs, encode_optimized): of all ways to cut a word into
 * vocabulary pieces, the one whose log probabilities have the largest sum.
 *
 * A character that no piece spells costs ten less than the worst piece; neighbouring unknown
 * characters come out as one unknown token, or, with byte_fallback, as a "<0xE2>" token for every
 * byte, each with the offsets of the whole run.
 *
 * The model takes from the vocabulary what it needs when it is created; tokens added to the
 * vocabulary later (added tokens) do not change how words are split.
 */
#ifndef SEMBED_TEXT_UNIGRAM_H
#define SEMBED_TEXT_UNIGRAM_H

#include "core/base/json.h"
#include "core/text/subword.h"
#include "core/text/vocabulary.h"

struct unigram;

/* Working memory of one thread for any Unigram model. Zero-initialise, free with
 * unigram_scratch_free. Grows to the longest word seen, so that a steady state allocates nothing. */
struct unigram_node;
struct unigram_scratch {
    struct unigram_node *nodes; /* [length + 1]: the best path that ends at each byte */
    size_t capacity;
    size_t work; /* since poll was asked, see poll_wants_stop_after */
};
void unigram_scratch_free(struct unigram_scratch *scratch);

/* One entry of the vocabulary; its place in the list is its id. */
struct unigram_piece {
    const char *text; /* UTF-8, not owned, need not end in a zero byte */
    size_t length;
    double score; /* log probability */
};

#define UNIGRAM_NO_UNKNOWN SIZE_MAX

/*
 * object: tokenizer.json's "model": vocab ([[piece, score], …]), unk_id (may be null),
 * byte_fallback. Fills vocabulary (empty before) with the pieces. SEMBED_MALFORMED where unk_id is
 * not in the vocabulary. Free with unigram_destroy.
 *
 * A key of our own, nearest_scores, says how scores are rounded: false (or missing) as the library
 * does when it reads the file, one unit in the last place off now and then
 * (json_reader_number_as_serde); true to the nearest double, as where transformers reads the file
 * and hands the list on (XLMRobertaTokenizer). It decides between cuts whose sums are equal but for
 * rounding, as those of a long run of one letter are.
 */
SEMBED_MUST_CHECK sembed_status unigram_create(const struct json_file *file, const json_t *object,
                                               struct vocabulary *vocabulary,
                                               const sembed_poll *poll, struct unigram **model,
                                               sembed_error *error);

/* The same from a list, such as sentencepiece.h reads. name stands for the file in messages;
 * unknown_id may be UNIGRAM_NO_UNKNOWN. The pieces are copied. */
SEMBED_MUST_CHECK sembed_status
unigram_create_from_pieces(const char *name, const struct unigram_piece *pieces, size_t count,
                           size_t unknown_id, bool byte_fallback, struct vocabulary *vocabulary,
                           const sembed_poll *poll, struct unigram **model, sembed_error *error);
void unigram_destroy(struct unigram *model); /* NULL is allowed */

/* To and from an image. */
void unigram_store(struct archive *archive, struct unigram **model);

/*
 * Appends the pieces of word[length], valid UTF-8, to pieces, offsets in bytes of word. An empty
 * word has none. Takes time in proportion to length × the longest piece. SEMBED_MALFORMED where the
 * unknown token is needed and the model has none. poll may be NULL; it is asked now and then in long
 * words.
 */
SEMBED_MUST_CHECK sembed_status unigram_split(const struct unigram *model,
                                              struct unigram_scratch *scratch, const char *word,
                                              size_t length, const sembed_poll *poll,
                                              struct pieces *pieces, sembed_error *error);

#endif
