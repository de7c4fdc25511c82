/* Finds an encoder's tensors in a safetensors file, each with the shape its architecture wants. */
#ifndef SEMBED_MODEL_WEIGHTS_H
#define SEMBED_MODEL_WEIGHTS_H

#include "core/model/architecture.h"
#include "core/model/safetensors.h"

/* A classification head: output(activation(dense(first token))). */
struct head_weights {
    struct linear_weights dense;  /* [hidden, hidden] */
    struct linear_weights output; /* [labels, hidden] */
};

/*
 * Fills weights with tensors that lie in the file; layers[architecture->encoder.layers] is the
 * caller's memory and becomes weights->layers. A missing tensor or another shape is SEMBED_MALFORMED
 * naming file, tensor, expected and found. *parameters: how many numbers were found.
 */
SEMBED_MUST_CHECK sembed_status weights_find(const struct safetensors *file,
                                             const struct architecture *architecture,
                                             struct layer_weights *layers,
                                             struct encoder_weights *weights, uint64_t *parameters,
                                             sembed_error *error);

SEMBED_MUST_CHECK sembed_status weights_find_head(const struct safetensors *file,
                                                  const struct architecture *architecture,
                                                  struct head_weights *head, uint64_t *parameters,
                                                  sembed_error *error);

#endif
