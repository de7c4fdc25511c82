#include "core/base/flat.h"

#include "core/base/memory.h"

#include <string.h>

static size_t padding_behind(size_t used)
{
    return (MEMORY_ALIGNMENT - used % MEMORY_ALIGNMENT) % MEMORY_ALIGNMENT;
}

void flat_write(struct flat_writer *writer, const void *piece, size_t size)
{
    size_t padding = padding_behind(size);
    if (writer->to && size > 0) {
        memcpy(writer->to + writer->used, piece, size);
        memset(writer->to + writer->used + size, 0, padding);
    }
    if (writer->sink) {
        static const unsigned char zeros[MEMORY_ALIGNMENT];
        writer->sink(writer->state, piece, size);
        writer->sink(writer->state, zeros, padding);
    }
    writer->used += size + padding;
}

sembed_status flat_read(struct flat_reader *reader, size_t size, const char *what,
                        const void **piece, sembed_error *error)
{
    size_t rounded, left = reader->size - reader->used;
    if (!size_add(size, padding_behind(size), &rounded) || rounded > left)
        return error_set(error, SEMBED_MALFORMED, "%s: expected %zu bytes, found %zu", what, size,
                         left);
    *piece = reader->from + reader->used;
    reader->used += rounded;
    return SEMBED_OK;
}
