/*
 * OpenBLAS behind gemm.h: the portable floor. It packs the weights anew in every call, so short
 * batches are slow; nothing in its interface lets a caller keep them packed.
 *
 * Its kernels do not treat rows alike. That for Haswell, which AMD's Zen gets too, adds up the
 * first six of every twelve rows in another order than the other six; a last block of fewer rows
 * takes other code, and so does a small product as a whole. So it is given group by group.
 *
 * Threads. The serial build is what is wanted: the others start threads when they are loaded, and
 * their number can be set for the whole process only, which is not ours to do.
 */
#include "core/compute/gemm_engine.h"

#include "core/base/memory.h"
#include "core/compute/kernels.h"

#include <cblas.h>
#include <pthread.h>
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
    snprintf(text, size, "%.*s (%s%s)", length, config, openblas_get_corename(),
             openblas_get_parallel() ? ", threaded build" : "");
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

static bool openblas_treats_rows_alike(const void *packed)
{
    (void)packed;
    return false;
}

/*
 * A serial build of OpenBLAS takes its work buffers without a lock, unless it was built with
 * USE_LOCKING, which Debian's is not: two threads at once get wrong numbers or crash. So products
 * take turns within a process.
 */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static sembed_status openblas_multiply(const void *packed, void *session, const float *x,
                                       size_t rows, float *y, sembed_error *error)
{
    const struct openblas_weights *weights = packed;
    const struct gemm_shape *shape = &weights->shape;
    int outputs = (int)shape->outputs, inputs = (int)shape->inputs;
    (void)session;
    (void)error;
    pthread_mutex_lock(&turn);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, outputs, inputs, 1.0f, x,
                inputs, weights->weight, inputs, 0.0f, y, outputs);
    pthread_mutex_unlock(&turn);
    kernels()->bias_activate(shape->activation, weights->bias, rows, shape->outputs, y);
    return SEMBED_OK;
}

const struct gemm_engine gemm_openblas = {
    .choice = "openblas",
    .describe = openblas_describe,
    .pack = openblas_pack,
    .packed_destroy = openblas_packed_destroy,
    .treats_rows_alike = openblas_treats_rows_alike,
    .multiply = openblas_multiply,
};
