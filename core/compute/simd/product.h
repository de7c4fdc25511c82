/* Numbers of matrix products as vectors of floats, and floats as rows of operands; see
 * core/compute/product.h. */
#ifndef SEMBED_COMPUTE_SIMD_PRODUCT_H
#define SEMBED_COMPUTE_SIMD_PRODUCT_H

#include "core/compute/product.h"
#include "core/compute/simd/vector.h"

typedef int32_t vint_unaligned
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(int32_t)), may_alias));
typedef uint32_t vword __attribute__((vector_size(VECTOR_BYTES)));
typedef uint16_t vshort __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef uint16_t vshort_unaligned
    __attribute__((vector_size(VECTOR_BYTES / 2), aligned(sizeof(uint16_t)), may_alias));
typedef uint8_t vbyte_unaligned
    __attribute__((vector_size(VECTOR_BYTES / 4), aligned(1), may_alias));

/* ---------------------------------------------------------------------------------- from products */

/* A row of a product; its own two numbers at hand. */
struct product_row {
    const float *numbers; /* int8: int32 */
    float scale, shift;   /* int8: y = number·scale·weight_scale + shift·weight_sum + bias */
};

INLINE struct product_row product_row(const struct product *product, size_t row)
{
    struct product_row at = {.numbers = (const float *)product->numbers + row * product->width};
    if (product->precision == PRECISION_INT8) {
        at.scale = product->scales[row].scale;
        at.shift = -product->scales[row].scale * product->scales[row].zero;
    }
    return at;
}

INLINE vfloat value_from_int8(const struct product *product, const struct product_row *row,
                              vfloat numbers, vfloat scale, vfloat sum, vfloat bias)
{
    (void)product;
    vfloat number = __builtin_convertvector((vint)numbers, vfloat);
    return number * (scale * row->scale) + (sum * row->shift + bias);
}

/* y from column i on, LANES of them. */
INLINE vfloat value(const enum precision precision, const struct product *product,
                    const struct product_row *row, size_t i)
{
    vfloat numbers = load(row->numbers + i);
    if (precision != PRECISION_INT8)
        return numbers;
    return value_from_int8(product, row, numbers, load(product->weight_scales + i),
                           load(product->weight_sums + i), load(product->bias + i));
}

/* The same for the last columns, fewer than LANES. */
INLINE vfloat value_first(const enum precision precision, const struct product *product,
                          const struct product_row *row, size_t i)
{
    size_t count = product->width - i;
    vfloat numbers = load_first(row->numbers + i, count);
    if (precision != PRECISION_INT8)
        return numbers;
    return value_from_int8(product, row, numbers, load_first(product->weight_scales + i, count),
                           load_first(product->weight_sums + i, count),
                           load_first(product->bias + i, count));
}

/* ------------------------------------------------------------------------------------ to operands */

/* bfloat16: the upper half of a float, rounded to nearest, ties to even. */
INLINE vshort round_to_brain(vfloat x)
{
#if defined(__AVX512BF16__)
    return (vshort)_mm512_cvtneps_pbh(x);
#else
    vword bits = (vword)x;
    bits += 0x7fff + (bits >> 16 & 1);
    return __builtin_convertvector(bits >> 16, vshort);
#endif
}

INLINE void store_brain(uint16_t *to, vfloat x)
{
    *(vshort_unaligned *)to = round_to_brain(x);
}

INLINE void store_brain_first(uint16_t *to, vfloat x, size_t count)
{
    vshort shorts = round_to_brain(x);
    memcpy(to, &shorts, count * sizeof *to);
}

/* The least and the largest number of a row so far, 0 among them. */
struct range {
    vfloat least, largest;
};

INLINE void range_add(struct range *range, vfloat x)
{
    range->least = smaller(x, range->least);
    range->largest = larger(x, range->largest);
}

/* 255 steps from least to largest; a row of zeros has steps of 1. */
INLINE struct row_scale range_scale(const struct range *range)
{
    float least = -largest_lane(-range->least), largest = largest_lane(range->largest);
    float steps = largest - least;
    float scale = steps > 0 ? steps * (1.0f / 255) : 1.0f;
    const float shift = 12582912.0f; /* 1.5·2²³: adding it rounds */
    return (struct row_scale){scale, (-least / scale + shift) - shift};
}

/* x/scale + zero, rounded and held in 0 … 255. */
INLINE vint quantize(vfloat x, float inverse, float zero)
{
    vint q = (vint)(x * inverse + (zero + 12582912.0f)) - 0x4b400000;
#if defined(__AVX512F__)
    return (vint)_mm512_min_epi32(_mm512_max_epi32((__m512i)q, _mm512_setzero_si512()),
                                  _mm512_set1_epi32(255));
#else
    vint most = q > 255;
    q = (q & ~most) | (most & 255);
    return q & ~(q < 0);
#endif
}

INLINE void store_bytes(uint8_t *to, vint q)
{
#if defined(__AVX512F__)
    _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8((__m512i)q));
#else
    *(vbyte_unaligned *)to = __builtin_convertvector((vword)q, vbyte_unaligned);
#endif
}

/* A row of floats → row `row` of an int8 operand. */
INLINE void quantize_row(const float *x, const struct range *range, const struct operand *to,
                         size_t row)
{
    uint8_t *bytes = (uint8_t *)to->numbers + row * to->width;
    struct row_scale scale = range_scale(range);
    float inverse = 1.0f / scale.scale;
    size_t i = 0;
    to->scales[row] = scale;
    for (; i + LANES <= to->width; i += LANES)
        store_bytes(bytes + i, quantize(load(x + i), inverse, scale.zero));
    if (i < to->width) {
        vint q = quantize(load_first(x + i, to->width - i), inverse, scale.zero);
        for (size_t lane = 0; i < to->width; i++, lane++)
            bytes[i] = (uint8_t)q[lane];
    }
}

#endif
