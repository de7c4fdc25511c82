/* Stored tensors and the words that all of core/compute speaks: number types, activations. */
#ifndef SEMBED_COMPUTE_TENSOR_H
#define SEMBED_COMPUTE_TENSOR_H

#include <stddef.h>

enum activation {
    ACTIVATION_NONE,
    ACTIVATION_GELU,
    ACTIVATION_GELU_TANH,
    ACTIVATION_RELU,
    ACTIVATION_SILU,
    ACTIVATION_TANH,
    ACTIVATION_SIGMOID
};

/* The numeric type of a stored tensor. */
enum number_type { NUMBER_F32, NUMBER_F16, NUMBER_BF16 };

/*
 * What the layers' matrices are multiplied in. Everything else (embeddings, layer norms, softmax, the
 * residual stream, pooling, dense and classification heads) is float32 whichever it is.
 */
enum precision {
    PRECISION_F32,
    PRECISION_BF16, /* weights and what they are multiplied with bfloat16, sums float32 */
    PRECISION_INT8  /* weights int8 per output, what they are multiplied with uint8 per row */
};

/* A stored tensor, row-major [rows, columns]; a vector is [1, columns]. Not owned; not aligned
 * beyond its number type; data NULL: absent. */
struct tensor {
    const void *data;
    enum number_type type;
    size_t rows, columns;
};

/* y = x·weightᵀ + bias: weight [outputs, inputs], bias [1, outputs] (data NULL: none). */
struct linear_weights {
    struct tensor weight, bias;
};

#endif
