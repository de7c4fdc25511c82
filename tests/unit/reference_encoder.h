/*
 * The encoder as its papers write it: one text, one loop after another, in double precision. It is
 * what core/compute is tested against, and the shortest description of what that computes.
 *
 * Sources: Devlin et al. 2018 (arXiv 1810.04805), Vaswani et al. 2017 (arXiv 1706.03762);
 * transformers' modeling_bert.py, and modeling_mpnet.py for the relative position bias.
 */
#ifndef SEMBED_TESTS_REFERENCE_ENCODER_H
#define SEMBED_TESTS_REFERENCE_ENCODER_H

#include "core/compute/encoder.h"

#include <stdint.h>

/* Number i of a stored tensor. */
double reference_number(const struct tensor *tensor, size_t i);

double reference_activation(enum activation activation, double x);

/* x[tokens, inputs] → y[tokens, outputs]. */
void reference_linear(const struct linear_weights *weights, enum activation activation,
                      const double *x, size_t tokens, double *y);

/* query, key, value [tokens, hidden] → context[tokens, hidden]; relative_bias: the tensor
 * [buckets, heads], with data NULL for none. */
void reference_attention(const struct encoder_config *config, const struct tensor *relative_bias,
                         const double *query, const double *key, const double *value, size_t tokens,
                         double *context);

/* One text's ids and types [tokens] → hidden[tokens, hidden_size] after that many layers. */
void reference_encode(const struct encoder_config *config, const struct encoder_weights *weights,
                      const uint32_t *ids, const uint8_t *types, size_t tokens, size_t layers,
                      double *hidden);

#endif
