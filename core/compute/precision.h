/* The precisions that a model can be computed in, and their names. */
#ifndef SEMBED_COMPUTE_PRECISION_H
#define SEMBED_COMPUTE_PRECISION_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What the layers' matrices are multiplied in. Everything else (embeddings, layer norms, softmax, the
 * residual stream, pooling, dense and classification heads) is float32 whichever it is.
 */
enum precision {
    PRECISION_F32,
    PRECISION_BF16, /* weights and what they are multiplied with bfloat16, sums float32 */
    PRECISION_INT8  /* weights int8 per output, what they are multiplied with uint8 per row */
};

/* "f32", "bf16" or "int8". */
const char *precision_name(enum precision precision);

/* False for any other name[length]. */
bool precision_from_name(const char *name, size_t length, enum precision *precision);

#endif
