/* How close two vectors are. Declared in core/sembed.h. */
#include "core/compute/kernels.h"
#include "core/sembed.h"

#include <math.h>

/* Two lengths and not the root of one product, which could overflow or vanish. */
static double cosine(double product, double first_length, double second_length)
{
    double lengths = first_length * second_length;
    if (lengths == 0)
        return 0;
    double cosine = product / lengths;
    /* Rounding must not take it out of its range. */
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

double sembed_cos_sim(const float *a, const float *b, size_t n)
{
    double products[3];
    kernels()->dot_three(a, b, n, products);
    return cosine(products[0], sqrt(products[1]), sqrt(products[2]));
}

double sembed_cos_sim_prepare(const float *query, size_t n, double *numbers)
{
    double products[3];
    kernels()->dot_three(query, query, n, products);
    for (size_t i = 0; i < n; i++)
        numbers[i] = query[i];
    return sqrt(products[1]);
}

double sembed_cos_sim_prepared(const double *numbers, double length, const float *b, size_t n)
{
    double products[2];
    kernels()->dot_two(numbers, b, n, products);
    return cosine(products[0], length, sqrt(products[1]));
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
