/* What can be done with vectors once there are some. */
#include "core/compute/pooling.h"
#include "core/model/model.h"

#include <math.h>
#include <string.h>

double sembed_similarity(const sembed_model *model, const float *a, const float *b, size_t n)
{
    const char *name = model->prompts.similarity;
    if (strcmp(name, "dot") == 0)
        return sembed_dot_score(a, b, n);
    if (strcmp(name, "euclidean") == 0)
        return sembed_euclidean_sim(a, b, n);
    if (strcmp(name, "manhattan") == 0)
        return sembed_manhattan_sim(a, b, n);
    return sembed_cos_sim(a, b, n);
}

void sembed_normalize_vector(float *vector, size_t n)
{
    normalize_vector(vector, n);
}

void sembed_quantize_int8(const float *vector, size_t n, int8_t *numbers)
{
    for (size_t i = 0; i < n; i++) {
        float scaled = nearbyintf(vector[i] * 127);
        numbers[i] = scaled > 127       ? 127
                     : scaled < -127    ? -127
                     : scaled == scaled ? (int8_t)scaled
                                        : 0;
    }
}

void sembed_quantize_binary(const float *vector, size_t n, sembed_bit_order order, uint8_t *bits)
{
    memset(bits, 0, n / 8 + (n % 8 != 0));
    for (size_t i = 0; i < n; i++) {
        size_t place = order == SEMBED_FIRST_BIT_LOW ? i % 8 : 7 - i % 8;
        if (vector[i] > 0)
            bits[i / 8] |= (uint8_t)(1u << place);
    }
}
