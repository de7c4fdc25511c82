/* The steps that pre-tokenizers are made of, for pretokenizer.c. */
#ifndef SEMBED_TEXT_PRETOKENIZER_STEPS_H
#define SEMBED_TEXT_PRETOKENIZER_STEPS_H

#include "core/text/pretokenizer.h"

/* What every step is given. It splits one split of the text, appending to `out`. */
struct pretokenizer_pass {
    const struct aligned_text *text;
    struct splits *out;
    struct pretokenizer_scratch *scratch;
    const sembed_poll *poll;
    sembed_error *error;
};

/* How many bytes a step works through between two questions to poll. */
#define PRETOKENIZER_POLL_BYTES (64 * 1024)

/* Asks poll when `at` has come by *next, which it then moves on. */
SEMBED_MUST_CHECK static inline sembed_status
pretokenizer_check(const struct pretokenizer_pass *pass, size_t at, size_t *next)
{
    if (at < *next)
        return SEMBED_OK;
    bool asked = *next > 0;
    *next = at + PRETOKENIZER_POLL_BYTES;
    return asked && poll_wants_stop(pass->poll) ? error_canceled(pass->error) : SEMBED_OK;
}

/*
 * What becomes of the matches, at "the-final--countdown" split by "-":
 *
 *     removed                the final countdown
 *     isolated               the - final - - countdown
 *     merged with previous   the- final- - countdown
 *     merged with next       the -final - -countdown
 *     contiguous             the - final -- countdown
 */
enum split_behavior {
    BEHAVIOR_REMOVED,
    BEHAVIOR_ISOLATED,
    BEHAVIOR_MERGED_WITH_PREVIOUS,
    BEHAVIOR_MERGED_WITH_NEXT,
    BEHAVIOR_CONTIGUOUS
};

/* BertPreTokenizer: words between spaces, each punctuation character a word of its own. */
SEMBED_MUST_CHECK sembed_status split_bert(const struct pretokenizer_pass *pass,
                                           struct split split);

/* Whitespace: \w+|[^\w\s]+ */
SEMBED_MUST_CHECK sembed_status split_words(const struct pretokenizer_pass *pass,
                                            struct split split);

/* Splits by the characters for which `matches` holds (Punctuation, Digits). */
SEMBED_MUST_CHECK sembed_status split_by_class(const struct pretokenizer_pass *pass,
                                               struct split split, bool (*matches)(uint32_t),
                                               enum split_behavior behavior);

/* Splits by a pattern (Split, CharDelimiterSplit, Metaspace); invert: by what does not match. */
SEMBED_MUST_CHECK sembed_status split_by_regex(const struct pretokenizer_pass *pass,
                                               struct split split, const struct regex *regex,
                                               bool invert, enum split_behavior behavior);

/* ByteLevel's splitting, by GPT-2's pattern. */
SEMBED_MUST_CHECK sembed_status split_gpt2(const struct pretokenizer_pass *pass,
                                           struct split split);

/* ---- steps that rewrite a split instead, appending to `to` */

/* ByteLevel's add_prefix_space: a space before the split if it does not begin with one. */
SEMBED_MUST_CHECK sembed_status rewrite_with_prefix_space(const struct pretokenizer_pass *pass,
                                                          struct split split,
                                                          struct aligned_text *to);

/* ByteLevel: each byte as a character of the byte-level alphabet. */
SEMBED_MUST_CHECK sembed_status rewrite_bytes(const struct pretokenizer_pass *pass,
                                              struct split split, struct aligned_text *to);

enum prepend_scheme { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER };

/* Metaspace: the replacement ("▁") for each space, and one before the split if it does not begin
 * with one: always, only if the split stands at the start of the text, or never. */
struct metaspace {
    char replacement[UNICODE_LONGEST];
    size_t length;
    enum prepend_scheme prepend;
};

SEMBED_MUST_CHECK sembed_status rewrite_metaspace(const struct pretokenizer_pass *pass,
                                                  struct split split,
                                                  const struct metaspace *options,
                                                  struct aligned_text *to);

#endif
