/* bench similarity: cos_sim over 100,000 stored vectors of 384 numbers, against reading them from memory
 * and doing nothing. */
#include "bench/bench.h"

#include "core/base/memory.h"

#include <stdio.h>
#include <string.h>

enum { VECTORS = 100000, DIMENSIONS = 384 };

/* A vector of the compiler's own: as wide as it can load at once. */
typedef uint64_t lanes __attribute__((vector_size(64)));

/* All bytes, in order, so that nothing but the memory takes time. */
static uint64_t read_all(const float *vectors)
{
    const lanes *from = (const lanes *)vectors;
    lanes sums[4] = {{0}};
    uint64_t sum = 0;

    for (size_t i = 0; i < VECTORS * (DIMENSIONS * sizeof(float) / sizeof(lanes)); i += 4)
        for (size_t k = 0; k < 4; k++)
            sums[k] ^= from[i + k];
    for (size_t k = 0; k < 4; k++)
        for (size_t lane = 0; lane < sizeof(lanes) / sizeof(uint64_t); lane++)
            sum ^= sums[k][lane];
    return sum;
}

static double compare_all(const float *vectors, const float *query)
{
    double sum = 0;

    for (size_t i = 0; i < VECTORS; i++)
        sum += sembed_cos_sim(vectors + i * DIMENSIONS, query, DIMENSIONS);
    return sum;
}

int bench_similarity(const struct bench_options *options)
{
    float *vectors = memory_aligned(VECTORS * DIMENSIONS * sizeof *vectors);
    double *reading = memory_calloc(options->passes, sizeof *reading);
    double *comparing = memory_calloc(options->passes, sizeof *comparing);
    uint32_t state = 1;
    volatile double keep;

    if (!vectors || !reading || !comparing)
        die("out of memory for the vectors");
    for (size_t i = 0; i < VECTORS * DIMENSIONS; i++) {
        state = state * 1664525 + 1013904223;
        vectors[i] = (float)(int32_t)state;
    }
    for (size_t pass = 0; pass < options->passes; pass++) { /* in turn */
        double start = seconds_now();

        keep = (double)read_all(vectors);
        reading[pass] = seconds_now() - start;
        start = seconds_now();
        keep = compare_all(vectors, vectors + 17 * DIMENSIONS);
        comparing[pass] = seconds_now() - start;
    }
    (void)keep;
    sort_and_median(reading, options->passes);
    sort_and_median(comparing, options->passes);
    printf(
        options->json
            ? "{\"vectors\": %d, \"dimensions\": %d, \"read_ms\": %.3f, \"cos_sim_ms\": %.3f, "
              "\"ratio\": %.3f, \"read_gb_per_second\": %.2f}\n"
            : "%d vectors of %d: read in %.2f ms, cos_sim in %.2f ms, %.2f times as long (memory "
              "gives %.1f GB/s)\n",
        VECTORS, DIMENSIONS, reading[0] * 1e3, comparing[0] * 1e3, comparing[0] / reading[0],
        (double)VECTORS * DIMENSIONS * sizeof(float) / reading[0] * 1e-9);
    memory_free(vectors);
    memory_free(reading);
    memory_free(comparing);
    return 0;
}
