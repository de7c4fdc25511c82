/* Reference answers: files of JSON lines, as tests/fixtures/README.md describes them. */
#ifndef SEMBED_TESTS_GOLDEN_H
#define SEMBED_TESTS_GOLDEN_H

#include <jansson.h>
#include <stdbool.h>

#include "core/sembed.h"

/* All lines of a file as one JSON array, which the caller gives back with json_decref. A file that
 * cannot be read fails the test. */
json_t *golden_read(const char *path);

/* A string of a line; it stays the line's. */
sembed_text golden_text(const json_t *line, const char *key);

/* What a line asks for beyond the model's own ways. The strings stay the line's. */
sembed_options golden_options(const json_t *line);

/* How far numbers lie from the recorded ones. */
struct deviation {
    double absolute; /* the largest difference of a component */
    double relative; /* the same by the largest recorded component */
    double cosine;
};

/* values[n] against the array of n numbers that is recorded. */
struct deviation golden_deviation(const float *values, const json_t *recorded);

/* The worse of both, field by field. */
struct deviation deviation_worse(struct deviation a, struct deviation b);

/* No deviation at all: where deviation_worse begins. */
#define DEVIATION_NONE ((struct deviation){0, 0, 1})

/* Fails the test unless tokens[count] have the line's ids (and types, where it holds them). where:
 * begins the message. */
void golden_check_tokens(const char *where, const json_t *line, const sembed_token *tokens,
                         size_t count);

/* Both engines by the name that SEMBED_ENGINE takes. */
extern const char *const golden_engines[2];

/* Models loaded from now on compute with this engine; false where the build is without it. */
bool golden_select_engine(const char *engine);

#endif
