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
    sembed_status status = pack_linear(&weights, 1, weights->weight.rows, weights->weight.columns,
                                       activation, "dense layer", &made->weights, error);
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

sembed_status linear_run(const struct linear *linear, struct encoder_session *session,
                         const float *x, size_t rows, float *y, sembed_error *error)
{
    if (rows == 0)
        return SEMBED_OK;
    size_t inputs = gemm_inputs(linear->weights), outputs = gemm_outputs(linear->weights);
    size_t padded = gemm_padded_rows(linear->weights, rows);
    size_t x_row = arena_rounded(inputs, sizeof *x), y_row = arena_rounded(outputs, sizeof *y);
    size_t x_bytes = arena_rounded(padded, x_row), y_bytes = arena_rounded(padded, y_row), bytes;
    if (x_bytes == SIZE_MAX || y_bytes == SIZE_MAX || !size_add(x_bytes, y_bytes, &bytes))
        bytes = SIZE_MAX;
    sembed_status status = arena_reserve(&session->linear_arena, bytes, error);
    if (status != SEMBED_OK)
        return status;

    /* The engine wants rows of its own number: x and y are the caller's and have `rows`. */
    float *padded_x = arena_take(&session->linear_arena, padded * inputs * sizeof *x);
    float *padded_y = arena_take(&session->linear_arena, padded * outputs * sizeof *y);
    memcpy(padded_x, x, rows * inputs * sizeof *x);
    memset(padded_x + rows * inputs, 0, (padded - rows) * inputs * sizeof *x);
    status = gemm_run(linear->weights, session->gemm, padded_x, rows, padded_y, error);
    if (status == SEMBED_OK)
        memcpy(y, padded_y, rows * outputs * sizeof *y);
    return status;
}

void activate(enum activation activation, float *values, size_t n)
{
    kernels()->bias_activate(activation, NULL, 1, n, values);
}
