#include "core/compute/pooling.h"

#include "core/compute/kernels.h"

#include <math.h>
#include <string.h>

void pool(enum pooling_mode mode, const float *hidden, size_t tokens, size_t width, size_t skip,
          float *vector)
{
    const struct kernels *vectors = kernels();
    const float *first = hidden + skip * width;
    size_t count = tokens - skip;
    switch (mode) {
    case POOLING_CLS:
        memcpy(vector, first, width * sizeof *vector);
        break;
    case POOLING_LAST_TOKEN:
        memcpy(vector, hidden + (tokens - 1) * width, width * sizeof *vector);
        break;
    case POOLING_MAX:
        vectors->pool_max(first, count, width, vector);
        break;
    case POOLING_MEAN:
        vectors->pool_sum(first, count, width, 1, 0, (double)count, vector);
        break;
    case POOLING_MEAN_SQRT_LENGTH:
        vectors->pool_sum(first, count, width, 1, 0, sqrt((double)count), vector);
        break;
    case POOLING_WEIGHTED_MEAN: {
        /* Token t weighs t + 1, counted from the text's first token even where a prompt is left
         * out. */
        double last = (double)tokens, before = (double)skip;
        double weights = (last * (last + 1) - before * (before + 1)) / 2;
        vectors->pool_sum(first, count, width, before + 1, 1, weights, vector);
        break;
    }
    case POOLING_MODE_COUNT:
        break;
    }
}

void normalize_vector(float *vector, size_t n)
{
    double norm = sqrt(kernels()->dot(vector, vector, n));
    double divisor = norm > 1e-12 ? norm : 1e-12;
    for (size_t i = 0; i < n; i++)
        vector[i] = (float)(vector[i] / divisor);
}
