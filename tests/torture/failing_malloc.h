/*
 * malloc and its like for a whole process, libraries included, of which one call or all from some call
 * on fail: what PCRE2, jansson, SQLite, the C library and a server allocate passes through here, not the
 * core's memory alone; mmap too, where the C library itself is not what calls it.
 *
 * oneDNN (with libstdc++, whose operator new it calls) and OpenBLAS do not outlive a lack of memory:
 * the first throws exceptions into C or goes on with NULL, the second ends the process. So their calls
 * are spared, and not counted.
 *
 * Linked into a program, or preloaded into a server.
 */
#ifndef SEMBED_TESTS_FAILING_MALLOC_H
#define SEMBED_TESTS_FAILING_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* The nth allocation of this thread from now on (1: the next) fails, and where `all` every later one of
 * it too; 0: none does. */
void failing_malloc_from(size_t nth, bool all);

/* No more fail; what the functions below say stays. */
void failing_malloc_stop(void);

/* Allocations of this thread since then, and whether one of them failed. */
size_t failing_malloc_count(void);
bool failing_malloc_failed(void);

/* Blocks of the process that are not freed yet. */
long failing_malloc_live(void);

#endif
