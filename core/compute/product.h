/*
 * What goes into a matrix product and what comes out of it, at each precision:
 *
 *                 operand x [rows, inputs]            product y [rows, outputs]
 *     float32     float                               float, bias added
 *     bfloat16    bfloat16                            float, bias added
 *     int8        uint8, each row with its own        int32, of which value() makes a float
 *                 scale and zero
 *
 * int8. A row of x is cut into 255 steps between its least and its largest number: x ≈ scale·(q − zero)
 * with q in 0 … 255, and zero the q of 0. A row of weights has one scale: w ≈ weight_scale·p with p in
 * −127 … 127. So
 *
 *     Σ x·w ≈ scale·weight_scale·(Σ q·p − zero·Σ p)
 *
 * where the engine computes Σ q·p, and Σ p is known beforehand: the zero costs one multiplication for
 * each number of y. Scales are of a row of x alone: what else is in the batch changes nothing.
 */
#ifndef SEMBED_COMPUTE_PRODUCT_H
#define SEMBED_COMPUTE_PRODUCT_H

#include "core/compute/precision.h"

#include <stdint.h>

/* x ≈ scale·(q − zero). */
struct row_scale {
    float scale, zero;
};

/* Rows in the form in which they are multiplied. */
struct operand {
    enum precision precision;
    size_t width;
    void *numbers;            /* [rows, width] */
    struct row_scale *scales; /* [rows]; int8 alone */
};

/* The result of a matrix product with weights that have these terms. */
struct product {
    enum precision precision;
    size_t width;
    void *numbers; /* [rows, width] */

    /* int8 alone: y = number·scale·weight_scales − scale·zero·weight_sums + bias. */
    const struct row_scale *scales; /* [rows], of the operand */
    const float *weight_scales;     /* [width] */
    const float *weight_sums;       /* [width], times weight_scales */
    const float *bias;              /* [width] */
};

/* The bytes of one number of an operand. */
static inline size_t operand_number_size(enum precision precision)
{
    return precision == PRECISION_F32    ? sizeof(float)
           : precision == PRECISION_BF16 ? sizeof(uint16_t)
                                         : sizeof(uint8_t);
}

/* The operand's rows from `row` on. */
static inline struct operand operand_from(const struct operand *operand, size_t row)
{
    struct operand from = *operand;
    size_t size = operand_number_size(operand->precision);
    from.numbers = (char *)operand->numbers + row * operand->width * size;
    from.scales = operand->scales ? operand->scales + row : NULL;
    return from;
}

#endif
