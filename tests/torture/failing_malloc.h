/*
 * malloc and its like for a whole process, libraries included, of which one call or all from some call
 * on fail: what oneDNN (operator new), PCRE2, jansson, SQLite, OpenBLAS and the C library itself allocate
 * passes through here, not the core's memory alone.
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

/* Allocations of this thread since then, and whether one of them failed. */
size_t failing_malloc_count(void);
bool failing_malloc_failed(void);

/* Blocks of the process that are not freed yet. */
long failing_malloc_live(void);

#endif
