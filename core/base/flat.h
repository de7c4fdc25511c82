/*
 * Flat bytes: what was computed once, written piece by piece into memory or a file, and read again
 * where it lies, at any address, without copying.
 *
 *     writing     pieces ─flat_write─▶ | piece 0 | pad | piece 1 | pad | …      each at a multiple of 64
 *     reading     the same calls' sizes in the same order, ─flat_read─▶ a pointer to each
 *
 * Bytes hold no pointers, and what is between the pieces is zeros, so that the same pieces give the
 * same bytes. A reader that comes to the end, or whose piece is not as long as it should be, is an
 * error and never a read past the end; whether a piece makes sense is the caller's to check.
 */
#ifndef SEMBED_BASE_FLAT_H
#define SEMBED_BASE_FLAT_H

#include "core/base/error.h"

#include <stddef.h>

/* `to` at a multiple of MEMORY_ALIGNMENT; or NULL and a sink that takes the bytes one behind the other,
 * for a file; or neither: only `used` grows, so that a first pass says how many bytes the second will
 * want. */
struct flat_writer {
    unsigned char *to;
    void (*sink)(void *state, const void *bytes, size_t size);
    void *state; /* the sink's */
    size_t used;
};

/* `from` at a multiple of MEMORY_ALIGNMENT; the bytes must stay as long as what points into them. */
struct flat_reader {
    const unsigned char *from;
    size_t size;
    size_t used;
};

void flat_write(struct flat_writer *writer, const void *piece, size_t size);

/* *piece points to the next `size` bytes. SEMBED_MALFORMED where there are not so many; what names
 * the piece in the message. */
SEMBED_MUST_CHECK sembed_status flat_read(struct flat_reader *reader, size_t size, const char *what,
                                          const void **piece, sembed_error *error);

#endif
