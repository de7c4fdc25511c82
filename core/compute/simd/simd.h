/* The names of one instruction set's copy: NAME(attention) is attention_avx2 and so on. */
#ifndef SEMBED_COMPUTE_SIMD_SIMD_H
#define SEMBED_COMPUTE_SIMD_SIMD_H

#include "core/compute/kernels.h"

#define NAME_JOIN2(name, set) name##_##set
#define NAME_JOIN(name, set)  NAME_JOIN2(name, set)
#define NAME(name)            NAME_JOIN(name, SIMD_SET)

void NAME(widen)(enum number_type type, const void *from, size_t count, float *to);
void NAME(embed_norm)(const struct tensor tables[EMBEDDING_TABLES],
                      const size_t rows[EMBEDDING_TABLES], const struct norm *norm, float *y);
void NAME(add_norm)(const struct norm *norm, const struct product *y, size_t rows, float *x,
                    const struct operand *to);
void NAME(finish)(enum activation activation, const struct product *y, size_t rows,
                  const struct operand *to);
void NAME(narrow)(const float *x, size_t rows, const struct operand *to);
void NAME(quantize_weights)(const float *weight, size_t outputs, size_t inputs, int8_t *numbers,
                            float *scales, float *sums);
void NAME(bias_activate)(enum activation activation, const float *bias, size_t rows, size_t width,
                         float *y);
void NAME(attention)(const struct attention_input *input, float *context, float *scratch);
size_t NAME(attention_scratch)(size_t tokens, size_t head_size);
#if defined(__AMX_BF16__)
void NAME(attention_tiles)(const struct attention_input *input, const struct operand *context,
                           float *scratch);
size_t NAME(attention_tiles_scratch)(size_t tokens, size_t head_size);
#endif
void NAME(pool_sum)(const float *hidden, size_t tokens, size_t width, double first_weight,
                    double weight_step, double divisor, float *vector);
void NAME(pool_max)(const float *hidden, size_t tokens, size_t width, float *vector);
double NAME(dot)(const float *a, const float *b, size_t n);
void NAME(dot_three)(const float *a, const float *b, size_t n, double products[3]);
void NAME(dot_two)(const double *a, const float *b, size_t n, double products[2]);
double NAME(squared_distance)(const float *a, const float *b, size_t n);
double NAME(absolute_distance)(const float *a, const float *b, size_t n);

#endif
