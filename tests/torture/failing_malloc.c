#define _GNU_SOURCE
#include "tests/torture/failing_malloc.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* --------------------------------------------------------------------------- who is spared */

struct range {
    uintptr_t from, to;
};

#define MOST_SPARED 8
static struct range spared[MOST_SPARED];
static size_t spared_count;

static int note_library(struct dl_phdr_info *info, size_t size, void *state)
{
    static const char *const names[] = {"/libdnnl.", "/libstdc++.", "/libgomp.", "/libopenblas"};
    bool wanted = false;
    (void)size;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        wanted |= strstr(info->dlpi_name, names[i]) != NULL;
    for (int i = 0; wanted && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) && spared_count < MOST_SPARED)
            spared[spared_count++] = (struct range){from, from + part->p_memsz};
    }
    return 0;
}

static bool is_spared(const void *caller)
{
    for (size_t i = 0; i < spared_count; i++)
        if ((uintptr_t)caller >= spared[i].from && (uintptr_t)caller < spared[i].to)
            return true;
    return false;
}

/* ------------------------------------------------------------------------------- the switch */

#define SHOWN __attribute__((visibility("default")))

SHOWN void failing_malloc_from(size_t nth, bool all)
{
    fail_at = 0;
    spared_count = 0; /* a server loads them late */
    dl_iterate_phdr(note_library, NULL);
    count = 0;
    fail_all = all;
    failed = false;
    fail_at = nth;
}

SHOWN void failing_malloc_stop(void)
{
    fail_at = 0;
}

SHOWN size_t failing_malloc_count(void)
{
    return count;
}

SHOWN bool failing_malloc_failed(void)
{
    return failed;
}

SHOWN long failing_malloc_live(void)
{
    return atomic_load(&live);
}

static bool fails(const void *caller)
{
    if (fail_at && is_spared(caller))
        return false;
    count++;
    if (fail_at == 0 || count < fail_at || (count > fail_at && !fail_all))
        return false;
    failed = true;
    errno = ENOMEM;
    return true;
}

/* ---------------------------------------------------------------------- what is taken over */

static void *counted(void *pointer)
{
    if (pointer)
        atomic_fetch_add(&live, 1);
    return pointer;
}

#define CALLER __builtin_return_address(0)

SHOWN void *malloc(size_t size)
{
    return fails(CALLER) ? NULL : counted(__libc_malloc(size));
}

SHOWN void *calloc(size_t elements, size_t size)
{
    return fails(CALLER) ? NULL : counted(__libc_calloc(elements, size));
}

SHOWN void *realloc(void *pointer, size_t size)
{
    if ((size || !pointer) && fails(CALLER))
        return NULL;
    if (!pointer)
        return counted(__libc_malloc(size));
    void *moved = __libc_realloc(pointer, size);
    if (!moved && size == 0)
        atomic_fetch_sub(&live, 1);
    return moved;
}

SHOWN void *memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size)
{
    return fails(CALLER) ? NULL : counted(__libc_memalign(alignment, size));
}

SHOWN void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(CALLER) ? NULL : counted(__libc_memalign(alignment, size));
}

SHOWN int posix_memalign(void **pointer, size_t alignment, size_t size)
{
    void *block = fails(CALLER) ? NULL : counted(__libc_memalign(alignment, size));
    if (!block)
        return ENOMEM;
    *pointer = block;
    return 0;
}

SHOWN void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    if (fails(CALLER))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
}

SHOWN void free(void *pointer)
{
    if (pointer)
        atomic_fetch_sub(&live, 1);
    __libc_free(pointer);
}
