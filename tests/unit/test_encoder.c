/* The encoder against the plain one, for every dress of the family; what it refuses; memory. */
#include "core/base/memory.h"
#include "core/compute/encoder.h"
#include "core/compute/gemm.h"
#include "tests/unit/questions.h"
#include "tests/unit/random_encoder.h"
#include "tests/unit/reference_encoder.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdlib.h>

#define BERT                                                                                       \
    .config = {.hidden_size = 48,                                                                  \
               .embedding_size = 48,                                                               \
               .layers = 2,                                                                        \
               .heads = 3,                                                                         \
               .intermediate_size = 80,                                                            \
               .max_tokens = 40,                                                                   \
               .norm_epsilon = 1e-12f,                                                             \
               .activation = ACTIVATION_GELU},                                                     \
    .vocabulary = 50, .types = 2

static const struct random_shape bert = {.name = "BERT", BERT};

static const struct random_shape shapes[] = {
    {.name = "BERT", BERT},
    {.name = "F16", BERT, .number = NUMBER_F16},
    {.name = "BF16", BERT, .number = NUMBER_BF16},
    {.name = "12 heads of 26",
     .config = {.hidden_size = 312,
                .embedding_size = 312,
                .layers = 2,
                .heads = 12,
                .intermediate_size = 600,
                .max_tokens = 24,
                .norm_epsilon = 1e-12f,
                .activation = ACTIVATION_GELU},
     .vocabulary = 30,
     .types = 2},
    {.name = "no types, positions from 2, tanh GELU",
     .config = {.hidden_size = 34,
                .embedding_size = 34,
                .layers = 3,
                .heads = 2,
                .intermediate_size = 51,
                .max_tokens = 30,
                .position_offset = 2,
                .norm_epsilon = 1e-5f,
                .activation = ACTIVATION_GELU_TANH},
     .vocabulary = 30},
    {.name = "relative positions, ReLU",
     .config = {.hidden_size = 40,
                .embedding_size = 40,
                .layers = 2,
                .heads = 4,
                .intermediate_size = 70,
                .max_tokens = 300,
                .position_offset = 2,
                .norm_epsilon = 1e-5f,
                .activation = ACTIVATION_RELU,
                .relative_buckets = 32,
                .relative_max_distance = 128},
     .vocabulary = 30},
    {.name = "projection, SiLU",
     .config = {.hidden_size = 36,
                .embedding_size = 17,
                .layers = 1,
                .heads = 1,
                .intermediate_size = 20,
                .max_tokens = 24,
                .norm_epsilon = 1e-12f,
                .activation = ACTIVATION_SILU},
     .vocabulary = 30,
     .types = 3},
    {.name = "projection of one width", BERT, .projects = true},
};

static const size_t lengths[] = {1, 4, 2, 24, 3, 17, 5};
#define TEXTS (sizeof lengths / sizeof lengths[0])

static void create(const struct random_encoder *random, struct encoder **encoder,
                   struct encoder_session **session)
{
    sembed_error error = {0};
    assert_ok(encoder_create(&random->shape.config, &random->weights, NULL, encoder, &error),
              error);
    assert_ok(encoder_session_create(session, &error), error);
}

/* Of the largest number of a text: what float32 sums over some hundred tokens leave, with every
 * instruction set and engine. */
#define TOLERANCE 3e-6

static void check_layers(const struct random_encoder *random, const struct random_texts *texts,
                         const float *hidden, size_t layers)
{
    const struct encoder_config *config = &random->shape.config;
    for (size_t text = 0; text < texts->packed.texts; text++) {
        size_t start = texts->starts[text], tokens = texts->starts[text + 1] - start;
        size_t numbers = tokens * config->hidden_size;
        double *expected = malloc(numbers * sizeof *expected);
        assert_non_null(expected);
        reference_encode(config, &random->weights, texts->ids + start, texts->types + start, tokens,
                         layers, expected);
        double largest = 0;
        for (size_t i = 0; i < numbers; i++)
            largest = fmax(largest, fabs(expected[i]));
        for (size_t i = 0; i < numbers; i++) {
            double found = hidden[start * config->hidden_size + i];
            if (!(fabs(found - expected[i]) < TOLERANCE * largest))
                fail_msg("%s, %zu layers, text %zu, number %zu: expected %.9g, found %.9g",
                         random->shape.name, layers, text, i, expected[i], found);
        }
        free(expected);
    }
}

static void check_shape_with_engine(const struct random_shape *shape, const size_t *text_lengths,
                                    size_t count)
{
    struct random_encoder random;
    struct random_texts texts;
    struct encoder *encoder;
    struct encoder_session *session;
    sembed_error error = {0};
    random_encoder_create(shape, &random);
    random_texts_create(shape, text_lengths, count, &texts);
    create(&random, &encoder, &session);
    for (size_t layers = 0; layers <= shape->config.layers; layers++) {
        const float *hidden;
        assert_ok(encoder_run(encoder, session, &texts.packed, layers, NULL, &hidden, &error),
                  error);
        check_layers(&random, &texts, hidden, layers ? layers : shape->config.layers);
    }
    encoder_destroy(encoder);
    encoder_session_destroy(session);
    random_texts_destroy(&texts);
    random_encoder_destroy(&random);
}

static void hidden_states_are_those_of_the_reference(void **state)
{
    (void)state;
    for (size_t e = 0; gemm_engine_choice(e); e++) {
        assert_int_equal(setenv("SEMBED_ENGINE", gemm_engine_choice(e), 1), 0);
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            check_shape_with_engine(&shapes[s], lengths, TEXTS);
    }
    unsetenv("SEMBED_ENGINE");
}

/* Long enough for every bucket of distances. */
static void long_relative_distances(void **state)
{
    (void)state;
    check_shape_with_engine(&shapes[5], (const size_t[]){300, 1}, 2);
}

/* ------------------------------------------------------------------------------------- precision */

/* The least cosine of a token's hidden state with the reference's. */
static double least_cosine(const struct random_encoder *random, const struct random_texts *texts,
                           const float *hidden)
{
    const struct encoder_config *config = &random->shape.config;
    double least = 1;
    for (size_t text = 0; text < texts->packed.texts; text++) {
        size_t start = texts->starts[text], tokens = texts->starts[text + 1] - start;
        double *expected = malloc(tokens * config->hidden_size * sizeof *expected);
        assert_non_null(expected);
        reference_encode(config, &random->weights, texts->ids + start, texts->types + start, tokens,
                         config->layers, expected);
        for (size_t t = 0; t < tokens; t++) {
            double ab = 0, aa = 0, bb = 0;
            for (size_t i = 0; i < config->hidden_size; i++) {
                double a = hidden[(start + t) * config->hidden_size + i];
                double b = expected[t * config->hidden_size + i];
                ab += a * b, aa += a * a, bb += b * b;
            }
            least = fmin(least, ab / sqrt(aa * bb));
        }
        free(expected);
    }
    return least;
}

/* In every dress of the family. The numbers differ from float32's: otherwise it was not this precision
 * that computed. */
static void check_precision(const struct random_shape *shape, enum precision precision,
                            double cosine)
{
    struct random_encoder random;
    struct random_texts texts;
    struct encoder *encoder;
    struct encoder_session *session;
    sembed_error error = {0};
    const float *hidden;
    struct random_shape other = *shape;
    other.config.precision = precision;
    random_encoder_create(&other, &random);
    random_texts_create(&other, lengths, TEXTS, &texts);
    create(&random, &encoder, &session);
    assert_ok(encoder_run(encoder, session, &texts.packed, 0, NULL, &hidden, &error), error);
    double least = least_cosine(&random, &texts, hidden);
    if (!(least >= cosine && least < 1 - 1e-7))
        fail_msg("%s, %s: expected a cosine of at least %g and below 1, found %.9g",
                 precision_name(precision), shape->name, cosine, least);
    encoder_destroy(encoder);
    encoder_session_destroy(session);
    random_texts_destroy(&texts);
    random_encoder_destroy(&random);
}

static void hidden_states_are_near_at_each_precision(void **state)
{
    static const double cosines[] = {[PRECISION_BF16] = 0.9998, [PRECISION_INT8] = 0.995};
    (void)state;
    for (enum precision precision = PRECISION_BF16; precision <= PRECISION_INT8; precision++) {
        sembed_error error = {0};
        if (gemm_check_precision(precision, &error) != SEMBED_OK) {
            print_message("skipped: %s\n", error.message);
            skip();
        }
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            check_precision(&shapes[s], precision, cosines[precision]);
    }
}

/* ------------------------------------------------------------------------------------ flat bytes */

static unsigned char *compile(const struct random_shape *shape,
                              const struct encoder_weights *weights, size_t *size)
{
    sembed_error error = {0};
    struct flat_writer writer = {0};
    assert_ok(encoder_compile(&shape->config, weights, NULL, &writer, &error), error);
    *size = writer.used;
    unsigned char *bytes = memory_aligned(writer.used);
    assert_non_null(bytes);
    writer = (struct flat_writer){.to = bytes};
    assert_ok(encoder_compile(&shape->config, weights, NULL, &writer, &error), error);
    assert_int_equal(writer.used, *size);
    return bytes;
}

/* The hidden states' bits by an encoder that was packed, and by one compiled to bytes and opened. */
static void check_flat_bytes(const struct random_shape *shape)
{
    struct random_encoder random;
    struct random_texts texts;
    struct encoder *encoder;
    struct encoder_session *session;
    sembed_error error = {0};
    const float *hidden;
    size_t size;
    random_encoder_create(shape, &random);
    random_texts_create(shape, lengths, TEXTS, &texts);
    create(&random, &encoder, &session);
    assert_ok(encoder_run(encoder, session, &texts.packed, 0, NULL, &hidden, &error), error);
    size_t numbers = texts.starts[TEXTS] * shape->config.hidden_size;
    float *expected = malloc(numbers * sizeof *expected);
    assert_non_null(expected);
    memcpy(expected, hidden, numbers * sizeof *expected);
    encoder_destroy(encoder);
    unsigned char *bytes = compile(shape, &random.weights, &size);

    struct flat_reader reader = {bytes, size, 0};
    assert_ok(encoder_open(&shape->config, &random.weights, &reader, &encoder, &error), error);
    assert_int_equal(reader.used, size);
    assert_ok(encoder_run(encoder, session, &texts.packed, 0, NULL, &hidden, &error), error);
    assert_memory_equal(hidden, expected, numbers * sizeof *expected);
    encoder_destroy(encoder);
    for (size_t cut = 0; cut < size; cut += size / 50 / 64 * 64 + 64) {
        reader = (struct flat_reader){bytes, cut, 0};
        assert_fails(encoder_open(&shape->config, &random.weights, &reader, &encoder, &error),
                     SEMBED_MALFORMED, error, "bytes, found");
        assert_null(encoder);
    }
    memory_free(bytes);
    free(expected);
    encoder_session_destroy(session);
    random_texts_destroy(&texts);
    random_encoder_destroy(&random);
}

static void flat_bytes_make_the_same_encoder(void **state)
{
    (void)state;
    for (size_t e = 0; gemm_engine_choice(e); e++) {
        assert_int_equal(setenv("SEMBED_ENGINE", gemm_engine_choice(e), 1), 0);
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
            for (enum precision precision = PRECISION_F32; precision <= PRECISION_INT8;
                 precision++) {
                sembed_error error = {0};
                struct random_shape shape = shapes[s];
                shape.config.precision = precision;
                if (gemm_check_precision(precision, &error) == SEMBED_OK)
                    check_flat_bytes(&shape);
            }
        }
    }
    unsetenv("SEMBED_ENGINE");
}

/* -------------------------------------------------------------------------------------- refusals */

/* One encoder and one batch of texts of BERT's shape. */
struct fixture {
    struct random_encoder random;
    struct random_texts texts;
    struct encoder *encoder;
    struct encoder_session *session;
};

static int fixture_create(void **state)
{
    static struct fixture fixture;
    random_encoder_create(&bert, &fixture.random);
    random_texts_create(&bert, lengths, TEXTS, &fixture.texts);
    create(&fixture.random, &fixture.encoder, &fixture.session);
    *state = &fixture;
    return 0;
}

static int fixture_destroy(void **state)
{
    struct fixture *fixture = *state;
    encoder_destroy(fixture->encoder);
    encoder_session_destroy(fixture->session);
    random_texts_destroy(&fixture->texts);
    random_encoder_destroy(&fixture->random);
    return 0;
}

static void refuses_texts(struct fixture *fixture, const char *sentence)
{
    sembed_error error = {0};
    const float *hidden;
    assert_fails(encoder_run(fixture->encoder, fixture->session, &fixture->texts.packed, 0, NULL,
                             &hidden, &error),
                 SEMBED_INVALID_ARGUMENT, error, sentence);
    assert_null(hidden);
}

static void ids_and_types_out_of_range(void **state)
{
    struct fixture *fixture = *state;
    uint32_t id = fixture->texts.ids[6];
    fixture->texts.ids[6] = 50;
    refuses_texts(fixture, "text 2: expected token ids below 50, found 50");
    fixture->texts.ids[6] = UINT32_MAX;
    refuses_texts(fixture, "found 4294967295");
    fixture->texts.ids[6] = id;

    uint8_t type = fixture->texts.types[0];
    fixture->texts.types[0] = 2;
    refuses_texts(fixture, "text 0: expected token types below 2, found 2");
    fixture->texts.types[0] = type;
}

static void lengths_out_of_range(void **state)
{
    struct fixture *fixture = *state;
    size_t kept = fixture->texts.starts[3];
    fixture->texts.starts[3] = fixture->texts.starts[2];
    refuses_texts(fixture, "text 2: expected 1 to 40 tokens");
    fixture->texts.starts[3] = fixture->texts.starts[2] - 1;
    refuses_texts(fixture, "text 2: expected 1 to 40 tokens");
    fixture->texts.starts[3] = kept;

    fixture->texts.starts[0] = 1;
    refuses_texts(fixture, "expected the first text at token 0, found it at 1");
    fixture->texts.starts[0] = 0;

    static const size_t too_long[] = {41};
    struct random_texts texts, others = fixture->texts;
    random_texts_create(&bert, too_long, 1, &texts);
    fixture->texts = texts;
    refuses_texts(fixture, "text 0: expected 1 to 40 tokens");
    fixture->texts = others;
    random_texts_destroy(&texts);
}

static void more_layers_than_there_are(void **state)
{
    struct fixture *fixture = *state;
    sembed_error error = {0};
    const float *hidden;
    assert_fails(encoder_run(fixture->encoder, fixture->session, &fixture->texts.packed, 3, NULL,
                             &hidden, &error),
                 SEMBED_INVALID_ARGUMENT, error, "expected at most 2 layers, found 3");
}

static void no_texts_at_all(void **state)
{
    struct fixture *fixture = *state;
    sembed_error error = {0};
    const float *hidden;
    static const size_t starts[] = {0};
    const struct packed_texts none = {NULL, NULL, starts, 0};
    assert_ok(encoder_run(fixture->encoder, fixture->session, &none, 0, NULL, &hidden, &error),
              error);
}

static void refuses_encoder(const struct encoder_config *config,
                            const struct encoder_weights *weights, const char *sentence)
{
    struct encoder *encoder;
    sembed_error error = {0};
    assert_fails(encoder_create(config, weights, NULL, &encoder, &error), SEMBED_MALFORMED, error,
                 sentence);
    assert_null(encoder);
}

static void shapes_that_do_not_fit(void **state)
{
    struct fixture *fixture = *state;
    const struct encoder_config *config = &bert.config;
    struct encoder_weights weights = fixture->random.weights;
    struct layer_weights layers[2] = {fixture->random.layers[0], fixture->random.layers[1]};
    weights.layers = layers;

    layers[1].key.weight.rows--;
    refuses_encoder(config, &weights, "query, key or value: expected [48, 48], found [47, 48]");
    layers[1].key.weight.rows++;
    layers[0].output.weight.columns = 79;
    refuses_encoder(config, &weights, "output: expected [48, 80], found [48, 79]");
    layers[0].output.weight.columns = 80;
    layers[0].intermediate.bias.columns = 79;
    refuses_encoder(config, &weights, "intermediate: expected [1, 80], found [1, 79]");
    layers[0].intermediate.bias.columns = 80;
    layers[1].output_norm.shift.data = NULL;
    refuses_encoder(config, &weights, "layer norm shift: expected [1, 48], found no tensor");
    layers[1] = fixture->random.layers[1];
    weights.words.columns = 47;
    refuses_encoder(config, &weights, "word embeddings: expected [50, 48], found [50, 47]");
    weights.words.columns = 48;
    weights.positions.rows = 39;
    refuses_encoder(config, &weights, "expected 40 rows for texts of 40 tokens, found 39");
}

static void configs_that_make_no_sense(void **state)
{
    struct fixture *fixture = *state;
    struct encoder_config config = bert.config;
    config.heads = 5;
    refuses_encoder(&config, &fixture->random.weights, "cannot be split into 5 attention heads");
    config.heads = 0;
    refuses_encoder(&config, &fixture->random.weights, "0 attention heads");
    config = bert.config;
    config.layers = 0;
    refuses_encoder(&config, &fixture->random.weights, "an encoder needs");
    config = bert.config;
    config.norm_epsilon = NAN;
    refuses_encoder(&config, &fixture->random.weights, "epsilon");
    config = bert.config;
    config.embedding_size = 40;
    refuses_encoder(&config, &fixture->random.weights, "word embeddings");
    config = bert.config;
    config.relative_buckets = 32;
    config.relative_max_distance = 128;
    refuses_encoder(&config, &fixture->random.weights,
                    "relative position bias: expected [32, 3], found no tensor");
}

/* ----------------------------------------------------------------------------------- cancellation */

static void a_poll_stops_the_run(void **state)
{
    struct fixture *fixture = *state;
    sembed_error error = {0};
    const float *hidden;
    for (size_t stop_at = 1; stop_at <= 2; stop_at++) {
        struct questions questions = {.stop_at = stop_at};
        const sembed_poll poll = questions_poll(&questions);
        assert_fails(encoder_run(fixture->encoder, fixture->session, &fixture->texts.packed, 0,
                                 &poll, &hidden, &error),
                     SEMBED_CANCELED, error, "");
        assert_null(hidden);
    }
    struct questions questions = {.stop_at = 1};
    const sembed_poll poll = questions_poll(&questions);
    struct encoder *encoder;
    assert_fails(encoder_create(&bert.config, &fixture->random.weights, &poll, &encoder, &error),
                 SEMBED_CANCELED, error, "");
    assert_null(encoder);
    assert_ok(encoder_run(fixture->encoder, fixture->session, &fixture->texts.packed, 0, NULL,
                          &hidden, &error),
              error);
}

/* ----------------------------------------------------------------------------------------- memory */

static void the_steady_state_allocates_nothing(void **state)
{
    struct fixture *fixture = *state;
    sembed_error error = {0};
    const float *hidden;
    size_t starts[TEXTS + 1];
    size_t before = 0;
    for (size_t round = 0; round < 2; round++) {
        before = memory_allocation_count();
        for (size_t count = 1; count <= TEXTS; count++) {
            struct packed_texts some = some_texts(&fixture->texts, 0, count, starts);
            assert_ok(
                encoder_run(fixture->encoder, fixture->session, &some, 0, NULL, &hidden, &error),
                error);
        }
    }
    assert_int_equal(memory_allocation_count(), before);
}

/* Everything from nothing, the nth allocation failing: SEMBED_OK once n is beyond the last. */
static sembed_status run_from_nothing(struct fixture *fixture, size_t nth)
{
    struct encoder *encoder = NULL;
    struct encoder_session *session = NULL;
    const float *hidden;
    sembed_error error = {0};
    memory_fail_from(nth);
    sembed_status status =
        encoder_create(&bert.config, &fixture->random.weights, NULL, &encoder, &error);
    if (status == SEMBED_OK)
        status = encoder_session_create(&session, &error);
    if (status == SEMBED_OK)
        status = encoder_run(encoder, session, &fixture->texts.packed, 0, NULL, &hidden, &error);
    memory_fail_from(0);
    if (status != SEMBED_OK) {
        assert_int_equal(status, SEMBED_NO_MEMORY);
        assert_int_equal(error.code, SEMBED_NO_MEMORY);
    }
    /* What failed while it ran runs when there is memory again. */
    if (status != SEMBED_OK && session)
        assert_ok(encoder_run(encoder, session, &fixture->texts.packed, 0, NULL, &hidden, &error),
                  error);
    if (encoder && session)
        check_layers(&fixture->random, &fixture->texts, hidden, bert.config.layers);
    encoder_destroy(encoder);
    encoder_session_destroy(session);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    for (size_t e = 0; gemm_engine_choice(e); e++) {
        assert_int_equal(setenv("SEMBED_ENGINE", gemm_engine_choice(e), 1), 0);
        size_t nth = 1;
        while (run_from_nothing(*state, nth) != SEMBED_OK)
            nth++;
        assert_true(nth > 50);
    }
    unsetenv("SEMBED_ENGINE");
}

static void trimming_keeps_a_session_usable(void **state)
{
    struct fixture *fixture = *state;
    sembed_error error = {0};
    const float *hidden;
    assert_ok(encoder_run(fixture->encoder, fixture->session, &fixture->texts.packed, 0, NULL,
                          &hidden, &error),
              error);
    encoder_session_trim(fixture->session);
    assert_ok(encoder_run(fixture->encoder, fixture->session, &fixture->texts.packed, 0, NULL,
                          &hidden, &error),
              error);
    check_layers(&fixture->random, &fixture->texts, hidden, bert.config.layers);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_create, fixture_destroy)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hidden_states_are_those_of_the_reference),
        cmocka_unit_test(long_relative_distances),
        cmocka_unit_test(hidden_states_are_near_at_each_precision),
        cmocka_unit_test(flat_bytes_make_the_same_encoder),
        WITH_FIXTURE(ids_and_types_out_of_range),
        WITH_FIXTURE(lengths_out_of_range),
        WITH_FIXTURE(more_layers_than_there_are),
        WITH_FIXTURE(no_texts_at_all),
        WITH_FIXTURE(shapes_that_do_not_fit),
        WITH_FIXTURE(configs_that_make_no_sense),
        WITH_FIXTURE(a_poll_stops_the_run),
        WITH_FIXTURE(the_steady_state_allocates_nothing),
        WITH_FIXTURE(every_allocation_may_fail),
        WITH_FIXTURE(trimming_keeps_a_session_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
