/* Stored tensors and the words that all of core/compute speaks: number types, activations. */
#ifndef SEMBED_COMPUTE_TENSOR_H
#define SEMBED_COMPUTE_TENSOR_H

#include "core/compute/precision.h"

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

struct file_map;

/* A stored tensor, row-major [rows, columns]; a vector is [1, columns]. Not owned; not aligned
 * beyond its number type; data NULL: absent. */
struct tensor {
    const void *data;
    enum number_type type;
    size_t rows, columns;
    const struct file_map *file; /* data is in it, to be taken by file_map_copy; NULL: in memory */
};

/* y = x·weightᵀ + bias: weight [outputs, inputs], bias [1, outputs] (data NULL: none). */
struct linear_weights {
    struct tensor weight, bias;
};

#endif
