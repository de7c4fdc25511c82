#include "tests/unit/random_encoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEED 0x9e3779b97f4a7c15u
static uint64_t state = SEED;

void random_restart(void)
{
    state = SEED;
}

/* xorshift64* (Vigna 2016), whose upper half is taken. */
static uint32_t random_bits(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(state * 0x2545f4914f6cdd1du >> 32);
}

float random_number(void)
{
    return (float)(int32_t)random_bits() * 0x1p-31f;
}

uint32_t random_below(uint32_t limit)
{
    return (uint32_t)((uint64_t)random_bits() * limit >> 32);
}

void random_fill(float *numbers, size_t count, float range)
{
    for (size_t i = 0; i < count; i++)
        numbers[i] = random_number() * range;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        abort();
    return memory;
}

/* The bits of a random number of about that range, as binary16 or bfloat16. */
static uint16_t random_short(enum number_type type, float range)
{
    float number = random_number() * range;
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    if (type == NUMBER_BF16)
        return (uint16_t)(bits >> 16);
    int exponent = (int)(bits >> 23 & 255) - 127 + 15;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (exponent <= 0)
        return sign;
    return (uint16_t)(sign | exponent << 10 | (bits >> 13 & 1023));
}

#define MISALIGNMENT 4

struct tensor random_tensor(enum number_type type, size_t rows, size_t columns, float range)
{
    size_t size = type == NUMBER_F32 ? sizeof(float) : sizeof(uint16_t);
    size_t offset = type == NUMBER_F32 ? MISALIGNMENT : MISALIGNMENT / 2;
    char *data = (char *)allocate(rows * columns + MISALIGNMENT, size) + offset;
    for (size_t i = 0; i < rows * columns; i++) {
        float number = random_number() * range;
        uint16_t bits = random_short(type, range);
        memcpy(data + i * size, type == NUMBER_F32 ? (void *)&number : (void *)&bits, size);
    }
    return (struct tensor){data, type, rows, columns, NULL};
}

void tensor_free(struct tensor *tensor)
{
    if (tensor->data)
        free((char *)tensor->data - (tensor->type == NUMBER_F32 ? MISALIGNMENT : MISALIGNMENT / 2));
    tensor->data = NULL;
}

/* Outputs of about the size of inputs: attention is far from even and activations leave their
 * straight part, yet rounding is not blown up from layer to layer. */
static struct linear_weights random_linear(enum number_type type, size_t outputs, size_t inputs)
{
    float range = 2.5f / sqrtf((float)inputs);
    return (struct linear_weights){
        .weight = random_tensor(type, outputs, inputs, range),
        .bias = random_tensor(type, 1, outputs, 0.5f),
    };
}

static struct norm_weights random_norm(enum number_type type, size_t width)
{
    return (struct norm_weights){
        .scale = random_tensor(type, 1, width, 1.5f),
        .shift = random_tensor(type, 1, width, 0.5f),
    };
}

static void linear_free(struct linear_weights *weights)
{
    tensor_free(&weights->weight);
    tensor_free(&weights->bias);
}

static void norm_free(struct norm_weights *weights)
{
    tensor_free(&weights->scale);
    tensor_free(&weights->shift);
}

void random_encoder_create(const struct random_shape *shape, struct random_encoder *made)
{
    const struct encoder_config *config = &shape->config;
    enum number_type type = shape->number;
    size_t hidden = config->hidden_size, width = config->embedding_size;
    *made = (struct random_encoder){.shape = *shape};
    made->weights.words = random_tensor(type, shape->vocabulary, width, 1);
    made->weights.positions =
        random_tensor(type, config->max_tokens + config->position_offset, width, 1);
    if (shape->types)
        made->weights.token_types = random_tensor(type, shape->types, width, 1);
    made->weights.embedding_norm = random_norm(type, width);
    if (shape->projects || width != hidden)
        made->weights.embedding_projection = random_linear(type, hidden, width);
    if (config->relative_buckets)
        made->weights.relative_bias =
            random_tensor(type, config->relative_buckets, config->heads, 2);
    made->layers = allocate(config->layers, sizeof *made->layers);
    made->weights.layers = made->layers;
    for (size_t i = 0; i < config->layers; i++) {
        made->layers[i] = (struct layer_weights){
            .query = random_linear(type, hidden, hidden),
            .key = random_linear(type, hidden, hidden),
            .value = random_linear(type, hidden, hidden),
            .attention_output = random_linear(type, hidden, hidden),
            .attention_norm = random_norm(type, hidden),
            .intermediate = random_linear(type, config->intermediate_size, hidden),
            .output = random_linear(type, hidden, config->intermediate_size),
            .output_norm = random_norm(type, hidden),
        };
    }
}

void random_encoder_destroy(struct random_encoder *made)
{
    for (size_t i = 0; i < made->shape.config.layers; i++) {
        struct layer_weights *layer = &made->layers[i];
        linear_free(&layer->query);
        linear_free(&layer->key);
        linear_free(&layer->value);
        linear_free(&layer->attention_output);
        norm_free(&layer->attention_norm);
        linear_free(&layer->intermediate);
        linear_free(&layer->output);
        norm_free(&layer->output_norm);
    }
    free(made->layers);
    tensor_free(&made->weights.words);
    tensor_free(&made->weights.positions);
    tensor_free(&made->weights.token_types);
    norm_free(&made->weights.embedding_norm);
    linear_free(&made->weights.embedding_projection);
    tensor_free(&made->weights.relative_bias);
}

void random_texts_create(const struct random_shape *shape, const size_t *lengths, size_t count,
                         struct random_texts *made)
{
    made->starts = allocate(count + 1, sizeof *made->starts);
    for (size_t i = 0; i < count; i++)
        made->starts[i + 1] = made->starts[i] + lengths[i];
    size_t tokens = made->starts[count];
    made->ids = allocate(tokens, sizeof *made->ids);
    made->types = allocate(tokens, sizeof *made->types);
    for (size_t t = 0; t < tokens; t++) {
        made->ids[t] = random_below((uint32_t)shape->vocabulary);
        made->types[t] = shape->types ? (uint8_t)random_below((uint32_t)shape->types) : 0;
    }
    made->packed = (struct packed_texts){made->ids, made->types, made->starts, count};
}

void random_texts_destroy(struct random_texts *made)
{
    free(made->ids);
    free(made->types);
    free(made->starts);
}

struct packed_texts some_texts(const struct random_texts *texts, size_t first, size_t count,
                               size_t *starts)
{
    size_t start = texts->starts[first];
    for (size_t i = 0; i <= count; i++)
        starts[i] = texts->starts[first + i] - start;
    return (struct packed_texts){texts->ids + start, texts->types + start, starts, count};
}
