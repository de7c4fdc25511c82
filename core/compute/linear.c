#include "core/compute/linear.h"

#include "core/base/memory.h"
#include "core/compute/kernels.h"
#include "core/compute/pack.h"
#include "core/compute/session.h"

#include <stdint.h>
#include <string.h>

struct linear {
    struct gemm_weights *weights;
};

sembed_status linear_create(const struct linear_weights *weights, enum activation activation,
                            struct linear **linear, sembed_error *error)
{
    *linear = NULL;
    struct linear *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a dense layer");
    const struct gemm_shape shape = {weights->weight.rows, weights->weight.columns, activation,
                                     PRECISION_F32, false};
    sembed_status status =
        pack_linear(&weights, 1, &shape, "dense layer", NULL, &made->weights, error);
    if (status != SEMBED_OK) {
        linear_destroy(made);
        return status;
    }
    *linear = made;
    return SEMBED_OK;
}

void linear_save(const struct linear *linear, struct flat_writer *writer)
{
    gemm_save(linear->weights, writer);
}

sembed_status linear_open(size_t outputs, size_t inputs, enum activation activation,
                          struct flat_reader *reader, struct linear **linear, sembed_error *error)
{
    *linear = NULL;
    struct linear *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a dense layer");
    const struct gemm_shape shape = {outputs, inputs, activation, PRECISION_F32, false};
    sembed_status status = gemm_open(&shape, reader, &made->weights, error);
    if (status != SEMBED_OK) {
        linear_destroy(made);
        return status;
    }
    *linear = made;
    return SEMBED_OK;
}

void linear_destroy(struct linear *linear)
{
    if (!linear)
        return;
    gemm_weights_destroy(linear->weights);
    memory_free(linear);
}

/* The bytes of a [rows, width] piece of the arena; SIZE_MAX on overflow. */
static size_t piece_size(size_t rows, size_t width, size_t size)
{
    size_t row = arena_rounded(width, size);
    return row == SIZE_MAX ? SIZE_MAX : arena_rounded(rows, row);
}

sembed_status linear_run(const struct linear *linear, struct encoder_session *session,
                         const float *x, size_t rows, float *y, sembed_error *error)
{
    if (rows == 0)
        return SEMBED_OK;
    struct arena *arena = &session->linear_arena;
    size_t inputs = gemm_inputs(linear->weights), outputs = gemm_outputs(linear->weights);
    size_t padded = gemm_padded_rows(linear->weights, rows), bytes;
    size_t x_size = piece_size(padded, inputs, sizeof *x);
    size_t y_size = piece_size(padded, outputs, sizeof *y);
    size_t starts_size = piece_size(padded, 2, sizeof(size_t));
    if (!size_add(x_size, y_size, &bytes) || !size_add(bytes, starts_size, &bytes))
        bytes = SIZE_MAX;
    sembed_status status = arena_reserve(arena, bytes, error);
    if (status != SEMBED_OK)
        return status;

    /* The engine wants room for rows of its own number: x and y are the caller's and have `rows`.
     * Each row is a group. */
    float *padded_x = arena_take(arena, x_size);
    float *padded_y = arena_take(arena, y_size);
    size_t *starts = arena_take(arena, starts_size);
    memcpy(padded_x, x, rows * inputs * sizeof *x);
    memset(padded_x + rows * inputs, 0, (padded - rows) * inputs * sizeof *x);
    for (size_t i = 0; i <= rows; i++)
        starts[i] = i;
    status = gemm_run(linear->weights, session->gemm, padded_x, starts, rows, padded_y, error);
    if (status == SEMBED_OK)
        memcpy(y, padded_y, rows * outputs * sizeof *y);
    return status;
}

void activate(enum activation activation, float *values, size_t n)
{
    kernels()->bias_activate(activation, NULL, 1, n, values);
}
