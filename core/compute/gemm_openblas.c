/*
 * OpenBLAS behind gemm.h: the portable floor. It packs the weights anew in every product; nothing in
 * its interface lets a caller keep them packed. So groups are gathered into one product, each at the
 * start of a period of rows (openblas_rows.h), which gives them the bits that they have alone.
 *
 * Threads. The serial build is what is wanted: the others start threads when they are loaded, and
 * their number can be set for the whole process only, which is not ours to do.
 */
#include "core/compute/gemm_engine.h"

#include "core/base/arena.h"
#include "core/base/memory.h"
#include "core/compute/kernels.h"
#include "core/compute/openblas_rows.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

struct openblas_weights {
    struct gemm_shape shape;
    const float *weight;   /* [outputs, inputs], row-major */
    const float *bias;     /* [outputs] */
    float *owned;          /* weight; NULL: flat bytes of the caller's */
    size_t period, fewest; /* see openblas_period */
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
    *made =
        (struct openblas_weights){.shape = *shape, .weight = owned, .bias = bias, .owned = owned};
    status = openblas_period(shape, &made->period, &made->fewest, error);
    if (status != SEMBED_OK) {
        openblas_packed_destroy(made);
        return status;
    }
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
    *made = (struct openblas_weights){.shape = *shape, .weight = weight, .bias = bias};
    status = openblas_period(shape, &made->period, &made->fewest, error);
    if (status != SEMBED_OK) {
        openblas_packed_destroy(made);
        return status;
    }
    *packed = made;
    return SEMBED_OK;
}

static bool openblas_treats_rows_alike(const void *packed)
{
    (void)packed;
    return false;
}

/* -------------------------------------------------------------------------------------- session */

#define KEPT_SCRATCH ((size_t)1 << 20)

struct openblas_session {
    struct arena arena; /* of the rows of a product and of what comes out */
};

static sembed_status openblas_session_create(void **session, sembed_error *error)
{
    *session = memory_calloc(1, sizeof(struct openblas_session));
    return *session ? SEMBED_OK : error_no_memory(error, "an engine session");
}

static void openblas_session_destroy(void *state)
{
    struct openblas_session *session = state;
    arena_destroy(&session->arena);
    memory_free(session);
}

static void openblas_session_trim(void *state)
{
    struct openblas_session *session = state;
    arena_trim(&session->arena, KEPT_SCRATCH);
}

/* ------------------------------------------------------------------------------------- multiply */

/* The rows of a group among others. */
static size_t spread_rows(const struct openblas_weights *weights, size_t rows)
{
    return (rows + weights->period - 1) / weights->period * weights->period;
}

static size_t spread_all(const struct openblas_weights *weights, const size_t *starts,
                         size_t groups)
{
    size_t all = 0;
    for (size_t i = 0; i < groups; i++)
        all += spread_rows(weights, starts[i + 1] - starts[i]);
    return all > weights->fewest ? all : weights->fewest;
}

/* Copies x's groups to where they are to stand, zeros between them. */
static void spread(const struct openblas_weights *weights, const float *x, const size_t *starts,
                   size_t groups, size_t all, float *to)
{
    size_t inputs = weights->shape.inputs;
    float *end = to + all * inputs;
    for (size_t i = 0; i < groups; i++) {
        size_t rows = starts[i + 1] - starts[i], spread = spread_rows(weights, rows);
        memcpy(to, x + (starts[i] - starts[0]) * inputs, rows * inputs * sizeof *x);
        memset(to + rows * inputs, 0, (spread - rows) * inputs * sizeof *x);
        to += spread * inputs;
    }
    memset(to, 0, (size_t)(end - to) * sizeof *to);
}

/* Copies the groups of what came out back to where they are in y. */
static void gather(const struct openblas_weights *weights, const float *from, const size_t *starts,
                   size_t groups, float *y)
{
    size_t outputs = weights->shape.outputs;
    for (size_t i = 0; i < groups; i++) {
        size_t rows = starts[i + 1] - starts[i];
        memcpy(y + (starts[i] - starts[0]) * outputs, from, rows * outputs * sizeof *y);
        from += spread_rows(weights, rows) * outputs;
    }
}

static sembed_status multiply_periods(const struct openblas_weights *weights,
                                      struct openblas_session *session, const float *x,
                                      const size_t *starts, size_t groups, float *y,
                                      sembed_error *error)
{
    size_t outputs = weights->shape.outputs, inputs = weights->shape.inputs, bytes;
    size_t all = spread_all(weights, starts, groups);
    size_t from_size = arena_rounded(arena_rounded(all, inputs), sizeof(float));
    size_t to_size = arena_rounded(arena_rounded(all, outputs), sizeof(float));
    if (!size_add(from_size, to_size, &bytes))
        bytes = SIZE_MAX;
    sembed_status status = arena_reserve(&session->arena, bytes, error);
    if (status != SEMBED_OK)
        return status;
    float *from = arena_take(&session->arena, from_size);
    float *to = arena_take(&session->arena, to_size);
    spread(weights, x, starts, groups, all, from);
    status = openblas_product(weights->weight, outputs, inputs, from, all, to, error);
    if (status == SEMBED_OK)
        gather(weights, to, starts, groups, y);
    return status;
}

static bool openblas_takes_groups(const void *packed)
{
    return ((const struct openblas_weights *)packed)->period != 0;
}

static sembed_status openblas_multiply(const void *packed, void *state, const void *x,
                                       const size_t *starts, size_t groups, void *y,
                                       sembed_error *error)
{
    const struct openblas_weights *weights = packed;
    const struct gemm_shape *shape = &weights->shape;
    size_t rows = starts[groups] - starts[0];
    sembed_status status =
        weights->period
            ? multiply_periods(weights, state, x, starts, groups, y, error)
            : openblas_product(weights->weight, shape->outputs, shape->inputs, x, rows, y, error);
    if (status == SEMBED_OK)
        kernels()->bias_activate(shape->activation, weights->bias, rows, shape->outputs, y);
    return status;
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
    .session_create = openblas_session_create,
    .session_destroy = openblas_session_destroy,
    .session_trim = openblas_session_trim,
    .treats_rows_alike = openblas_treats_rows_alike,
    .takes_groups = openblas_takes_groups,
    .multiply = openblas_multiply,
};
