/* Activations, with the bias of the matrix product before them. */
#include "core/compute/simd/activate.h"
#include "core/compute/simd/simd.h"

INLINE void activate_rows(const enum activation activation, const float *bias, size_t rows,
                          size_t width, float *y)
{
    for (size_t row = 0; row < rows; row++, y += width) {
        size_t i = 0;
        for (; i + LANES <= width; i += LANES)
            store(y + i, activate(activation, load(y + i) + load(bias + i)));
        if (i < width) {
            vfloat x = load_first(y + i, width - i) + load_first(bias + i, width - i);
            store_first(y + i, activate(activation, x), width - i);
        }
    }
}

/* Without a bias, rows need not be told apart. */
INLINE void activate_run(const enum activation activation, size_t count, float *y)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        store(y + i, activate(activation, load(y + i)));
    if (i < count)
        store_first(y + i, activate(activation, load_first(y + i, count - i)), count - i);
}

INLINE void activate_either(const enum activation activation, const float *bias, size_t rows,
                            size_t width, float *y)
{
    if (bias)
        activate_rows(activation, bias, rows, width, y);
    else if (activation != ACTIVATION_NONE)
        activate_run(activation, rows * width, y);
}

void NAME(bias_activate)(enum activation activation, const float *bias, size_t rows, size_t width,
                         float *y)
{
    /* One copy of the loops for each, the activation a constant within. */
#define ACTIVATE(which)                                                                            \
    case which:                                                                                    \
        activate_either(which, bias, rows, width, y);                                              \
        break
    switch (activation) {
        ACTIVATE(ACTIVATION_NONE);
        ACTIVATE(ACTIVATION_GELU);
        ACTIVATE(ACTIVATION_GELU_TANH);
        ACTIVATE(ACTIVATION_RELU);
        ACTIVATE(ACTIVATION_SILU);
        ACTIVATE(ACTIVATION_TANH);
        ACTIVATE(ACTIVATION_SIGMOID);
    }
#undef ACTIVATE
}
