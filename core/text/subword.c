#include "core/text/subword.h"

#include "core/base/memory.h"

sembed_status pieces_append(struct pieces *pieces, uint32_t id, size_t start, size_t stop,
                            sembed_error *error)
{
    if (pieces->count == pieces->capacity &&
        !memory_grow((void **)&pieces->items, &pieces->capacity, pieces->count + 1,
                     sizeof *pieces->items))
        return error_no_memory(error, "the pieces of a word");
    pieces->items[pieces->count++] = (struct piece){id, (uint32_t)start, (uint32_t)stop};
    return SEMBED_OK;
}
