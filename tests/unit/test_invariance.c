/* Same text, same bits: alone, all together, in any split, in any company. */
#include "core/compute/encoder.h"
#include "core/compute/gemm.h"
#include "tests/unit/random_encoder.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

/* The width of all-MiniLM-L6-v2, whose kernels those are that matter, and one that fits nothing. */
static const struct random_shape shapes[] = {
    {.name = "384",
     .config = {.hidden_size = 384,
                .embedding_size = 384,
                .layers = 2,
                .heads = 12,
                .intermediate_size = 1536,
                .max_tokens = 200,
                .norm_epsilon = 1e-12f,
                .activation = ACTIVATION_GELU},
     .vocabulary = 100,
     .types = 2},
    {.name = "102",
     .config = {.hidden_size = 102,
                .embedding_size = 33,
                .layers = 2,
                .heads = 3,
                .intermediate_size = 111,
                .max_tokens = 200,
                .position_offset = 2,
                .norm_epsilon = 1e-5f,
                .activation = ACTIVATION_SILU,
                .relative_buckets = 32,
                .relative_max_distance = 128},
     .vocabulary = 100,
     .number = NUMBER_F16},
};

static const size_t lengths[] = {7, 1, 4, 16, 2, 33, 12, 3, 200, 5, 24, 1, 65, 9, 48, 11};
#define TEXTS (sizeof lengths / sizeof lengths[0])

struct batch {
    const struct random_shape *shape;
    const struct random_texts *texts;
    const struct encoder *encoder;
    struct encoder_session *session;
    float *alone; /* [all tokens, hidden]: each text by itself */
};

/* Runs texts first … first + count − 1 together and compares each with itself alone. */
static void check_split(const struct batch *batch, size_t first, size_t count)
{
    size_t starts[TEXTS + 1], width = batch->shape->config.hidden_size;
    struct packed_texts some = some_texts(batch->texts, first, count, starts);
    const float *hidden;
    sembed_error error = {0};
    assert_ok(encoder_run(batch->encoder, batch->session, &some, 0, NULL, &hidden, &error), error);
    const float *alone = batch->alone + batch->texts->starts[first] * width;
    for (size_t i = 0; i < count; i++) {
        size_t numbers = (starts[i + 1] - starts[i]) * width, start = starts[i] * width;
        if (memcmp(hidden + start, alone + start, numbers * sizeof *hidden) != 0)
            fail_msg("%s, %s, %s: text %zu has other bits among texts %zu to %zu",
                     gemm_engine_name(), precision_name(batch->shape->config.precision),
                     batch->shape->name, first + i, first, first + count - 1);
    }
}

static void check_shape(const struct random_shape *shape)
{
    struct random_encoder random;
    struct random_texts texts;
    struct encoder *encoder;
    struct encoder_session *session;
    sembed_error error = {0};
    size_t starts[2], width = shape->config.hidden_size;
    random_encoder_create(shape, &random);
    random_texts_create(shape, lengths, TEXTS, &texts);
    assert_ok(encoder_create(&shape->config, &random.weights, NULL, &encoder, &error), error);
    assert_ok(encoder_session_create(&session, &error), error);
    float *alone = malloc(texts.starts[TEXTS] * width * sizeof *alone);
    assert_non_null(alone);
    for (size_t i = 0; i < TEXTS; i++) {
        struct packed_texts one = some_texts(&texts, i, 1, starts);
        const float *hidden;
        assert_ok(encoder_run(encoder, session, &one, 0, NULL, &hidden, &error), error);
        memcpy(alone + texts.starts[i] * width, hidden, lengths[i] * width * sizeof *alone);
    }
    const struct batch batch = {shape, &texts, encoder, session, alone};
    for (size_t count = 2; count <= TEXTS; count++) {
        for (size_t first = 0; first + count <= TEXTS; first += count)
            check_split(&batch, first, count);
        check_split(&batch, TEXTS - count, count);
    }
    free(alone);
    encoder_destroy(encoder);
    encoder_session_destroy(session);
    random_texts_destroy(&texts);
    random_encoder_destroy(&random);
}

static void bits_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    for (size_t e = 0; gemm_engine_choice(e); e++) {
        assert_int_equal(setenv("SEMBED_ENGINE", gemm_engine_choice(e), 1), 0);
        for (enum precision precision = PRECISION_F32; precision <= PRECISION_INT8; precision++) {
            sembed_error error = {0};
            if (gemm_check_precision(precision, &error) != SEMBED_OK) {
                print_message("not run: %s\n", error.message);
                continue;
            }
            for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
                struct random_shape shape = shapes[s];
                shape.config.precision = precision;
                check_shape(&shape);
            }
        }
    }
    unsetenv("SEMBED_ENGINE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_the_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
