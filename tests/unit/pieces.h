/* Pieces of words as text, for tests of the subword models. */
#ifndef SEMBED_TESTS_PIECES_H
#define SEMBED_TESTS_PIECES_H

#include "core/text/subword.h"

/* "id:start:stop id:start:stop …" in a buffer that the next call overwrites. */
const char *pieces_text(const struct pieces *pieces);

/* A word and the pieces that the reference makes of it. */
struct word_case {
    const char *word; /* zero-terminated */
    const char *pieces;
};

#endif
