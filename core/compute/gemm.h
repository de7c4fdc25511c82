/*
 * The matrix product under every layer: y = activation(x·weightᵀ + bias).
 *
 *     weight, bias ──gemm_pack──▶ gemm_weights     once per model; immutable, shared by threads
 *     x [rows, inputs] ──gemm_run──▶ y [rows, outputs]      with one gemm_session per thread
 *
 * Two engines can do it, oneDNN and OpenBLAS; which one is chosen when weights are packed, by the
 * environment variable SEMBED_ENGINE (onednn or openblas), else the first that was built in. Weights
 * remember their engine.
 *
 * Rows come in groups, such as the tokens of one text. The bits of a row of y depend on its group
 * and on its place there, never on the other groups of the call. Where the engine has a kernel that
 * treats all rows alike, it multiplies all groups at once, else group by group (gemm_engine.h says
 * which do).
 *
 * An engine may make code for each number of rows; so that a few numbers serve, they are rounded up,
 * and x and y have room for the rows that this adds (gemm_padded_rows). Those of x are multiplied,
 * to no effect, and so should be no stranger than zeros; those of y hold anything afterwards.
 */
#ifndef SEMBED_COMPUTE_GEMM_H
#define SEMBED_COMPUTE_GEMM_H

#include "core/base/error.h"
#include "core/compute/tensor.h"

struct gemm_weights;
struct gemm_session;

/*
 * Packs weight[outputs, inputs] and bias[outputs] (NULL: none) for the engine; both may go
 * afterwards. An unknown SEMBED_ENGINE is SEMBED_INVALID_ARGUMENT.
 */
SEMBED_MUST_CHECK sembed_status gemm_pack(const float *weight, const float *bias, size_t outputs,
                                          size_t inputs, enum activation activation,
                                          struct gemm_weights **weights, sembed_error *error);
void gemm_weights_destroy(struct gemm_weights *weights); /* NULL is allowed */

size_t gemm_inputs(const struct gemm_weights *weights);
size_t gemm_outputs(const struct gemm_weights *weights);

/* The rows that x and y must have room for in a call with `rows` rows; SIZE_MAX on overflow. */
size_t gemm_padded_rows(size_t rows);

/* A session may run the weights of any engine. */
SEMBED_MUST_CHECK sembed_status gemm_session_create(struct gemm_session **session,
                                                    sembed_error *error);
void gemm_session_destroy(struct gemm_session *session); /* NULL is allowed */

/*
 * x[padded rows, inputs] → y[padded rows, outputs]; y is not x. Group i is the rows starts[i] …
 * starts[i + 1] − 1, and starts[0] is 0. Runs on the calling thread alone.
 */
SEMBED_MUST_CHECK sembed_status gemm_run(const struct gemm_weights *weights,
                                         struct gemm_session *session, const float *x,
                                         const size_t *starts, size_t groups, float *y,
                                         sembed_error *error);

/* The engine that weights packed now would get, and its version, such as "oneDNN 2.6.3". */
const char *gemm_engine_name(void);

/* The words that SEMBED_ENGINE may be in this build, the default first; NULL behind the last. */
const char *gemm_engine_choice(size_t i);

#endif
