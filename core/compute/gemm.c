#include "core/compute/gemm_engine.h"

#include "core/base/memory.h"
#include "core/compute/kernels.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In order of preference. */
static const struct gemm_engine *const engines[] = {
#ifdef SEMBED_WITH_ONEDNN
    &gemm_onednn,
#endif
    &gemm_openblas,
};

#define ENGINES (sizeof engines / sizeof engines[0])

struct gemm_weights {
    size_t engine; /* index in engines */
    struct gemm_shape shape;
    /* [terms, outputs]: bias, zeros where there is none; for int8 then scales and sums, as struct
     * product has them. */
    const float *terms;
    void *owned; /* terms; NULL: flat bytes of the caller's */
    void *packed;
};

/* What goes before packed weights in flat bytes. */
struct gemm_record {
    char engine[16];
    uint64_t outputs, inputs;
    uint32_t activation, precision;
};

struct gemm_session {
    void *states[ENGINES]; /* NULL until the engine is first used, or where it needs none */
};

/* The index of the engine that SEMBED_ENGINE asks for; ENGINES where it asks for none that is
 * there. */
static size_t chosen_engine(void)
{
    const char *choice = getenv("SEMBED_ENGINE");
    if (!choice || !*choice)
        return 0;
    size_t engine = 0;
    while (engine < ENGINES && strcmp(choice, engines[engine]->choice) != 0)
        engine++;
    return engine;
}

const char *gemm_engine_choice(size_t i)
{
    return i < ENGINES ? engines[i]->choice : NULL;
}

static sembed_status error_unknown_engine(sembed_error *error)
{
    char choices[64] = "";
    for (size_t i = 0; i < ENGINES; i++) {
        if (i)
            strcat(choices, " or ");
        strcat(choices, engines[i]->choice);
    }
    return error_set(error, SEMBED_INVALID_ARGUMENT,
                     "environment variable SEMBED_ENGINE: expected %s, found '%.40s'", choices,
                     getenv("SEMBED_ENGINE"));
}

enum { TERM_BIAS, TERM_SCALES, TERM_SUMS };

static size_t term_bytes(const struct gemm_shape *shape)
{
    size_t terms = shape->precision == PRECISION_INT8 ? TERM_SUMS + 1 : TERM_BIAS + 1;
    return terms * shape->outputs * sizeof(float);
}

sembed_status gemm_check_precision(enum precision precision, sembed_error *error)
{
    size_t engine = chosen_engine();
    if (engine == ENGINES)
        return error_unknown_engine(error);
    return engines[engine]->check_precision(precision, error);
}

/* Weights of that shape with nothing in them yet. */
static sembed_status weights_create(const struct gemm_shape *shape, struct gemm_weights **weights,
                                    sembed_error *error)
{
    size_t engine = chosen_engine();
    if (engine == ENGINES)
        return error_unknown_engine(error);
    /* Both engines count in ints. */
    if (shape->outputs == 0 || shape->inputs == 0 || shape->outputs > INT32_MAX ||
        shape->inputs > INT32_MAX)
        return error_set(error, SEMBED_LIMIT, "a matrix of %zu × %zu numbers cannot be multiplied",
                         shape->outputs, shape->inputs);
    sembed_status status = engines[engine]->check_precision(shape->precision, error);
    if (status != SEMBED_OK)
        return status;
    struct gemm_weights *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "packed weights");
    made->engine = engine;
    made->shape = *shape;
    *weights = made;
    return SEMBED_OK;
}

/* Packs weights that are quantised first; scales and sums get their terms. */
static sembed_status pack_int8(struct gemm_weights *weights, const float *weight, float *scales,
                               float *sums, sembed_error *error)
{
    const struct gemm_shape *shape = &weights->shape;
    size_t numbers;
    int8_t *quantized =
        size_multiply(shape->outputs, shape->inputs, &numbers) ? memory_aligned(numbers) : NULL;
    if (!quantized)
        return error_no_memory(error, "quantized weights");
    kernels()->quantize_weights(weight, shape->outputs, shape->inputs, quantized, scales, sums);
    sembed_status status =
        engines[weights->engine]->pack(shape, quantized, weights->terms, &weights->packed, error);
    memory_free(quantized);
    return status;
}

static sembed_status fill_weights(struct gemm_weights *weights, const float *weight,
                                  const float *bias, sembed_error *error)
{
    size_t outputs = weights->shape.outputs;
    float *terms = memory_aligned(term_bytes(&weights->shape));
    weights->terms = weights->owned = terms;
    if (!terms)
        return error_no_memory(error, "packed weights");
    if (bias)
        memcpy(terms, bias, outputs * sizeof *bias);
    else
        memset(terms, 0, outputs * sizeof *bias);
    if (weights->shape.precision == PRECISION_INT8)
        return pack_int8(weights, weight, terms + TERM_SCALES * outputs,
                         terms + TERM_SUMS * outputs, error);
    return engines[weights->engine]->pack(&weights->shape, weight, terms, &weights->packed, error);
}

sembed_status gemm_pack(const struct gemm_shape *shape, const float *weight, const float *bias,
                        struct gemm_weights **weights, sembed_error *error)
{
    struct gemm_weights *made;
    *weights = NULL;
    sembed_status status = weights_create(shape, &made, error);
    if (status != SEMBED_OK)
        return status;
    status = fill_weights(made, weight, bias, error);
    if (status != SEMBED_OK) {
        gemm_weights_destroy(made);
        return status;
    }
    *weights = made;
    return SEMBED_OK;
}

void gemm_weights_destroy(struct gemm_weights *weights)
{
    if (!weights)
        return;
    if (weights->packed)
        engines[weights->engine]->packed_destroy(weights->packed);
    memory_free(weights->owned);
    memory_free(weights);
}

/* --------------------------------------------------------------------------------- flat bytes */

static struct gemm_record make_record(size_t engine, const struct gemm_shape *shape)
{
    struct gemm_record record = {.outputs = shape->outputs,
                                 .inputs = shape->inputs,
                                 .activation = shape->activation,
                                 .precision = shape->precision};
    snprintf(record.engine, sizeof record.engine, "%s", engines[engine]->choice);
    return record;
}

void gemm_save(const struct gemm_weights *weights, struct flat_writer *writer)
{
    struct gemm_record record = make_record(weights->engine, &weights->shape);
    flat_write(writer, &record, sizeof record);
    flat_write(writer, weights->terms, term_bytes(&weights->shape));
    engines[weights->engine]->save(weights->packed, writer);
}

static sembed_status check_record(const struct gemm_record *found,
                                  const struct gemm_record *expected, sembed_error *error)
{
    if (memcmp(found->engine, expected->engine, sizeof found->engine) != 0)
        return error_set(error, SEMBED_UNSUPPORTED,
                         "packed weights: expected those of engine %s, found %.16s",
                         expected->engine, found->engine);
    if (memcmp(found, expected, sizeof *found) != 0)
        return error_set(error, SEMBED_MALFORMED,
                         "packed weights: expected [%zu, %zu], activation %u, precision %u, found "
                         "[%zu, %zu], %u, %u",
                         (size_t)expected->outputs, (size_t)expected->inputs,
                         (unsigned)expected->activation, (unsigned)expected->precision,
                         (size_t)found->outputs, (size_t)found->inputs, (unsigned)found->activation,
                         (unsigned)found->precision);
    return SEMBED_OK;
}

static sembed_status open_weights(struct gemm_weights *weights, struct flat_reader *reader,
                                  sembed_error *error)
{
    const struct gemm_record expected = make_record(weights->engine, &weights->shape);
    const void *found, *terms;
    sembed_status status = flat_read(reader, sizeof expected, "packed weights", &found, error);
    if (status == SEMBED_OK)
        status = check_record(found, &expected, error);
    if (status == SEMBED_OK)
        status = flat_read(reader, term_bytes(&weights->shape), "bias", &terms, error);
    if (status != SEMBED_OK)
        return status;
    weights->terms = terms;
    return engines[weights->engine]->open(&weights->shape, terms, reader, &weights->packed, error);
}

sembed_status gemm_open(const struct gemm_shape *shape, struct flat_reader *reader,
                        struct gemm_weights **weights, sembed_error *error)
{
    struct gemm_weights *made;
    *weights = NULL;
    sembed_status status = weights_create(shape, &made, error);
    if (status != SEMBED_OK)
        return status;
    status = open_weights(made, reader, error);
    if (status != SEMBED_OK) {
        gemm_weights_destroy(made);
        return status;
    }
    *weights = made;
    return SEMBED_OK;
}

#define LAYOUT_VERSION 1 /* of what gemm_save writes */

void gemm_fingerprint(enum precision precision, char text[GEMM_FINGERPRINT])
{
    size_t engine = chosen_engine();
    char packing[48] = "";
    if (engine < ENGINES)
        engines[engine]->describe_packing(packing, sizeof packing);
    snprintf(text, GEMM_FINGERPRINT, "%d, %s, %s%s", LAYOUT_VERSION, gemm_engine_name(), packing,
             precision_name(precision));
}

size_t gemm_inputs(const struct gemm_weights *weights)
{
    return weights->shape.inputs;
}

size_t gemm_outputs(const struct gemm_weights *weights)
{
    return weights->shape.outputs;
}

size_t gemm_padded_rows(const struct gemm_weights *weights, size_t rows)
{
    const struct gemm_engine *engine = engines[weights->engine];
    return engine->padded_rows ? engine->padded_rows(weights->packed, rows) : rows;
}

sembed_status gemm_session_create(struct gemm_session **session, sembed_error *error)
{
    *session = memory_calloc(1, sizeof **session);
    return *session ? SEMBED_OK : error_no_memory(error, "a matrix session");
}

void gemm_session_destroy(struct gemm_session *session)
{
    if (!session)
        return;
    for (size_t i = 0; i < ENGINES; i++) {
        if (session->states[i])
            engines[i]->session_destroy(session->states[i]);
    }
    memory_free(session);
}

void gemm_session_trim(struct gemm_session *session)
{
    for (size_t i = 0; i < ENGINES; i++) {
        if (session->states[i])
            engines[i]->session_trim(session->states[i]);
    }
}

bool gemm_treats_rows_alike(const struct gemm_weights *weights)
{
    return engines[weights->engine]->treats_rows_alike(weights->packed);
}

struct product gemm_product(const struct gemm_weights *weights, void *y,
                            const struct row_scale *scales)
{
    size_t outputs = weights->shape.outputs;
    struct product product = {weights->shape.precision, outputs, y, NULL, NULL, NULL, NULL};
    if (product.precision == PRECISION_INT8) {
        product.scales = scales;
        product.bias = weights->terms + TERM_BIAS * outputs;
        product.weight_scales = weights->terms + TERM_SCALES * outputs;
        product.weight_sums = weights->terms + TERM_SUMS * outputs;
    }
    return product;
}

sembed_status gemm_run(const struct gemm_weights *weights, struct gemm_session *session,
                       const void *x, const size_t *starts, size_t groups, void *y,
                       sembed_error *error)
{
    const struct gemm_engine *engine = engines[weights->engine];
    void **state = &session->states[weights->engine];
    size_t x_row = weights->shape.inputs * operand_number_size(weights->shape.precision);
    size_t y_number = weights->shape.rounds ? sizeof(uint16_t) : sizeof(float); /* or int32 */
    size_t y_row = weights->shape.outputs * y_number;
    sembed_status status = SEMBED_OK;
    size_t rows = starts[groups] - starts[0];
    if (rows > INT32_MAX / 32)
        return error_set(error, SEMBED_LIMIT, "%zu rows are too many for one matrix product", rows);
    if (!*state && engine->session_create)
        status = engine->session_create(state, error);
    size_t step = engine->takes_groups(weights->packed) ? groups : 1;
    for (size_t i = 0; i < groups && status == SEMBED_OK; i += step) {
        size_t before = starts[i] - starts[0];
        status = engine->multiply(weights->packed, *state, (const char *)x + before * x_row,
                                  starts + i, step, (char *)y + before * y_row, error);
    }
    return status;
}

/* One description per engine, written once: engines do not change while the process lives. */
static char descriptions[ENGINES][64];
static pthread_once_t described = PTHREAD_ONCE_INIT;

static void describe_engines(void)
{
    for (size_t i = 0; i < ENGINES; i++)
        engines[i]->describe(descriptions[i], sizeof descriptions[i]);
}

const char *gemm_engine_name(void)
{
    size_t engine = chosen_engine();
    pthread_once(&described, describe_engines);
    return engine < ENGINES ? descriptions[engine] : "unknown (see SEMBED_ENGINE)";
}
