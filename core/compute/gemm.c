#include "core/compute/gemm_engine.h"

#include "core/base/memory.h"

#include <pthread.h>
#include <stdint.h>
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
    size_t outputs, inputs;
    void *packed;
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

sembed_status gemm_pack(const float *weight, const float *bias, size_t outputs, size_t inputs,
                        enum activation activation, struct gemm_weights **weights,
                        sembed_error *error)
{
    *weights = NULL;
    size_t engine = chosen_engine();
    if (engine == ENGINES)
        return error_unknown_engine(error);
    /* Both engines count in ints. */
    if (outputs == 0 || inputs == 0 || outputs > INT32_MAX || inputs > INT32_MAX)
        return error_set(error, SEMBED_LIMIT, "a matrix of %zu × %zu numbers cannot be multiplied",
                         outputs, inputs);
    struct gemm_weights *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "packed weights");
    made->engine = engine;
    made->outputs = outputs;
    made->inputs = inputs;
    struct gemm_shape shape = {outputs, inputs, activation};
    sembed_status status = engines[engine]->pack(&shape, weight, bias, &made->packed, error);
    if (status != SEMBED_OK) {
        memory_free(made);
        return status;
    }
    *weights = made;
    return SEMBED_OK;
}

void gemm_weights_destroy(struct gemm_weights *weights)
{
    if (!weights)
        return;
    engines[weights->engine]->packed_destroy(weights->packed);
    memory_free(weights);
}

size_t gemm_inputs(const struct gemm_weights *weights)
{
    return weights->inputs;
}

size_t gemm_outputs(const struct gemm_weights *weights)
{
    return weights->outputs;
}

/* All numbers from 2 to 32, then such that at most a sixteenth is added, or 15 rows where there are
 * many: some 100 different numbers for up to 512 rows. A row alone would go another way in oneDNN 3,
 * which splits long sums there. */
size_t gemm_padded_rows(size_t rows)
{
    size_t step = 1;
    while (step < 16 && step * 32 < rows)
        step *= 2;
    size_t rounded;
    if (rows == 1)
        return 2;
    return size_add(rows, step - 1, &rounded) ? rounded / step * step : SIZE_MAX;
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

sembed_status gemm_run(const struct gemm_weights *weights, struct gemm_session *session,
                       const float *x, const size_t *starts, size_t groups, float *y,
                       sembed_error *error)
{
    const struct gemm_engine *engine = engines[weights->engine];
    void **state = &session->states[weights->engine];
    sembed_status status = SEMBED_OK;
    if (starts[groups] > INT32_MAX / 2)
        return error_set(error, SEMBED_LIMIT, "%zu rows are too many for one matrix product",
                         starts[groups]);
    if (!*state && engine->session_create)
        status = engine->session_create(state, error);
    if (status == SEMBED_OK && groups > 0 && engine->treats_rows_alike(weights->packed))
        return engine->multiply(weights->packed, *state, x, starts[groups], y, error);
    for (size_t i = 0; i < groups && status == SEMBED_OK; i++)
        status =
            engine->multiply(weights->packed, *state, x + starts[i] * weights->inputs,
                             starts[i + 1] - starts[i], y + starts[i] * weights->outputs, error);
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
