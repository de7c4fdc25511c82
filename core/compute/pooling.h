/* Hidden states of a text → one vector. Source: sentence_transformers' Pooling module. */
#ifndef SEMBED_COMPUTE_POOLING_H
#define SEMBED_COMPUTE_POOLING_H

#include <stddef.h>

enum pooling_mode {
    POOLING_CLS,
    POOLING_MAX,
    POOLING_MEAN,
    POOLING_MEAN_SQRT_LENGTH,
    POOLING_WEIGHTED_MEAN,
    POOLING_LAST_TOKEN,
    POOLING_MODE_COUNT
};

/* hidden[tokens, width] → vector[width]. skip: the first tokens that are left out, a prompt's where
 * include_prompt is false; at least one token must remain. */
void pool(enum pooling_mode mode, const float *hidden, size_t tokens, size_t width, size_t skip,
          float *vector);

/* vector[n] / max(|vector|, 1e-12), in place. Source: torch.nn.functional.normalize. */
void normalize_vector(float *vector, size_t n);

#endif
