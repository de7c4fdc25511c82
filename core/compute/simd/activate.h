/* Activations of a vector: those of float32's accuracy, and a GELU for results that are rounded to
 * fewer bits afterwards. */
#ifndef SEMBED_COMPUTE_SIMD_ACTIVATE_H
#define SEMBED_COMPUTE_SIMD_ACTIVATE_H

#include "core/compute/simd/vector.h"
#include "core/compute/tensor.h"

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

/*
 * GELU for a result that becomes bfloat16 or int8: within 9e-5 of it, in half the time. Φ(x) is
 * 1/2 + x·P(x²) up to |x| = 4.25, P fitted so that x·Φ(x) errs least at its worst and Φ ends at 0 and 1
 * exactly; beyond, it stays there.
 */
INLINE vfloat gelu_short(vfloat x)
{
    static const float coefficients[] = {7.5642447e-08f,  -2.9368763e-06f, 6.549789e-05f,
                                         -0.00094020442f, 0.0092567392f,   -0.065451205f,
                                         0.39841837f};
    vfloat held = larger(splat(-4.25f), smaller(splat(4.25f), x));
    vfloat t = held * held;
    vfloat p = splat(-8.4512897e-10f);
    for (size_t i = 0; i < sizeof coefficients / sizeof coefficients[0]; i++)
        p = p * t + coefficients[i];
    return x * (held * p + 0.5f);
}

INLINE vfloat activate_short(const enum activation activation, vfloat x)
{
    return activation == ACTIVATION_GELU ? gelu_short(x) : activate(activation, x);
}

#endif
