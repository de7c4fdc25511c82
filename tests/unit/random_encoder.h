/* Random numbers and encoders of any shape, the same in every run; shared by the tests of
 * core/compute. */
#ifndef SEMBED_TESTS_RANDOM_ENCODER_H
#define SEMBED_TESTS_RANDOM_ENCODER_H

#include "core/compute/encoder.h"

#include <stdbool.h>
#include <stdint.h>

/* The next number of a sequence that starts anew in every program: uniform in [−1, 1). */
float random_number(void);
void random_restart(void); /* the same numbers again */
uint32_t random_below(uint32_t limit);

/* numbers[count], uniform in [−range, range). */
void random_fill(float *numbers, size_t count, float range);

/* A tensor of random numbers whose data is the caller's to free with tensor_free. It starts at an
 * address that is a multiple of its number type's size and of nothing larger, as in safetensors. */
struct tensor random_tensor(enum number_type type, size_t rows, size_t columns, float range);
void tensor_free(struct tensor *tensor);

/* What an encoder is to look like. */
struct random_shape {
    const char *name; /* for messages */
    struct encoder_config config;
    size_t vocabulary, types; /* types 0: no token types */
    enum number_type number;
    bool projects; /* where embedding_size is hidden_size too */
};

struct random_encoder {
    struct random_shape shape;
    struct encoder_weights weights;
    struct layer_weights *layers;
};

void random_encoder_create(const struct random_shape *shape, struct random_encoder *made);
void random_encoder_destroy(struct random_encoder *made);

/* Texts of the given lengths with random ids and types. */
struct random_texts {
    uint32_t *ids;
    uint8_t *types;
    size_t *starts;
    struct packed_texts packed;
};

void random_texts_create(const struct random_shape *shape, const size_t *lengths, size_t count,
                         struct random_texts *made);
void random_texts_destroy(struct random_texts *made);

/* Texts first … first + count − 1 of them alone; starts[count + 1] is the caller's. */
struct packed_texts some_texts(const struct random_texts *texts, size_t first, size_t count,
                               size_t *starts);

#endif
