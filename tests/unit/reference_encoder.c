#include "tests/unit/reference_encoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------- stored numbers */

/* sign, five bits of exponent, ten of fraction (IEEE 754 binary16). */
static double half_number(uint16_t bits)
{
    double sign = bits & 0x8000 ? -1 : 1;
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31)
        return fraction ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, -24);
    return sign * ldexp(1024 + fraction, exponent - 25);
}

/* The upper 16 bits of a float. */
static double brain_number(uint16_t bits)
{
    uint32_t whole = (uint32_t)bits << 16;
    float number;
    memcpy(&number, &whole, sizeof number);
    return number;
}

double reference_number(const struct tensor *tensor, size_t i)
{
    if (tensor->type == NUMBER_F32) {
        float number;
        memcpy(&number, (const char *)tensor->data + i * sizeof number, sizeof number);
        return number;
    }
    uint16_t bits;
    memcpy(&bits, (const char *)tensor->data + i * sizeof bits, sizeof bits);
    return tensor->type == NUMBER_F16 ? half_number(bits) : brain_number(bits);
}

/* -------------------------------------------------------------------------------- the operations */

static double *matrix(size_t rows, size_t columns)
{
    double *numbers = calloc(rows * columns, sizeof *numbers);
    if (!numbers)
        abort();
    return numbers;
}

double reference_activation(enum activation activation, double x)
{
    switch (activation) {
    case ACTIVATION_NONE:
        return x;
    case ACTIVATION_GELU:
        return x * erfc(-x / sqrt(2)) / 2;
    case ACTIVATION_GELU_TANH:
        return x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))) / 2;
    case ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case ACTIVATION_TANH:
        return tanh(x);
    case ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    }
    abort();
}

void reference_linear(const struct linear_weights *weights, enum activation activation,
                      const double *x, size_t tokens, double *y)
{
    size_t outputs = weights->weight.rows, inputs = weights->weight.columns;
    for (size_t t = 0; t < tokens; t++) {
        for (size_t o = 0; o < outputs; o++) {
            double sum = weights->bias.data ? reference_number(&weights->bias, o) : 0;
            for (size_t i = 0; i < inputs; i++)
                sum += x[t * inputs + i] * reference_number(&weights->weight, o * inputs + i);
            y[t * outputs + o] = reference_activation(activation, sum);
        }
    }
}

/* x[tokens, width], each row brought to mean 0 and variance 1, then scaled and shifted. */
static void layer_norm(const struct norm_weights *weights, double epsilon, size_t tokens,
                       size_t width, double *x)
{
    for (size_t t = 0; t < tokens; t++, x += width) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < width; i++)
            mean += x[i] / (double)width;
        for (size_t i = 0; i < width; i++)
            variance += (x[i] - mean) * (x[i] - mean) / (double)width;
        for (size_t i = 0; i < width; i++)
            x[i] = (x[i] - mean) / sqrt(variance + epsilon) * reference_number(&weights->scale, i) +
                   reference_number(&weights->shift, i);
    }
}

/* Buckets of distances between a query and a key: half for keys behind the query, half for the
 * others; in each half, small distances have one each, large ones share by their logarithm. */
static size_t bucket_of(long query, long key, const struct encoder_config *config)
{
    long half = (long)config->relative_buckets / 2, exact = half / 2;
    long bucket = key > query ? half : 0, distance = labs(query - key);
    if (distance < exact)
        return (size_t)(bucket + distance);
    double share = log((double)distance / (double)exact) /
                   log((double)config->relative_max_distance / (double)exact);
    /* A hair more, for where the logarithm of a whole share falls just short of it. */
    long large = exact + (long)(share * (double)(half - exact) + 1e-6);
    return (size_t)(bucket + (large < half - 1 ? large : half - 1));
}

/* scores[tokens] → their softmax. */
static void softmax(double *scores, size_t tokens)
{
    double largest = scores[0], sum = 0;
    for (size_t j = 1; j < tokens; j++)
        largest = fmax(largest, scores[j]);
    for (size_t j = 0; j < tokens; j++)
        sum += scores[j] = exp(scores[j] - largest);
    for (size_t j = 0; j < tokens; j++)
        scores[j] /= sum;
}

void reference_attention(const struct encoder_config *config, const struct tensor *relative_bias,
                         const double *query, const double *key, const double *value, size_t tokens,
                         double *context)
{
    size_t hidden = config->hidden_size, size = hidden / config->heads;
    double *scores = matrix(1, tokens);
    for (size_t head = 0; head < config->heads; head++) {
        for (size_t i = 0; i < tokens; i++) {
            for (size_t j = 0; j < tokens; j++) {
                scores[j] = 0;
                for (size_t c = head * size; c < (head + 1) * size; c++)
                    scores[j] += query[i * hidden + c] * key[j * hidden + c] / sqrt((double)size);
                if (relative_bias->data)
                    scores[j] += reference_number(
                        relative_bias, bucket_of((long)i, (long)j, config) * config->heads + head);
            }
            softmax(scores, tokens);
            for (size_t c = head * size; c < (head + 1) * size; c++) {
                context[i * hidden + c] = 0;
                for (size_t j = 0; j < tokens; j++)
                    context[i * hidden + c] += scores[j] * value[j * hidden + c];
            }
        }
    }
    free(scores);
}

/* ----------------------------------------------------------------------------------- the encoder */

static void embed(const struct encoder_config *config, const struct encoder_weights *weights,
                  const uint32_t *ids, const uint8_t *types, size_t tokens, double *hidden)
{
    size_t width = config->embedding_size;
    double *x = matrix(tokens, width);
    size_t counted = 0;
    for (size_t t = 0; t < tokens; t++) {
        bool is_padding = config->position_offset && ids[t] == config->position_offset - 1;
        size_t position = is_padding ? ids[t] : config->position_offset + counted++;
        for (size_t i = 0; i < width; i++) {
            x[t * width + i] = reference_number(&weights->words, ids[t] * width + i) +
                               reference_number(&weights->positions, position * width + i);
            if (weights->token_types.data)
                x[t * width + i] += reference_number(&weights->token_types, types[t] * width + i);
        }
    }
    layer_norm(&weights->embedding_norm, config->norm_epsilon, tokens, width, x);
    if (weights->embedding_projection.weight.data)
        reference_linear(&weights->embedding_projection, ACTIVATION_NONE, x, tokens, hidden);
    else
        memcpy(hidden, x, tokens * width * sizeof *x);
    free(x);
}

/* x[tokens, hidden] += change[tokens, hidden], then normalised. */
static void add_and_norm(const struct encoder_config *config, const struct norm_weights *weights,
                         const double *change, size_t tokens, double *x)
{
    for (size_t i = 0; i < tokens * config->hidden_size; i++)
        x[i] += change[i];
    layer_norm(weights, config->norm_epsilon, tokens, config->hidden_size, x);
}

static void run_layer(const struct encoder_config *config, const struct encoder_weights *weights,
                      const struct layer_weights *layer, size_t tokens, double *x)
{
    size_t hidden = config->hidden_size;
    double *query = matrix(tokens, hidden), *key = matrix(tokens, hidden);
    double *value = matrix(tokens, hidden), *context = matrix(tokens, hidden);
    double *change = matrix(tokens, hidden);
    double *intermediate = matrix(tokens, config->intermediate_size);

    reference_linear(&layer->query, ACTIVATION_NONE, x, tokens, query);
    reference_linear(&layer->key, ACTIVATION_NONE, x, tokens, key);
    reference_linear(&layer->value, ACTIVATION_NONE, x, tokens, value);
    reference_attention(config, &weights->relative_bias, query, key, value, tokens, context);
    reference_linear(&layer->attention_output, ACTIVATION_NONE, context, tokens, change);
    add_and_norm(config, &layer->attention_norm, change, tokens, x);

    reference_linear(&layer->intermediate, config->activation, x, tokens, intermediate);
    reference_linear(&layer->output, ACTIVATION_NONE, intermediate, tokens, change);
    add_and_norm(config, &layer->output_norm, change, tokens, x);

    free(query);
    free(key);
    free(value);
    free(context);
    free(change);
    free(intermediate);
}

void reference_encode(const struct encoder_config *config, const struct encoder_weights *weights,
                      const uint32_t *ids, const uint8_t *types, size_t tokens, size_t layers,
                      double *hidden)
{
    embed(config, weights, ids, types, tokens, hidden);
    for (size_t i = 0; i < layers; i++)
        run_layer(config, weights, &weights->layers[i], tokens, hidden);
}
