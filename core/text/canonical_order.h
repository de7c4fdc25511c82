/*
 * Canonical ordering: the marks behind a starter, sorted by combining class (Unicode chapter 3.11).
 *
 *     a, U+0301 (class 230), U+0323 (class 220), b   →   a, U+0323, U+0301, b
 *
 * Starters go straight out; marks wait in a run until the next starter comes:
 *
 *     for each part of each character's decomposition:
 *         starter: mark_run_sort(run, …), put out run->marks, mark_run_clear(run), put out the starter
 *         mark:    mark_run_add(run, part, …)
 */
#ifndef SEMBED_TEXT_CANONICAL_ORDER_H
#define SEMBED_TEXT_CANONICAL_ORDER_H

#include "core/text/aligned_text.h"

struct mark {
    uint32_t character;
    uint8_t class;      /* canonical combining class, not 0 */
    bool first;         /* of its character's decomposition; the others were added to it */
    struct span source; /* of the character that it is decomposed from */
};

/* Grows and is reused; zero-initialise; free with mark_run_free. */
struct mark_run {
    struct mark *marks;
    struct mark *spare; /* [capacity]: what sorting copies to */
    size_t count;
    size_t capacity, spare_capacity;
};

SEMBED_MUST_CHECK sembed_status mark_run_add(struct mark_run *run, struct mark mark,
                                             sembed_error *error);

/*
 * Sorts the marks by class; those of one class keep their order. Where that moves any, sources are
 * dealt out anew, as the tokenizers library does: it reads the sorted marks from left to right, one
 * that is first of its decomposition takes the next source, any other that of the mark before it. A run
 * may be as long as the text, so poll is asked, which may be NULL.
 */
SEMBED_MUST_CHECK sembed_status mark_run_sort(struct mark_run *run, const sembed_poll *poll,
                                              sembed_error *error);

static inline void mark_run_clear(struct mark_run *run)
{
    run->count = 0;
}

void mark_run_free(struct mark_run *run);

#endif
