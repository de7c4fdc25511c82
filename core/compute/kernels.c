#include "core/compute/kernels.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Made by core/compute/simd/table.c, compiled once for each. */
extern const struct kernels kernels_baseline;
#ifdef __x86_64__
extern const struct kernels kernels_avx2, kernels_avx512;
#endif

#ifdef __x86_64__
static bool cpu_runs_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool cpu_runs_avx512(void)
{
    return cpu_runs_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

const struct kernels *kernels_named(const char *name)
{
    if (strcmp(name, "baseline") == 0)
        return &kernels_baseline;
#ifdef __x86_64__
    if (strcmp(name, "avx2") == 0 && cpu_runs_avx2())
        return &kernels_avx2;
    if (strcmp(name, "avx512") == 0 && cpu_runs_avx512())
        return &kernels_avx512;
#endif
    return NULL;
}

static const struct kernels *chosen; /* written once, by choose */
static pthread_once_t choose_once = PTHREAD_ONCE_INIT;

static void choose(void)
{
    static const char *const names[] = {"avx512", "avx2", "baseline"};
    const char *cap = getenv("SEMBED_ISA");
    size_t first = 0;
    while (cap && first < 3 && strcmp(cap, names[first]) != 0)
        first++;
    for (size_t i = first < 3 ? first : 0; !chosen; i++)
        chosen = kernels_named(names[i]);
}

const struct kernels *kernels(void)
{
    pthread_once(&choose_once, choose);
    return chosen;
}
