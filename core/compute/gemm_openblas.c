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
    const float *weight; /* [outputs, inputs], row-major */
    const float *bias;   /* [outputs] */
    float *owned;        /* weight; NULL: flat bytes of the caller's */
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

/* The kernels want the weights as they are. */
static void openblas_describe_packing(char *text, size_t size)
{
    if (size > 0)
        text[0] = '\0';
}

static sembed_status openblas_check_precision(enum precision precision, sembed_error *error)
{
    if (precision == PRECISION_F32)
        return SEMBED_OK;
    return error_set(
        error, SEMBED_UNSUPPORTED,
        "precision %s needs oneDNN, and the engine here is OpenBLAS, which computes in "
        "f32",
        precision_name(precision));
}

static void openblas_packed_destroy(void *packed)
{
    struct openblas_weights *weights = packed;
    memory_free(weights->owned);
    memory_free(weights);
}

static sembed_status weight_bytes(const struct gemm_shape *shape, size_t *bytes,
                                  sembed_error *error)
{
    size_t numbers;
    if (!size_multiply(shape->outputs, shape->inputs, &numbers) ||
        !size_multiply(numbers, sizeof(float), bytes))
        return error_no_memory(error, "packed weights");
    return SEMBED_OK;
}

static sembed_status openblas_pack(const struct gemm_shape *shape, const void *weight,
                                   const float *bias, void **packed, sembed_error *error)
{
    size_t bytes = 0;
    sembed_status status = weight_bytes(shape, &bytes, error);
    if (status != SEMBED_OK)
        return status;
    struct openblas_weights *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "packed weights");
    float *owned = memory_aligned(bytes);
    if (!owned) {
        memory_free(made);
        return error_no_memory(error, "packed weights");
    }
    memcpy(owned, weight, bytes);
    *made = (struct openblas_weights){*shape, owned, bias, owned};
    *packed = made;
    return SEMBED_OK;
}

static void openblas_save(const void *packed, struct flat_writer *writer)
{
    const struct openblas_weights *weights = packed;
    flat_write(writer, weights->weight,
               weights->shape.outputs * weights->shape.inputs * sizeof(float));
}

static sembed_status openblas_open(const struct gemm_shape *shape, const float *bias,
                                   struct flat_reader *reader, void **packed, sembed_error *error)
{
    size_t bytes = 0;
    const void *weight;
    sembed_status status = weight_bytes(shape, &bytes, error);
    if (status == SEMBED_OK)
        status = flat_read(reader, bytes, "packed weights", &weight, error);
    if (status != SEMBED_OK)
        return status;
    struct openblas_weights *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "packed weights");
    *made = (struct openblas_weights){*shape, weight, bias, NULL};
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

/*
 * With the first product the library takes a buffer, which it keeps; where the system refuses that, it
 * asks again and again. So the system is asked here before.
 */
#define BUFFER_ROOM ((size_t)136 << 20) /* bytes: its buffer is 128 MB of address space */

static bool has_buffer; /* guarded by turn */

static sembed_status take_turn(sembed_error *error)
{
    pthread_mutex_lock(&turn);
    has_buffer = has_buffer || memory_has_room(BUFFER_ROOM);
    if (has_buffer)
        return SEMBED_OK;
    pthread_mutex_unlock(&turn);
    return error_no_memory(error, "OpenBLAS");
}

static sembed_status openblas_multiply(const void *packed, void *session, const void *x,
                                       size_t rows, void *y, sembed_error *error)
{
    const struct openblas_weights *weights = packed;
    const struct gemm_shape *shape = &weights->shape;
    int outputs = (int)shape->outputs, inputs = (int)shape->inputs;
    (void)session;
    sembed_status status = take_turn(error);
    if (status != SEMBED_OK)
        return status;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, outputs, inputs, 1.0f, x,
                inputs, weights->weight, inputs, 0.0f, y, outputs);
    pthread_mutex_unlock(&turn);
    kernels()->bias_activate(shape->activation, weights->bias, rows, shape->outputs, y);
    return SEMBED_OK;
}

const struct gemm_engine gemm_openblas = {
    .choice = "openblas",
    .describe = openblas_describe,
    .describe_packing = openblas_describe_packing,
    .check_precision = openblas_check_precision,
    .pack = openblas_pack,
    .save = openblas_save,
    .open = openblas_open,
    .packed_destroy = openblas_packed_destroy,
    .treats_rows_alike = openblas_treats_rows_alike,
    .multiply = openblas_multiply,
};
