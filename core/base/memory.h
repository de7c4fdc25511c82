/* The one place through which the core allocates, so that a test can make the Nth call fail. */
#ifndef SEMBED_BASE_MEMORY_H
#define SEMBED_BASE_MEMORY_H

#include "core/sembed.h"

#include <stdbool.h>
#include <stddef.h>

#define MEMORY_ALIGNMENT 64 /* of memory_aligned: a cache line, the widest vector register */

/* As malloc; NULL where there is none. Size 0 gives a pointer that may be freed. */
void *memory_alloc(size_t size);

/* count × size zero bytes; NULL also where the product overflows. */
void *memory_calloc(size_t count, size_t size);

/* As realloc for count × size bytes; on NULL the old block is still there. */
void *memory_resize(void *pointer, size_t count, size_t size);

/* size bytes at a multiple of MEMORY_ALIGNMENT; freed with memory_free like all others. */
void *memory_aligned(size_t size);

void memory_free(void *pointer); /* NULL is allowed */

/* Whether so many bytes more could be had: asks the system for them and gives them back. For libraries
 * that crash where they find none. */
bool memory_has_room(size_t bytes);

/* Gives freed memory back to the system, after something large that will not come again. */
void memory_trim(void);

/* What the calling thread holds: bytes that it has allocated here less those that it has freed. The
 * difference between two calls says what was allocated between them. */
ptrdiff_t memory_held(void);

char *memory_copy_string(const char *string);

/* Makes room for `wanted` elements of `size` bytes in a growing array: doubles *capacity as needed.
 * False where there is no memory; the array is then as it was. */
bool memory_grow(void **array, size_t *capacity, size_t wanted, size_t size);

/* As memcpy, in pieces between which poll is asked, which may be NULL; false where it says stop. Memory that
 * was never touched takes up to 3 ms for a megabyte. */
bool memory_copy(void *to, const void *from, size_t size, const sembed_poll *poll);

/* a × b and a + b; false on overflow. */
static inline bool size_multiply(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}
static inline bool size_add(size_t a, size_t b, size_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

/* For tests: the nth allocation from now (1: the next) fails, and every later one too; 0: none
 * does. Not thread-safe. */
void memory_fail_from(size_t nth);

/* For tests: allocations since the last memory_fail_from. */
size_t memory_allocation_count(void);

#endif
