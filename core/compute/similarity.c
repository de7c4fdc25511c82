/* How close two vectors are. Declared in core/sembed.h. */
#include "core/compute/kernels.h"
#include "core/sembed.h"

#include <math.h>

double sembed_cos_sim(const float *a, const float *b, size_t n)
{
    double products[3];
    kernels()->dot_three(a, b, n, products);
    /* Two roots, for the product of the squares could overflow or vanish. */
    double lengths = sqrt(products[1]) * sqrt(products[2]);
    if (lengths == 0)
        return 0;
    double cosine = products[0] / lengths;
    /* Rounding must not take it out of its range. */
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

double sembed_dot_score(const float *a, const float *b, size_t n)
{
    return kernels()->dot(a, b, n);
}

/* 0 − x, so that equal vectors give 0 and not −0. */
double sembed_euclidean_sim(const float *a, const float *b, size_t n)
{
    return 0 - sqrt(kernels()->squared_distance(a, b, n));
}

double sembed_manhattan_sim(const float *a, const float *b, size_t n)
{
    return 0 - kernels()->absolute_distance(a, b, n);
}
