#include "core/base/arena.h"

#include <stdint.h>

sembed_status arena_reserve(struct arena *arena, size_t bytes, sembed_error *error)
{
    arena->used = 0;
    if (bytes <= arena->size)
        return SEMBED_OK;
    arena_destroy(arena);
    arena->block = bytes == SIZE_MAX ? NULL : memory_aligned(bytes);
    if (!arena->block)
        return error_no_memory(error, "scratch space");
    arena->size = bytes;
    return SEMBED_OK;
}

size_t arena_rounded(size_t count, size_t size)
{
    size_t bytes;
    if (!size_multiply(count, size, &bytes) || !size_add(bytes, MEMORY_ALIGNMENT - 1, &bytes))
        return SIZE_MAX;
    return bytes - bytes % MEMORY_ALIGNMENT;
}

void *arena_take(struct arena *arena, size_t bytes)
{
    size_t rounded = arena_rounded(bytes, 1);
    if (rounded > arena->size - arena->used)
        return NULL;
    void *piece = arena->block + arena->used;
    arena->used += rounded;
    return piece;
}

void arena_trim(struct arena *arena, size_t keep)
{
    if (arena->size > keep)
        arena_destroy(arena);
}

void arena_destroy(struct arena *arena)
{
    memory_free(arena->block);
    *arena = (struct arena){0};
}
