/*
 * Vectors of floats as wide as the instruction set that a file is compiled for, by the vector
 * extensions of GCC and clang: arithmetic and comparison are the plain operators. What these lack
 * stands here: loads, sums over lanes, exp.
 */
#ifndef SEMBED_COMPUTE_SIMD_VECTOR_H
#define SEMBED_COMPUTE_SIMD_VECTOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define LANES ((size_t)(VECTOR_BYTES / sizeof(float)))

/* Inlined, so that sizes given as constants unroll loops and keep arrays of vectors in registers. */
#define INLINE static inline __attribute__((always_inline))

typedef float vfloat __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t vint __attribute__((vector_size(VECTOR_BYTES)));
typedef float vfloat_unaligned
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(float)), may_alias));

/* Half as many lanes in double, for sums that are to be exact. */
typedef float vhalf __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef float vhalf_unaligned
    __attribute__((vector_size(VECTOR_BYTES / 2), aligned(sizeof(float)), may_alias));
typedef double vdouble __attribute__((vector_size(VECTOR_BYTES)));
typedef double vdouble_unaligned
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(double)), may_alias));

#define DOUBLE_LANES (LANES / 2)

INLINE vfloat splat(float value)
{
    return value - (vfloat){0};
}

INLINE vfloat load(const float *from)
{
    return *(const vfloat_unaligned *)from;
}

INLINE void store(float *to, vfloat vector)
{
    *(vfloat_unaligned *)to = vector;
}

/* The first `count` lanes, fewer than LANES; the others are 0. */
INLINE vfloat load_first(const float *from, size_t count)
{
#if defined(__AVX512F__)
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
#else
    vfloat vector = {0};
    memcpy(&vector, from, count * sizeof(float));
    return vector;
#endif
}

INLINE void store_first(float *to, vfloat vector, size_t count)
{
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), vector);
#else
    memcpy(to, &vector, count * sizeof(float));
#endif
}

/* One instruction where there is one, of which GCC 12 would make seven. */
INLINE vdouble load_doubles(const float *from)
{
#if defined(__AVX512F__)
    return (vdouble)_mm512_cvtps_pd(_mm256_loadu_ps(from));
#elif defined(__AVX2__)
    return (vdouble)_mm256_cvtps_pd(_mm_loadu_ps(from));
#else
    return __builtin_convertvector(*(const vhalf_unaligned *)from, vdouble);
#endif
}

/* The larger one of each lane; b where one of them is not a number. */
INLINE vfloat larger(vfloat a, vfloat b)
{
#if defined(__AVX512F__)
    return _mm512_max_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_max_ps(a, b);
#elif defined(__x86_64__)
    return _mm_max_ps(a, b);
#elif defined(__aarch64__)
    return vmaxq_f32(a, b);
#else
    vint mask = a > b; /* not a number: b */
    return (vfloat)(((vint)a & mask) | ((vint)b & ~mask));
#endif
}

/* The smaller one of each lane; b where one of them is not a number. */
INLINE vfloat smaller(vfloat a, vfloat b)
{
#if defined(__AVX512F__)
    return _mm512_min_ps(a, b);
#elif defined(__AVX2__)
    return _mm256_min_ps(a, b);
#elif defined(__x86_64__)
    return _mm_min_ps(a, b);
#elif defined(__aarch64__)
    return vminq_f32(a, b);
#else
    vint mask = a < b;
    return (vfloat)(((vint)a & mask) | ((vint)b & ~mask));
#endif
}

INLINE vfloat magnitude(vfloat a)
{
    return (vfloat)((vint)a & 0x7fffffff);
}

INLINE float sum_lanes(vfloat vector)
{
#if defined(__AVX512F__)
    return _mm512_reduce_add_ps(vector);
#else
    float lane[LANES];
    memcpy(lane, &vector, sizeof lane);
    for (size_t width = LANES / 2; width > 0; width /= 2) {
        for (size_t i = 0; i < width; i++)
            lane[i] += lane[i + width];
    }
    return lane[0];
#endif
}

INLINE float largest_lane(vfloat vector)
{
#if defined(__AVX512F__)
    return _mm512_reduce_max_ps(vector);
#else
    float lane[LANES];
    memcpy(lane, &vector, sizeof lane);
    for (size_t i = 1; i < LANES; i++)
        lane[0] = lane[i] > lane[0] ? lane[i] : lane[0];
    return lane[0];
#endif
}

INLINE double sum_double_lanes(vdouble vector)
{
#if defined(__AVX512F__)
    return _mm512_reduce_add_pd(vector);
#else
    double lane[DOUBLE_LANES];
    memcpy(lane, &vector, sizeof lane);
    for (size_t width = DOUBLE_LANES / 2; width > 0; width /= 2) {
        for (size_t i = 0; i < width; i++)
            lane[i] += lane[i + width];
    }
    return lane[0];
#endif
}

/*
 * exp(x) = 2ⁿ·exp(r), n = round(x/ln 2), r = x − n·ln 2 in [−0.347, 0.347], for which a polynomial is
 * right to 3e-9 (least squares on Chebyshev points, weighted towards the smallest largest error).
 *
 * Adding 1.5·2²³ to a number rounds it and leaves it in the low bits as an integer, so that no
 * conversion is needed. ln 2 is taken in two parts, the first of which has so few bits that n times
 * it is exact.
 */
struct reduced_exp {
    vfloat power;     /* 2ⁿ */
    vfloat remainder; /* exp(r) − 1 */
};

INLINE struct reduced_exp reduce_exp(vfloat x)
{
    const float shift = 12582912.0f;
    vfloat shifted = x * 1.44269504f + shift;
    vfloat n = shifted - shift;
    vfloat r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    vfloat p = r * 0.0013814602f + 0.008368716f;
    p = p * r + 0.04166839f;
    p = p * r + 0.16666521f;
    p = p * r + 0.49999994f;
    vint exponent = (vint)shifted << 23;
    return (struct reduced_exp){(vfloat)(exponent + 0x3f800000), p * r * r + r};
}

/* exp(x) for x up to 88, within 1.5 units in the last place; below −87.3 it stays at 1.2e-38. */
INLINE vfloat exponential(vfloat x)
{
    struct reduced_exp e = reduce_exp(larger(splat(-87.3f), x));
    return e.power * e.remainder + e.power;
}

/*
 * 2ˣ for x from −126 to 126. The integer part needs no reduction here, and the polynomial for the
 * rest, in [−0.5, 0.5], is right to 2e-9: the cheapest exponential where x comes as a logarithm to
 * base 2.
 */
INLINE vfloat power_of_two(vfloat x)
{
    const float shift = 12582912.0f;
    vfloat shifted = x + shift;
    vfloat r = x - (shifted - shift);
    vfloat p = r * 0.00015353342f + 0.0013398901f;
    p = p * r + 0.009618438f;
    p = p * r + 0.055503324f;
    p = p * r + 0.24022648f;
    p = p * r + 0.6931472f;
    p = p * r + 1.0f;
    return (vfloat)((vint)p + ((vint)shifted << 23));
}

/* The lower halves of a and b in turn, a₀ b₀ a₁ b₁ …, and the upper halves. */
#if VECTOR_BYTES == 64
#define INTERLEAVE_LOW  0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define INTERLEAVE_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif VECTOR_BYTES == 32
#define INTERLEAVE_LOW  0, 8, 1, 9, 2, 10, 3, 11
#define INTERLEAVE_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define INTERLEAVE_LOW  0, 4, 1, 5
#define INTERLEAVE_HIGH 2, 6, 3, 7
#endif

/*
 * rows[LANES] becomes its transpose. Row i goes in turn with the row half the matrix further down;
 * after log₂ LANES rounds of that, each row holds one column:
 *
 *     a₀ a₁ a₂ a₃      a₀ c₀ a₁ c₁      a₀ b₀ c₀ d₀
 *     b₀ b₁ b₂ b₃      a₂ c₂ a₃ c₃      a₁ b₁ c₁ d₁
 *     c₀ c₁ c₂ c₃  →   b₀ d₀ b₁ d₁  →   a₂ b₂ c₂ d₂
 *     d₀ d₁ d₂ d₃      b₂ d₂ b₃ d₃      a₃ b₃ c₃ d₃
 */
INLINE void transpose(vfloat rows[LANES])
{
#pragma GCC unroll 4
    for (size_t round = 1; round < LANES; round *= 2) {
        vfloat mixed[LANES];
#pragma GCC unroll 8
        for (size_t i = 0; i < LANES / 2; i++) {
            mixed[2 * i] = __builtin_shufflevector(rows[i], rows[i + LANES / 2], INTERLEAVE_LOW);
            mixed[2 * i + 1] =
                __builtin_shufflevector(rows[i], rows[i + LANES / 2], INTERLEAVE_HIGH);
        }
#pragma GCC unroll 16
        for (size_t i = 0; i < LANES; i++)
            rows[i] = mixed[i];
    }
}

#endif
