/* Sums over many vectors (pooling) and over two (similarity), in double. */
#include "core/compute/simd/simd.h"
#include "core/compute/simd/vector.h"

#include <math.h>

/* The sum over tokens of `lanes` columns, at most DOUBLE_LANES of them. */
INLINE void pool_sum_columns(const float *hidden, size_t tokens, size_t width, double first_weight,
                             double weight_step, double divisor, float *vector)
{
    vdouble sum = {0};
    double weight = first_weight;
    for (size_t t = 0; t < tokens; t++, weight += weight_step)
        sum += load_doubles(hidden + t * width) * weight;
    sum /= divisor;
    *(vhalf_unaligned *)vector = __builtin_convertvector(sum, vhalf);
}

void NAME(pool_sum)(const float *hidden, size_t tokens, size_t width, double first_weight,
                    double weight_step, double divisor, float *vector)
{
    size_t i = 0;
    for (; i + DOUBLE_LANES <= width; i += DOUBLE_LANES)
        pool_sum_columns(hidden + i, tokens, width, first_weight, weight_step, divisor, vector + i);
    for (; i < width; i++) {
        double sum = 0, weight = first_weight;
        for (size_t t = 0; t < tokens; t++, weight += weight_step)
            sum += hidden[t * width + i] * weight;
        vector[i] = (float)(sum / divisor);
    }
}

void NAME(pool_max)(const float *hidden, size_t tokens, size_t width, float *vector)
{
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) {
        vfloat most = load(hidden + i);
        for (size_t t = 1; t < tokens; t++)
            most = larger(load(hidden + t * width + i), most);
        store(vector + i, most);
    }
    for (; i < width; i++) {
        float most = hidden[i];
        for (size_t t = 1; t < tokens; t++)
            most = hidden[t * width + i] > most ? hidden[t * width + i] : most;
        vector[i] = most;
    }
}

double NAME(dot)(const float *a, const float *b, size_t n)
{
    vdouble sums[2] = {{0}};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        sums[0] += load_doubles(a + i) * load_doubles(b + i);
        sums[1] += load_doubles(a + i + DOUBLE_LANES) * load_doubles(b + i + DOUBLE_LANES);
    }
    double sum = sum_double_lanes(sums[0] + sums[1]);
    for (; i < n; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* A sum is spread over four, so that an addition need not wait for the one before. dot_three and
 * dot_two add up the same numbers in the same order. */
enum { CHAINS = 4 };

struct three_sums {
    vdouble ab[CHAINS], aa[CHAINS], bb[CHAINS];
};

INLINE void add_three(struct three_sums *sums, size_t chain, const float *a, const float *b)
{
    vdouble x = load_doubles(a), y = load_doubles(b);
    sums->ab[chain] += x * y;
    sums->aa[chain] += x * x;
    sums->bb[chain] += y * y;
}

INLINE void add_two(struct three_sums *sums, size_t chain, const double *a, const float *b)
{
    vdouble y = load_doubles(b);
    sums->ab[chain] += *(const vdouble_unaligned *)a * y;
    sums->bb[chain] += y * y;
}

INLINE double sum_chains(const vdouble sums[CHAINS])
{
    return sum_double_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

void NAME(dot_three)(const float *a, const float *b, size_t n, double products[3])
{
    struct three_sums sums = {{{0}}, {{0}}, {{0}}};
    size_t i = 0;
    for (; i + CHAINS * DOUBLE_LANES <= n; i += CHAINS * DOUBLE_LANES) {
        for (size_t chain = 0; chain < CHAINS; chain++)
            add_three(&sums, chain, a + i + chain * DOUBLE_LANES, b + i + chain * DOUBLE_LANES);
    }
    for (; i + DOUBLE_LANES <= n; i += DOUBLE_LANES)
        add_three(&sums, 0, a + i, b + i);
    products[0] = sum_chains(sums.ab);
    products[1] = sum_chains(sums.aa);
    products[2] = sum_chains(sums.bb);
    for (; i < n; i++) {
        products[0] += (double)a[i] * b[i];
        products[1] += (double)a[i] * a[i];
        products[2] += (double)b[i] * b[i];
    }
}

void NAME(dot_two)(const double *a, const float *b, size_t n, double products[2])
{
    struct three_sums sums = {{{0}}, {{0}}, {{0}}};
    size_t i = 0;
    for (; i + CHAINS * DOUBLE_LANES <= n; i += CHAINS * DOUBLE_LANES) {
        for (size_t chain = 0; chain < CHAINS; chain++)
            add_two(&sums, chain, a + i + chain * DOUBLE_LANES, b + i + chain * DOUBLE_LANES);
    }
    for (; i + DOUBLE_LANES <= n; i += DOUBLE_LANES)
        add_two(&sums, 0, a + i, b + i);
    products[0] = sum_chains(sums.ab);
    products[1] = sum_chains(sums.bb);
    for (; i < n; i++) {
        products[0] += a[i] * b[i];
        products[1] += (double)b[i] * b[i];
    }
}

double NAME(squared_distance)(const float *a, const float *b, size_t n)
{
    vdouble sums[2] = {{0}};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vdouble x = load_doubles(a + i) - load_doubles(b + i);
        vdouble y = load_doubles(a + i + DOUBLE_LANES) - load_doubles(b + i + DOUBLE_LANES);
        sums[0] += x * x;
        sums[1] += y * y;
    }
    double sum = sum_double_lanes(sums[0] + sums[1]);
    for (; i < n; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum;
}

typedef int64_t vlong __attribute__((vector_size(VECTOR_BYTES)));

INLINE vdouble double_magnitude(vdouble x)
{
    return (vdouble)((vlong)x & INT64_MAX);
}

double NAME(absolute_distance)(const float *a, const float *b, size_t n)
{
    vdouble sums[2] = {{0}};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        sums[0] += double_magnitude(load_doubles(a + i) - load_doubles(b + i));
        sums[1] += double_magnitude(load_doubles(a + i + DOUBLE_LANES) -
                                    load_doubles(b + i + DOUBLE_LANES));
    }
    double sum = sum_double_lanes(sums[0] + sums[1]);
    for (; i < n; i++)
        sum += fabs((double)a[i] - b[i]);
    return sum;
}
