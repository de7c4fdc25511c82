#define _GNU_SOURCE
#include "tests/torture/failing_malloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

/* glibc's own, behind the names that this file takes over. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *pointer);

/* initial-exec: a thread's own copy is there without an allocation. */
#define THREAD_OWN static __thread __attribute__((tls_model("initial-exec")))
THREAD_OWN size_t count, fail_at;
THREAD_OWN bool fail_all, failed;
static atomic_long live;

__attribute__((visibility("default"))) void failing_malloc_from(size_t nth, bool all)
{
    count = 0;
    fail_at = nth;
    fail_all = all;
    failed = false;
}

__attribute__((visibility("default"))) size_t failing_malloc_count(void)
{
    return count;
}

__attribute__((visibility("default"))) bool failing_malloc_failed(void)
{
    return failed;
}

__attribute__((visibility("default"))) long failing_malloc_live(void)
{
    return atomic_load(&live);
}

static bool fails(void)
{
    count++;
    if (fail_at == 0 || count < fail_at || (count > fail_at && !fail_all))
        return false;
    failed = true;
    errno = ENOMEM;
    return true;
}

static void *counted(void *pointer)
{
    if (pointer)
        atomic_fetch_add(&live, 1);
    return pointer;
}

#define TAKEN_OVER __attribute__((visibility("default")))

TAKEN_OVER void *malloc(size_t size)
{
    return fails() ? NULL : counted(__libc_malloc(size));
}

TAKEN_OVER void *calloc(size_t elements, size_t size)
{
    return fails() ? NULL : counted(__libc_calloc(elements, size));
}

TAKEN_OVER void *realloc(void *pointer, size_t size)
{
    if (!pointer)
        return malloc(size);
    if (size && fails())
        return NULL;
    void *moved = __libc_realloc(pointer, size);
    if (!moved && size == 0)
        atomic_fetch_sub(&live, 1);
    return moved;
}

TAKEN_OVER void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
    return fails() ? NULL : counted(__libc_memalign(alignment, size));
}

TAKEN_OVER void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

TAKEN_OVER int posix_memalign(void **pointer, size_t alignment, size_t size)
{
    void *block = memalign(alignment, size);
    if (!block)
        return ENOMEM;
    *pointer = block;
    return 0;
}

TAKEN_OVER void free(void *pointer)
{
    if (pointer)
        atomic_fetch_sub(&live, 1);
    __libc_free(pointer);
}
