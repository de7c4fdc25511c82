#include "core/compute/kernels.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
#ifdef __x86_64__
#include <cpuid.h>
#endif

/* Made by core/compute/simd/table.c, compiled once for each. */
extern const struct kernels kernels_baseline;
#ifdef __x86_64__
extern const struct kernels kernels_avx2, kernels_avx512, kernels_amx;
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

/* AVX-512 with bfloat16, and tiles of them. Not every compiler's __builtin_cpu_supports knows tiles:
 * the processor says so in leaf 7, the system in its control register. Source: Intel's Architecture
 * Instruction Set Extensions Programming Reference, chapter 3. */
static bool cpu_runs_amx(void)
{
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, TILE_STATES = 3 << 17 };
    unsigned a, b, c, features, enabled, high;
    if (!cpu_runs_avx512() || !__builtin_cpu_supports("avx512bf16") ||
        !__get_cpuid_count(7, 0, &a, &b, &c, &features))
        return false;
    __asm__("xgetbv" : "=a"(enabled), "=d"(high) : "c"(0));
    return (features & AMX_BF16) && (features & AMX_TILE) && (enabled & TILE_STATES) == TILE_STATES;
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
    if (strcmp(name, "amx") == 0 && cpu_runs_amx())
        return &kernels_amx;
#endif
    return NULL;
}

static const struct kernels *chosen; /* written once, by choose */
static pthread_once_t choose_once = PTHREAD_ONCE_INIT;

static void choose(void)
{
    static const char *const names[] = {"amx", "avx512", "avx2", "baseline"};
    const size_t count = sizeof names / sizeof names[0];
    const char *cap = getenv("SEMBED_ISA");
    size_t first = 0;
    while (cap && first < count && strcmp(cap, names[first]) != 0)
        first++;
    for (size_t i = first < count ? first : 0; !chosen; i++)
        chosen = kernels_named(names[i]);
}

const struct kernels *kernels(void)
{
    pthread_once(&choose_once, choose);
    return chosen;
}

/* Tiles make a thread's saved state larger by 8 kB, so Linux wants to be asked once for a process.
 * Source: its Documentation/arch/x86/xstate.rst. */
static bool system_allows_tiles(void)
{
#if defined(__x86_64__) && defined(__linux__)
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return false;
#endif
}

static const struct kernels *tiled; /* written once, by choose_tiled */
static pthread_once_t choose_tiled_once = PTHREAD_ONCE_INIT;

static void choose_tiled(void)
{
    if (kernels()->attention_tiles && system_allows_tiles())
        tiled = kernels();
}

const struct kernels *kernels_with_tiles(void)
{
    pthread_once(&choose_tiled_once, choose_tiled);
    return tiled;
}
