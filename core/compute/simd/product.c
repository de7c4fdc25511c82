/* Between matrix products: what one leaves, made ready for the next. */
#include "core/compute/simd/product.h"
#include "core/compute/simd/activate.h"
#include "core/compute/simd/simd.h"

/* Row by row: to = activation(y). y's own numbers become floats on the way where `to` is int8, whose
 * scale is known only at the row's end. */
INLINE void finish_rows(const enum activation activation, const enum precision from,
                        const enum precision into, const struct product *y, size_t rows,
                        const struct operand *to)
{
    size_t width = y->width;
    for (size_t r = 0; r < rows; r++) {
        struct product_row row = product_row(y, r);
        struct range range = {{0}, {0}};
        float *floats = into == PRECISION_F32 ? (float *)to->numbers + r * width
                                              : (float *)y->numbers + r * width;
        uint16_t *brains = (uint16_t *)to->numbers + r * width;
        size_t i = 0;
        for (; i + LANES <= width; i += LANES) {
            vfloat x = activate_short(activation, value(from, y, &row, i));
            if (into == PRECISION_BF16)
                store_brain(brains + i, x);
            else
                store(floats + i, x);
            if (into == PRECISION_INT8)
                range_add(&range, x);
        }
        if (i < width) {
            vfloat x = activate_short(activation, value_first(from, y, &row, i));
            if (into == PRECISION_BF16)
                store_brain_first(brains + i, x, width - i);
            else
                store_first(floats + i, x, width - i);
            if (into == PRECISION_INT8) {
                vfloat rest = load_first(floats + i, width - i);
                range_add(&range, rest);
            }
        }
        if (into == PRECISION_INT8)
            quantize_row(floats, &range, to, r);
    }
}

/* A product goes to an operand of its own precision; an int8 one also to numbers for attention. */
INLINE void finish_precision(const enum activation activation, const struct product *y, size_t rows,
                             const struct operand *to)
{
    if (y->precision == PRECISION_BF16)
        finish_rows(activation, PRECISION_BF16, PRECISION_BF16, y, rows, to);
    else if (to->precision == PRECISION_INT8)
        finish_rows(activation, PRECISION_INT8, PRECISION_INT8, y, rows, to);
    else if (to->precision == PRECISION_BF16)
        finish_rows(activation, PRECISION_INT8, PRECISION_BF16, y, rows, to);
    else
        finish_rows(activation, PRECISION_INT8, PRECISION_F32, y, rows, to);
}

void NAME(finish)(enum activation activation, const struct product *y, size_t rows,
                  const struct operand *to)
{
    /* One copy of the loops for each, the activation a constant within. */
#define FINISH(which)                                                                              \
    case which:                                                                                    \
        finish_precision(which, y, rows, to);                                                      \
        break
    switch (activation) {
        FINISH(ACTIVATION_NONE);
        FINISH(ACTIVATION_GELU);
        FINISH(ACTIVATION_GELU_TANH);
        FINISH(ACTIVATION_RELU);
        FINISH(ACTIVATION_SILU);
        FINISH(ACTIVATION_TANH);
        FINISH(ACTIVATION_SIGMOID);
    }
#undef FINISH
}

static void narrow_to_brain(const float *x, size_t count, uint16_t *to)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        store_brain(to + i, load(x + i));
    if (i < count)
        store_brain_first(to + i, load_first(x + i, count - i), count - i);
}

void NAME(narrow)(const float *x, size_t rows, const struct operand *to)
{
    size_t width = to->width;
    if (to->precision == PRECISION_F32)
        memcpy(to->numbers, x, rows * width * sizeof *x);
    else if (to->precision == PRECISION_BF16)
        narrow_to_brain(x, rows * width, to->numbers);
    else {
        for (size_t row = 0; row < rows; row++, x += width) {
            struct range range = {{0}, {0}};
            size_t i = 0;
            for (; i + LANES <= width; i += LANES)
                range_add(&range, load(x + i));
            if (i < width)
                range_add(&range, load_first(x + i, width - i));
            quantize_row(x, &range, to, row);
        }
    }
}

/* Symmetric per output: weight ≈ scale·number, the largest of a row 127. */
void NAME(quantize_weights)(const float *weight, size_t outputs, size_t inputs, int8_t *numbers,
                            float *scales, float *sums)
{
    const float shift = 12582912.0f;
    for (size_t row = 0; row < outputs; row++, weight += inputs, numbers += inputs) {
        float most = 0, sum = 0;
        for (size_t i = 0; i < inputs; i++) {
            float size = weight[i] < 0 ? -weight[i] : weight[i];
            most = size > most ? size : most;
        }
        float scale = most > 0 ? most * (1.0f / 127) : 1.0f, inverse = 1.0f / scale;
        for (size_t i = 0; i < inputs; i++) {
            float number = (weight[i] * inverse + shift) - shift;
            numbers[i] = (int8_t)number;
            sum += number; /* of whole numbers: exact up to 2²⁴ */
        }
        scales[row] = scale;
        sums[row] = sum * scale;
    }
}
