/* Number types, embeddings, layer normalisation. */
#include "core/compute/simd/product.h"
#include "core/compute/simd/simd.h"

#include <math.h>

/* IEEE half precision. Shifted into place its exponent is too small by 112; a product sets that
 * right, subnormal numbers included. The exponent 31 (infinity, not a number) becomes 255. */
INLINE vfloat widen_half(vint bits)
{
    vint sign = (bits & 0x8000) << 16;
    vint rest = (bits & 0x7fff) << 13;
    vfloat value = (vfloat)rest * 0x1p112f;
    vint special = (rest >= 0x0f800000) & 0x7f800000;
    return (vfloat)((vint)value | special | sign);
}

/* bfloat16: the upper half of a float. */
INLINE vfloat widen_brain(vint bits)
{
    return (vfloat)(bits << 16);
}

/* `count` numbers, at most LANES, from number `start` of a run. */
INLINE vfloat load_numbers(enum number_type type, const void *from, size_t start, size_t count)
{
    if (type == NUMBER_F32) {
        const char *place = (const char *)from + start * sizeof(float);
        vfloat vector = {0};
        if (count == LANES)
            memcpy(&vector, place, sizeof vector);
        else
            memcpy(&vector, place, count * sizeof(float));
        return vector;
    }
    const char *place = (const char *)from + start * sizeof(uint16_t);
    vshort shorts = {0};
    if (count == LANES)
        memcpy(&shorts, place, sizeof shorts);
    else
        memcpy(&shorts, place, count * sizeof(uint16_t));
    vint bits = __builtin_convertvector(shorts, vint);
    return type == NUMBER_F16 ? widen_half(bits) : widen_brain(bits);
}

void NAME(widen)(enum number_type type, const void *from, size_t count, float *to)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        store(to + i, load_numbers(type, from, i, LANES));
    if (i < count)
        store_first(to + i, load_numbers(type, from, i, count - i), count - i);
}

/* Four sums side by side, so that one addition need not wait for the one before. */
#define SUMS 4

INLINE float row_mean(const float *x, size_t width)
{
    vfloat sums[SUMS] = {{0}};
    size_t i = 0;
    for (; i + SUMS * LANES <= width; i += SUMS * LANES) {
        for (size_t s = 0; s < SUMS; s++)
            sums[s] += load(x + i + s * LANES);
    }
    for (; i + LANES <= width; i += LANES)
        sums[0] += load(x + i);
    if (i < width)
        sums[1] += load_first(x + i, width - i);
    return sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3])) / (float)width;
}

INLINE float row_variance(const float *x, size_t width, float mean)
{
    vfloat sums[SUMS] = {{0}};
    size_t i = 0;
    for (; i + SUMS * LANES <= width; i += SUMS * LANES) {
        for (size_t s = 0; s < SUMS; s++) {
            vfloat deviation = load(x + i + s * LANES) - mean;
            sums[s] += deviation * deviation;
        }
    }
    for (; i + LANES <= width; i += LANES) {
        vfloat deviation = load(x + i) - mean;
        sums[0] += deviation * deviation;
    }
    float rest = 0;
    for (; i < width; i++)
        rest += (x[i] - mean) * (x[i] - mean);
    return (sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3])) + rest) / (float)width;
}

/* x[width] becomes its normalisation, and row `row` of `to` the same in that precision (float32:
 * nothing). The deviations are taken from the mean, not from a sum of squares, which would cancel. */
INLINE void normalize_row(const struct norm *norm, float mean, float *x, const enum precision into,
                          const struct operand *to, size_t row)
{
    size_t width = norm->width, i = 0;
    float inverse = 1.0f / sqrtf(row_variance(x, width, mean) + norm->epsilon);
    uint16_t *brains = into == PRECISION_BF16 ? (uint16_t *)to->numbers + row * width : NULL;
    struct range range = {{0}, {0}};
    for (; i + LANES <= width; i += LANES) {
        vfloat y = (load(x + i) - mean) * inverse * load(norm->scale + i) + load(norm->shift + i);
        store(x + i, y);
        if (into == PRECISION_BF16)
            store_brain(brains + i, y);
        if (into == PRECISION_INT8)
            range_add(&range, y);
    }
    if (i < width) {
        size_t rest = width - i;
        vfloat y = (load_first(x + i, rest) - mean) * inverse * load_first(norm->scale + i, rest) +
                   load_first(norm->shift + i, rest);
        store_first(x + i, y, rest);
        if (into == PRECISION_BF16)
            store_brain_first(brains + i, y, rest);
        if (into == PRECISION_INT8)
            range_add(&range, load_first(x + i, rest));
    }
    if (into == PRECISION_INT8)
        quantize_row(x, &range, to, row);
}

static const void *table_row(const struct tensor *table, size_t row)
{
    size_t size = table->type == NUMBER_F32 ? sizeof(float) : sizeof(uint16_t);
    return (const char *)table->data + row * table->columns * size;
}

INLINE void add_numbers(enum number_type type, const void *from, size_t width, float *y)
{
    size_t i = 0;
    for (; i + LANES <= width; i += LANES)
        store(y + i, load(y + i) + load_numbers(type, from, i, LANES));
    if (i < width)
        store_first(y + i, load_first(y + i, width - i) + load_numbers(type, from, i, width - i),
                    width - i);
}

void NAME(embed_norm)(const struct tensor tables[EMBEDDING_TABLES],
                      const size_t rows[EMBEDDING_TABLES], const struct norm *norm, float *y)
{
    memset(y, 0, norm->width * sizeof *y);
    for (size_t t = 0; t < EMBEDDING_TABLES; t++) {
        if (tables[t].data)
            add_numbers(tables[t].type, table_row(&tables[t], rows[t]), norm->width, y);
    }
    normalize_row(norm, row_mean(y, norm->width), y, PRECISION_F32, NULL, 0);
}

/* x[width] += a row of y; returns the mean. */
INLINE float add_row(const enum precision from, const struct product *y, size_t r, float *x)
{
    struct product_row row = product_row(y, r);
    size_t i = 0;
    for (; i + LANES <= y->width; i += LANES)
        store(x + i, load(x + i) + value(from, y, &row, i));
    if (i < y->width)
        store_first(x + i, load_first(x + i, y->width - i) + value_first(from, y, &row, i),
                    y->width - i);
    return row_mean(x, y->width);
}

INLINE void add_norm_rows(const struct norm *norm, const enum precision precision,
                          const struct product *y, size_t rows, float *x, const struct operand *to)
{
    for (size_t row = 0; row < rows; row++, x += norm->width) {
        float mean = add_row(precision, y, row, x);
        normalize_row(norm, mean, x, precision, to, row);
    }
}

void NAME(add_norm)(const struct norm *norm, const struct product *y, size_t rows, float *x,
                    const struct operand *to)
{
    if (y->precision == PRECISION_F32)
        add_norm_rows(norm, PRECISION_F32, y, rows, x, to);
    else if (y->precision == PRECISION_BF16)
        add_norm_rows(norm, PRECISION_BF16, y, rows, x, to);
    else
        add_norm_rows(norm, PRECISION_INT8, y, rows, x, to);
}
