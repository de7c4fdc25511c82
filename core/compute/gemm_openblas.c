/*
 * OpenBLAS behind gemm.h: the portable floor. It packs the weights anew in every call, so short
 * batches are slow; nothing in its interface lets a caller keep them packed.
 *
 * Rows and bits. Its kernels work on blocks of rows of x, and a last, smaller block, as a product
 * of few rows, runs code that adds up in another order. Blocks are 12 rows on Haswell and 2 on
 * Prescott, and the code for small products of SkylakeX differs below 4 rows; so rows are rounded up
 * to a multiple of 24, and every row of every call lies in a full block. A product of at most a
 * million multiplications may take that code for small ones, a larger one never does; so weights so
 * few that 24 rows are a small product are multiplied 24 rows at a time, whatever the batch.
 */
#include "core/compute/gemm_engine.h"

#include "core/base/memory.h"
#include "core/compute/kernels.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

#define ROW_BLOCK     24
#define SMALL_PRODUCT (100 * 100 * 100)

struct openblas_weights {
    struct gemm_shape shape;
    float *weight; /* [outputs, inputs], row-major */
    float *bias;   /* [outputs]; zeros where there is none */
};

static void openblas_describe(char *text, size_t size)
{
    /* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH …": the first two words are wanted. */
    const char *config = openblas_get_config();
    const char *end = strchr(config, ' ');
    end = end ? strchr(end + 1, ' ') : NULL;
    int length = end ? (int)(end - config) : (int)strlen(config);
    snprintf(text, size, "%.*s (%s)", length, config, openblas_get_corename());
}

static size_t openblas_padded_rows(size_t rows)
{
    return (rows + ROW_BLOCK - 1) / ROW_BLOCK * ROW_BLOCK;
}

static void openblas_packed_destroy(void *packed)
{
    struct openblas_weights *weights = packed;
    memory_free(weights->weight);
    memory_free(weights->bias);
    memory_free(weights);
}

static sembed_status openblas_pack(const struct gemm_shape *shape, const float *weight,
                                   const float *bias, void **packed, sembed_error *error)
{
    size_t numbers, bytes;
    if (!size_multiply(shape->outputs, shape->inputs, &numbers) ||
        !size_multiply(numbers, sizeof(float), &bytes))
        return error_no_memory(error, "packed weights");
    struct openblas_weights *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "packed weights");
    made->shape = *shape;
    made->weight = memory_aligned(bytes);
    made->bias = memory_aligned(shape->outputs * sizeof(float));
    if (!made->weight || !made->bias) {
        openblas_packed_destroy(made);
        return error_no_memory(error, "packed weights");
    }
    memcpy(made->weight, weight, bytes);
    if (bias)
        memcpy(made->bias, bias, shape->outputs * sizeof(float));
    else
        memset(made->bias, 0, shape->outputs * sizeof(float));
    *packed = made;
    return SEMBED_OK;
}

static sembed_status openblas_multiply(const void *packed, void *session, const float *x,
                                       size_t rows, float *y, sembed_error *error)
{
    const struct openblas_weights *weights = packed;
    const struct gemm_shape *shape = &weights->shape;
    size_t padded = openblas_padded_rows(rows);
    int outputs = (int)shape->outputs, inputs = (int)shape->inputs;
    size_t step = shape->outputs * shape->inputs <= SMALL_PRODUCT / ROW_BLOCK ? ROW_BLOCK : padded;
    (void)session;
    (void)error;
    for (size_t row = 0; row < padded; row += step)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)step, outputs, inputs, 1.0f,
                    x + row * shape->inputs, inputs, weights->weight, inputs, 0.0f,
                    y + row * shape->outputs, outputs);
    kernels()->bias_activate(shape->activation, weights->bias, padded, shape->outputs, y);
    return SEMBED_OK;
}

const struct gemm_engine gemm_openblas = {
    .choice = "openblas",
    .describe = openblas_describe,
    .padded_rows = openblas_padded_rows,
    .pack = openblas_pack,
    .packed_destroy = openblas_packed_destroy,
    .multiply = openblas_multiply,
};
