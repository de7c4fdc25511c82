/* The steps that normalizers are made of, for normalizer.c. Each reads `from` and appends what it
 * makes of it to `to`, which is empty. */
#ifndef SEMBED_TEXT_NORMALIZER_STEPS_H
#define SEMBED_TEXT_NORMALIZER_STEPS_H

#include "core/text/normalizer.h"

/* BertNormalizer: the basic tokenizer's cleaning of BERT (Devlin et al. 2019, tokenization.py). */
struct bert_normalizer {
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
    char ascii
        [128]; /* what each ASCII character becomes, 0 for nothing: by bert_normalizer_prepare */
};

/* Fills the table from the options. */
void bert_normalizer_prepare(struct bert_normalizer *options);

SEMBED_MUST_CHECK sembed_status bert_normalize(const struct bert_normalizer *options,
                                               struct normalizer_scratch *scratch,
                                               const struct aligned_text *from,
                                               struct aligned_text *to, const sembed_poll *poll,
                                               sembed_error *error);

/* How many bytes a step works through between two questions to poll. */
#define NORMALIZER_POLL_BYTES (64 * 1024)

#endif
