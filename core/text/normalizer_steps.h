/* The steps that normalizers are made of, for normalizer.c. Each reads `from` and puts what it
 * makes of it into `to`, which is empty. */
#ifndef SEMBED_TEXT_NORMALIZER_STEPS_H
#define SEMBED_TEXT_NORMALIZER_STEPS_H

#include "core/text/normalizer.h"

/* What every step is given. */
struct normalizer_pass {
    const struct aligned_text *from;
    struct aligned_text *to;
    struct normalizer_scratch *scratch;
    bool at_start, at_end;
    const sembed_poll *poll;
    sembed_error *error;
};

/* How many bytes a step works through between two questions to poll. */
#define NORMALIZER_POLL_BYTES (64 * 1024)

/* Asks poll when `at` has come by *next, which it then moves on. */
SEMBED_MUST_CHECK static inline sembed_status normalizer_check(const struct normalizer_pass *pass,
                                                               size_t at, size_t *next)
{
    if (at < *next)
        return SEMBED_OK;
    *next = at + NORMALIZER_POLL_BYTES;
    return at && poll_wants_stop(pass->poll) ? error_canceled(pass->error) : SEMBED_OK;
}

/* BertNormalizer: the basic tokenizer's cleaning of BERT (Devlin et al. 2019, tokenization.py). */
struct bert_normalizer {
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
    char ascii[128]; /* what each becomes, 0 for nothing: by bert_normalizer_prepare */
};

/* Fills the table from the options. */
void bert_normalizer_prepare(struct bert_normalizer *options);
SEMBED_MUST_CHECK sembed_status bert_normalize(const struct bert_normalizer *options,
                                               const struct normalizer_pass *pass);

/* NFD, NFC, NFKD, NFKC (UAX #15). */
SEMBED_MUST_CHECK sembed_status normalize_form(const struct normalizer_pass *pass,
                                               bool compatibility, bool composed);

/* Lowercase: Rust's char::to_lowercase, each character for itself. */
SEMBED_MUST_CHECK sembed_status normalize_lowercase(const struct normalizer_pass *pass);

/* StripAccents: drops combining marks; decomposes nothing. */
SEMBED_MUST_CHECK sembed_status normalize_strip_accents(const struct normalizer_pass *pass);

/* Nmt: drops some control characters, makes spaces of others (SentencePiece's nmt rules). */
SEMBED_MUST_CHECK sembed_status normalize_nmt(const struct normalizer_pass *pass);

/* Strip: no spaces at the front or the end of the whole text. */
SEMBED_MUST_CHECK sembed_status normalize_strip(const struct normalizer_pass *pass, bool left,
                                                bool right);

/* Prepend: content before the whole text if that is not empty. */
SEMBED_MUST_CHECK sembed_status normalize_prepend(const struct normalizer_pass *pass,
                                                  const char *content, size_t length);

/* Replace: content for every match. */
SEMBED_MUST_CHECK sembed_status normalize_replace(const struct normalizer_pass *pass,
                                                  const struct regex *regex, const char *content,
                                                  size_t length);

/* ByteLevel: each byte as a character of the byte-level alphabet. */
SEMBED_MUST_CHECK sembed_status normalize_bytes(const struct normalizer_pass *pass);

/* Precompiled: SentencePiece's own rules. */
SEMBED_MUST_CHECK sembed_status normalize_charsmap(const struct normalizer_pass *pass,
                                                   const struct charsmap *charsmap);

#endif
