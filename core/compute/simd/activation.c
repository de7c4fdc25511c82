/* Activations, with the bias of the matrix product before them. */
#include "core/compute/simd/simd.h"
#include "core/compute/simd/vector.h"

/*
 * The normal distribution's lower tail Φ(−t) for 0 ≤ t ≤ 13, as exp(−t²/2)·P(t): what is left of it
 * when the bell curve is divided out is smooth and falls slowly from 1/2. P was fitted on [0, 5.5] so
 * that t·Φ(−t) is right to 2e-8; beyond, the exponential makes it vanish faster than P grows.
 */
INLINE vfloat normal_tail(vfloat t)
{
    static const float coefficients[] = {
        5.5326677e-06f, -6.5704924e-05f, 0.0004704747f, -0.0023107724f, 0.008471904f, -0.024827363f,
        0.061440773f,   -0.13259555f,    0.24992587f,   -0.3989366f,    0.49999994f};
    vfloat p = splat(-2.0973519e-07f);
    for (size_t i = 0; i < sizeof coefficients / sizeof coefficients[0]; i++)
        p = p * t + coefficients[i];
    return p * power_of_two(t * t * -0.721347520f);
}

/* x·Φ(x), the erf form: x·(1 + erf(x/√2))/2, within 1e-7 of it or half a unit in the last place. */
INLINE vfloat gelu(vfloat x)
{
    vfloat t = smaller(splat(13.0f), magnitude(x));
    return larger(splat(0), x) - t * normal_tail(t);
}

INLINE vfloat sigmoid(vfloat x)
{
    return 1.0f / (1.0f + exponential(smaller(splat(87.3f), -x)));
}

/* x·(1 + tanh(u))/2 = x·sigmoid(2u), u = √(2/π)·(x + 0.044715·x³). */
INLINE vfloat gelu_tanh(vfloat x)
{
    x = larger(splat(-13.0f), x); /* beyond, the sigmoid's own limit would be multiplied by x */
    vfloat doubled = x * (x * x * 0.0713548162726f + 1.59576912161f);
    return x * sigmoid(doubled);
}

/* tanh(x) = m/(m + 2) with m = exp(2x) − 1, which loses nothing for small x. */
INLINE vfloat hyperbolic_tangent(vfloat x)
{
    vfloat held = larger(splat(-9.1f), smaller(splat(9.1f), x));
    struct reduced_exp e = reduce_exp(held + held);
    vfloat m = e.power * e.remainder + (e.power - 1.0f);
    return m / (m + 2.0f);
}

INLINE vfloat activate(const enum activation activation, vfloat x)
{
    switch (activation) {
    case ACTIVATION_NONE:
        break;
    case ACTIVATION_GELU:
        return gelu(x);
    case ACTIVATION_GELU_TANH:
        return gelu_tanh(x);
    case ACTIVATION_RELU:
        return larger(splat(0), x);
    case ACTIVATION_SILU:
        return larger(splat(-87.0f), x) * sigmoid(x);
    case ACTIVATION_TANH:
        return hyperbolic_tangent(x);
    case ACTIVATION_SIGMOID:
        return sigmoid(x);
    }
    return x;
}

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
