#include "core/base/memory.h"

#include "core/base/error.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static atomic_size_t allocation_count;
static atomic_size_t fail_from;

static bool may_allocate(void)
{
    size_t nth = atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed) + 1;
    size_t limit = atomic_load_explicit(&fail_from, memory_order_relaxed);
    return limit == 0 || nth < limit;
}

void memory_fail_from(size_t nth)
{
    atomic_store(&allocation_count, 0);
    atomic_store(&fail_from, nth);
}

size_t memory_allocation_count(void)
{
    return atomic_load(&allocation_count);
}

static _Thread_local ptrdiff_t held;

void memory_trim(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

ptrdiff_t memory_held(void)
{
    return held;
}

static void *count_in(void *pointer)
{
    if (pointer)
        held += (ptrdiff_t)malloc_usable_size(pointer);
    return pointer;
}

void *memory_alloc(size_t size)
{
    return may_allocate() ? count_in(malloc(size ? size : 1)) : NULL;
}

void *memory_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!size_multiply(count, size, &bytes) || !may_allocate())
        return NULL;
    return count_in(calloc(1, bytes ? bytes : 1));
}

void *memory_resize(void *pointer, size_t count, size_t size)
{
    size_t bytes;
    if (!size_multiply(count, size, &bytes) || !may_allocate())
        return NULL;
    size_t before = pointer ? malloc_usable_size(pointer) : 0;
    void *moved = realloc(pointer, bytes ? bytes : 1);
    if (moved)
        held -= (ptrdiff_t)before;
    return count_in(moved);
}

void *memory_aligned(size_t size)
{
    size_t rounded;
    if (!size_add(size, MEMORY_ALIGNMENT - 1, &rounded) || !may_allocate())
        return NULL;
    rounded -= rounded % MEMORY_ALIGNMENT;
    return count_in(aligned_alloc(MEMORY_ALIGNMENT, rounded ? rounded : MEMORY_ALIGNMENT));
}

void memory_free(void *pointer)
{
    if (pointer)
        held -= (ptrdiff_t)malloc_usable_size(pointer);
    free(pointer);
}

bool memory_has_room(size_t bytes)
{
    if (!may_allocate())
        return false;
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return false;
    munmap(room, bytes);
    return true;
}

char *memory_copy_string(const char *string)
{
    size_t size = strlen(string) + 1;
    char *copy = memory_alloc(size);
    return copy ? memcpy(copy, string, size) : NULL;
}

bool memory_copy(void *to, const void *from, size_t size, const sembed_poll *poll)
{
    const size_t piece = (size_t)1 << 20;
    for (size_t done = 0; done < size; done += piece) {
        if (done > 0 && poll_wants_stop(poll))
            return false;
        memcpy((char *)to + done, (const char *)from + done,
               size - done < piece ? size - done : piece);
    }
    return true;
}

bool memory_grow(void **array, size_t *capacity, size_t wanted, size_t size)
{
    if (wanted <= *capacity)
        return true;
    size_t grown = *capacity > SIZE_MAX / 2 ? wanted : *capacity * 2;
    if (grown < wanted)
        grown = wanted;
    if (grown < 16)
        grown = 16;
    void *moved = memory_resize(*array, grown, size);
    if (!moved)
        return false;
    *array = moved;
    *capacity = grown;
    return true;
}
