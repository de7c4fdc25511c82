/* Splits: the runs of a text that are tokenized each on its own, or are an added token already. */
#ifndef SEMBED_TEXT_SPLITS_H
#define SEMBED_TEXT_SPLITS_H

#include "core/base/error.h"
#include "core/base/memory.h"
#include "core/text/vocabulary.h"

/* Bytes [start, stop) of an aligned_text. */
struct split {
    uint32_t start, stop;
    uint32_t token; /* VOCABULARY_NONE: still to be split and looked up */
};

/* In the text's order. Zero-initialise; the owner frees items. */
struct splits {
    struct split *items;
    size_t count, capacity;
};

/* Appends a split; one of no bytes is left out. */
SEMBED_MUST_CHECK static inline sembed_status
splits_append(struct splits *splits, size_t start, size_t stop, uint32_t token, sembed_error *error)
{
    if (start >= stop)
        return SEMBED_OK;
    if (splits->count == splits->capacity &&
        !memory_grow((void **)&splits->items, &splits->capacity, splits->count + 1,
                     sizeof *splits->items))
        return error_no_memory(error, "the splits of a text");
    splits->items[splits->count++] = (struct split){(uint32_t)start, (uint32_t)stop, token};
    return SEMBED_OK;
}

static inline void splits_swap(struct splits *a, struct splits *b)
{
    struct splits kept = *a;
    *a = *b;
    *b = kept;
}

#endif
