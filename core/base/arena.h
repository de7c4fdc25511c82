/*
 * Scratch memory of a context: one block, handed out from the front, reset between batches.
 *
 * A batch first says how much it will need (arena_reserve), then takes pieces that stay where they
 * are until the next reserve. So nothing is allocated once the largest batch has been seen, and a
 * piece never moves under its owner.
 */
#ifndef SEMBED_BASE_ARENA_H
#define SEMBED_BASE_ARENA_H

#include "core/base/error.h"
#include "core/base/memory.h"

struct arena {
    unsigned char *block;
    size_t size; /* bytes of block */
    size_t used;
};

/* Empties the arena and makes sure that it holds `bytes`, the pieces' sizes each rounded up by
 * arena_rounded. Pieces taken before are gone. */
SEMBED_MUST_CHECK sembed_status arena_reserve(struct arena *arena, size_t bytes,
                                              sembed_error *error);

/* A piece at a multiple of MEMORY_ALIGNMENT, contents undefined; NULL where the reserve is used up,
 * which is a mistake of the caller. */
void *arena_take(struct arena *arena, size_t bytes);

/* What a piece of that size uses up; SIZE_MAX on overflow (arena_reserve refuses that). */
size_t arena_rounded(size_t count, size_t size);

/* Frees the block if it is larger than `keep` bytes. */
void arena_trim(struct arena *arena, size_t keep);

void arena_destroy(struct arena *arena);

#endif
