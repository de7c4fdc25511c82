/*
 * The matrix product under every layer: y = activation(x·weightᵀ + bias).
 *
 *     weight, bias ──gemm_pack──▶ gemm_weights     once per model; immutable, shared by threads
 *     x [rows, inputs] ──gemm_run──▶ y [rows, outputs]      with one gemm_session per thread
 *
 * In float32 that is all. In bfloat16 and int8, x is an operand of that precision and y a product of
 * which kernels->finish or add_norm make numbers (core/compute/product.h); the activation is theirs.
 *
 * Two engines can do it, oneDNN and OpenBLAS; which one is chosen when weights are packed, by the
 * environment variable SEMBED_ENGINE (onednn or openblas), else the first that was built in. Weights
 * remember their engine.
 *
 * Rows come in groups, such as the tokens of one text. The bits of a row of y depend on its group
 * and on its place there, never on the other groups of the call. Where the engine has a kernel that
 * treats all rows alike, it multiplies all groups at once; OpenBLAS does so with room between them
 * (openblas_rows.h); else it is group by group.
 *
 * An engine may make code for each number of rows; so that a few numbers serve, they are rounded up,
 * and x and y have room for the rows that this adds (gemm_padded_rows). Those of x are multiplied,
 * to no effect, and so should be no stranger than zeros; those of y hold anything afterwards.
 */
#ifndef SEMBED_COMPUTE_GEMM_H
#define SEMBED_COMPUTE_GEMM_H

#include "core/base/error.h"
#include "core/base/flat.h"
#include "core/compute/product.h"
#include "core/compute/tensor.h"

#include <stdbool.h>

struct gemm_shape {
    size_t outputs, inputs;
    enum activation activation;
    enum precision precision;
    bool rounds; /* y is bfloat16; PRECISION_BF16 alone */
};

struct gemm_weights;
struct gemm_session;

/*
 * Packs weight[outputs, inputs] and bias[outputs] (NULL: none) for the engine; both may go
 * afterwards. An unknown SEMBED_ENGINE is SEMBED_INVALID_ARGUMENT; a precision that this CPU or
 * engine cannot compute fast is SEMBED_UNSUPPORTED.
 */
SEMBED_MUST_CHECK sembed_status gemm_pack(const struct gemm_shape *shape, const float *weight,
                                          const float *bias, struct gemm_weights **weights,
                                          sembed_error *error);
void gemm_weights_destroy(struct gemm_weights *weights); /* NULL is allowed */

/*
 * Packed weights as flat bytes (core/base/flat.h), for a compiled image of a model:
 *
 *     gemm_save   writes them: record, bias, packed weights. The same weights give the same bytes.
 *     gemm_open   uses them where they lie: nothing is copied or reordered, nothing is written, and
 *                 y has the same bits as before. They must stay until gemm_weights_destroy.
 *
 * Packed bytes are of use to one engine, version, instruction set and precision only; an image says
 * so at its front by gemm_fingerprint and is not read where that differs. gemm_open refuses a record
 * that is not of `shape` (SEMBED_MALFORMED), of another engine or of a layout other than the engine
 * would choose now (SEMBED_UNSUPPORTED).
 */
void gemm_save(const struct gemm_weights *weights, struct flat_writer *writer);
SEMBED_MUST_CHECK sembed_status gemm_open(const struct gemm_shape *shape,
                                          struct flat_reader *reader, struct gemm_weights **weights,
                                          sembed_error *error);

/* Whatever decides about the bytes of weights packed now, as text of at most 127 bytes, such as
 * "1, oneDNN 2.6.3, instructions 3e7, bf16"; the first number is the version of our own layout. */
#define GEMM_FINGERPRINT 192
void gemm_fingerprint(enum precision precision, char text[GEMM_FINGERPRINT]);

size_t gemm_inputs(const struct gemm_weights *weights);
size_t gemm_outputs(const struct gemm_weights *weights);

/* The rows that x and y must have room for in a call with `rows` rows: at most GEMM_PADDING more;
 * SIZE_MAX on overflow. */
#define GEMM_PADDING 15
size_t gemm_padded_rows(const struct gemm_weights *weights, size_t rows);

/* A session may run the weights of any engine. */
SEMBED_MUST_CHECK sembed_status gemm_session_create(struct gemm_session **session,
                                                    sembed_error *error);
void gemm_session_destroy(struct gemm_session *session); /* NULL is allowed */
void gemm_session_trim(struct gemm_session *session);    /* gives unused memory back */

/*
 * x[padded rows, inputs] → y[padded rows, outputs]; y is not x. Group i is the rows starts[i] …
 * starts[i + 1] − 1, counted from starts[0]. Runs on the calling thread alone. x holds float, bfloat16 or
 * uint8 by the weights' precision, y float, float (bfloat16 where the shape says so) or int32.
 */
SEMBED_MUST_CHECK sembed_status gemm_run(const struct gemm_weights *weights,
                                         struct gemm_session *session, const void *x,
                                         const size_t *starts, size_t groups, void *y,
                                         sembed_error *error);

/* What gemm_run left in y, to be finished: scales are those of the rows of x (int8; else NULL). */
struct product gemm_product(const struct gemm_weights *weights, void *y,
                            const struct row_scale *scales);

/* Whether groups need not be told apart: the bits of a row are the same among any others. */
bool gemm_treats_rows_alike(const struct gemm_weights *weights);

/* SEMBED_UNSUPPORTED with what is missing where the engine cannot compute fast in that precision. */
SEMBED_MUST_CHECK sembed_status gemm_check_precision(enum precision precision, sembed_error *error);

/* The engine that weights packed now would get, and its version, such as "oneDNN 2.6.3". */
const char *gemm_engine_name(void);

/* The words that SEMBED_ENGINE may be in this build, the default first; NULL behind the last. */
const char *gemm_engine_choice(size_t i);

#endif
