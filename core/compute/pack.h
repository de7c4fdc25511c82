/* Stored tensors → what the encoder computes with: matrices packed for the engine, vectors copied as
 * float32. */
#ifndef SEMBED_COMPUTE_PACK_H
#define SEMBED_COMPUTE_PACK_H

#include "core/compute/gemm.h"
#include "core/compute/kernels.h"

/* SEMBED_MALFORMED unless the tensor is there and [rows, columns]; what names it in the message. */
SEMBED_MUST_CHECK sembed_status check_shape(const struct tensor *tensor, size_t rows,
                                            size_t columns, const char *what, sembed_error *error);

/* The tensor's first `count` numbers, which it has, as float32. */
SEMBED_MUST_CHECK sembed_status widen_tensor(const struct tensor *tensor, size_t count,
                                             float *numbers, sembed_error *error);

/* A [1, count] tensor in aligned memory that the caller frees with memory_free. */
SEMBED_MUST_CHECK sembed_status pack_vector(const struct tensor *tensor, size_t count,
                                            const char *what, float **vector, sembed_error *error);

/*
 * `count` layers that read the same x, stacked into one: y is [rows, shape->outputs], layer after
 * layer. Each weight must be [outputs/count, inputs]; a bias may be absent (zeros). poll, which may be
 * NULL, is asked once.
 */
SEMBED_MUST_CHECK sembed_status pack_linear(const struct linear_weights *const *layers,
                                            size_t count, const struct gemm_shape *shape,
                                            const char *what, const sembed_poll *poll,
                                            struct gemm_weights **packed, sembed_error *error);

#endif
