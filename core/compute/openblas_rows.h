/*
 * Where rows may stand for OpenBLAS to give them the same bits.
 *
 * It does not treat rows alike: its kernel for Haswell, which AMD's Zen gets too, adds up the first six of
 * every twelve rows in another order than the other six, the last rows of a product take other code where
 * they are fewer, and so does a small product as a whole. But rows come in periods: in a large product
 * of whole periods a row's bits depend on its place in the period alone. So each group starts a period:
 *
 *     rows of two texts, period 4       a0 a1 a2 a3 a4 0 0 0 | b0 b1 b2 0
 *
 * Periods are 4 rows in the kernels of Nehalem, Sandy Bridge and Skylake with AVX-512 and 12 in those of
 * Haswell and Zen (0.3.21). That is nowhere promised, so it is tried out.
 */
#ifndef SEMBED_COMPUTE_OPENBLAS_ROWS_H
#define SEMBED_COMPUTE_OPENBLAS_ROWS_H

#include "core/compute/gemm.h"

/* y[rows, outputs] = x·weightᵀ; x[rows, inputs], weight[outputs, inputs]. */
SEMBED_MUST_CHECK sembed_status openblas_product(const float *weight, size_t outputs, size_t inputs,
                                                 const float *x, size_t rows, float *y,
                                                 sembed_error *error);

/*
 * The rows of a period for products of that shape, and the fewest rows that such a product has to have;
 * period 0: each group is to be multiplied by itself. It is found out by some products, 5 to 10 ms, when it
 * is asked for the first time in a process.
 */
SEMBED_MUST_CHECK sembed_status openblas_period(const struct gemm_shape *shape, size_t *period,
                                                size_t *fewest, sembed_error *error);

#endif
