/*
 * Normalizers: the first thing that happens to a text, character by character: case, accents,
 * composed forms, spaces. A tokenizer's normalizer is a list of steps; Sequence is flattened.
 */
#ifndef SEMBED_TEXT_NORMALIZER_H
#define SEMBED_TEXT_NORMALIZER_H

#include "core/base/json.h"
#include "core/text/aligned_text.h"
#include "core/text/canonical_order.h"
#include "core/text/charsmap.h"
#include "core/text/regex.h"

struct normalizer;

/* Working memory; zero-initialise; free with normalizer_scratch_free. */
struct normalizer_scratch {
    struct aligned_text other; /* what a step writes to, then swapped with the text */
    struct mark_run marks;
    struct change *changes;
    size_t change_count, change_capacity;
    struct charsmap_output charsmap;
    struct regex_scratch regex;
};

/* Reads tokenizer.json's "normalizer"; NULL or null gives one that changes nothing. */
SEMBED_MUST_CHECK sembed_status normalizer_create(const struct json_file *file, const json_t *json,
                                                  struct normalizer **normalizer,
                                                  sembed_error *error);

/* One that applies a SentencePiece file's rules; blob[size] is copied. name stands for the file. */
SEMBED_MUST_CHECK sembed_status normalizer_create_precompiled(const char *name,
                                                              const unsigned char *blob,
                                                              size_t size,
                                                              struct normalizer **normalizer,
                                                              sembed_error *error);
/* To and from an image. */
void normalizer_store(struct archive *archive, struct normalizer **normalizer);
void normalizer_destroy(struct normalizer *normalizer); /* NULL is allowed */

/* Makes Lowercase the first step unless it is a step already. */
SEMBED_MUST_CHECK sembed_status normalizer_lowercase_first(struct normalizer *normalizer,
                                                           sembed_error *error);

/*
 * Whether a long text may be normalized in parts, cut between an ASCII letter or digit and the
 * space behind it, with the same result, where those two remain what they are.
 */
bool normalizer_allows_cuts(const struct normalizer *normalizer);

/* Whether it puts spaces around each ideograph (unicode_is_chinese) before it does anything else, so
 * that a text may be cut before one as well. */
bool normalizer_isolates_chinese(const struct normalizer *normalizer);

/* Normalizes text in place. at_start, at_end: whether it begins and ends where the text that it was
 * cut from does. */
SEMBED_MUST_CHECK sembed_status normalizer_apply(const struct normalizer *normalizer,
                                                 struct normalizer_scratch *scratch,
                                                 struct aligned_text *text, bool at_start,
                                                 bool at_end, const sembed_poll *poll,
                                                 sembed_error *error);

void normalizer_scratch_free(struct normalizer_scratch *scratch);

#endif
