/* What an engine behind gemm.h provides. One constant table per engine; gemm.c picks. */
#ifndef SEMBED_COMPUTE_GEMM_ENGINE_H
#define SEMBED_COMPUTE_GEMM_ENGINE_H

#include "core/compute/gemm.h"

struct gemm_shape {
    size_t outputs, inputs;
    enum activation activation;
};

struct gemm_engine {
    const char *choice; /* its word in SEMBED_ENGINE */

    /* Writes its name and version. */
    void (*describe)(char *text, size_t size);

    /* As gemm_padded_rows, but without a check for overflow: rows is below SIZE_MAX / 2. */
    size_t (*padded_rows)(size_t rows);

    /* Packed weights in the engine's own form. bias may be NULL. */
    sembed_status (*pack)(const struct gemm_shape *shape, const float *weight, const float *bias,
                          void **packed, sembed_error *error);
    void (*packed_destroy)(void *packed); /* not NULL */

    /* What a thread needs; both NULL where it needs nothing. */
    sembed_status (*session_create)(void **session, sembed_error *error);
    void (*session_destroy)(void *session); /* not NULL */

    /* y = activation(x·weightᵀ + bias) for the rows, and finite numbers in the padding rows. */
    sembed_status (*multiply)(const void *packed, void *session, const float *x, size_t rows,
                              float *y, sembed_error *error);
};

extern const struct gemm_engine gemm_openblas;
#ifdef SEMBED_WITH_ONEDNN
extern const struct gemm_engine gemm_onednn;
#endif

#endif
