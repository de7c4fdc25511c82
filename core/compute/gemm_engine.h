/* What an engine behind gemm.h provides. One constant table per engine; gemm.c picks. */
#ifndef SEMBED_COMPUTE_GEMM_ENGINE_H
#define SEMBED_COMPUTE_GEMM_ENGINE_H

#include "core/compute/gemm.h"

struct gemm_engine {
    const char *choice; /* its word in SEMBED_ENGINE */

    /* Writes its name and version. */
    void (*describe)(char *text, size_t size);

    /* Writes what else decides about the bytes of packed weights: the instruction set. */
    void (*describe_packing)(char *text, size_t size);

    /* SEMBED_UNSUPPORTED, saying what is missing, where it cannot compute fast in a precision. */
    sembed_status (*check_precision)(enum precision precision, sembed_error *error);

    /* Packed weights in the engine's own form: weight[outputs, inputs] of float, or of int8 in that
     * precision. bias[outputs] stays as long as they do; int8 products are without it. */
    sembed_status (*pack)(const struct gemm_shape *shape, const void *weight, const float *bias,
                          void **packed, sembed_error *error);

    /* The packed weights, without the bias, as flat bytes, and their use where they lie. */
    void (*save)(const void *packed, struct flat_writer *writer);
    sembed_status (*open)(const struct gemm_shape *shape, const float *bias,
                          struct flat_reader *reader, void **packed, sembed_error *error);
    void (*packed_destroy)(void *packed); /* not NULL */

    /* What a thread needs; all NULL where it needs nothing. */
    sembed_status (*session_create)(void **session, sembed_error *error);
    void (*session_destroy)(void *session); /* not NULL */
    void (*session_trim)(void *session);    /* not NULL; gives back what it can do without */

    /* Whether a row's bits are the same among any other rows and in any place. */
    bool (*treats_rows_alike)(const void *packed);

    /* The rows that are multiplied for so many, see gemm_padded_rows; NULL: those alone. */
    size_t (*padded_rows)(const void *packed, size_t rows);

    /* Whether multiply takes all groups of a call at once; else it gets one after the other. */
    bool (*takes_groups)(const void *packed);

    /* y = activation(x·weightᵀ + bias); groups, x and y as in gemm_run. The activation in float32 alone,
     * the bias not in int8. */
    sembed_status (*multiply)(const void *packed, void *session, const void *x,
                              const size_t *starts, size_t groups, void *y, sembed_error *error);
};

extern const struct gemm_engine gemm_openblas;
#ifdef SEMBED_WITH_ONEDNN
extern const struct gemm_engine gemm_onednn;
#endif

#endif
