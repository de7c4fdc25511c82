/*
 * One dense layer outside the encoder: sentence-transformers' Dense module, classification heads.
 * Runs on the same engine as the encoder's matrices.
 */
#ifndef SEMBED_COMPUTE_LINEAR_H
#define SEMBED_COMPUTE_LINEAR_H

#include "core/compute/encoder.h"

struct linear;

/* Packs weight [outputs, inputs] and copies bias; the tensors may go afterwards. */
SEMBED_MUST_CHECK sembed_status linear_create(const struct linear_weights *weights,
                                              enum activation activation, struct linear **linear,
                                              sembed_error *error);
void linear_destroy(struct linear *linear); /* NULL is allowed */

/* The layer as flat bytes for a compiled image, and its use where they lie: see encoder_save. It
 * computes in float32 whatever the model's precision. */
void linear_save(const struct linear *linear, struct flat_writer *writer);
SEMBED_MUST_CHECK sembed_status linear_open(size_t outputs, size_t inputs,
                                            enum activation activation, struct flat_reader *reader,
                                            struct linear **linear, sembed_error *error);

/* activation(x[rows, inputs]·weightᵀ + bias) → y[rows, outputs], y the caller's and not x. */
SEMBED_MUST_CHECK sembed_status linear_run(const struct linear *linear,
                                           struct encoder_session *session, const float *x,
                                           size_t rows, float *y, sembed_error *error);

/* values[n] = activation(values[n]), in place. */
void activate(enum activation activation, float *values, size_t n);

#endif
