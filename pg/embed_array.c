/*
 * embed([model,] text[], …): a row for each element, in order.
 *
 * The texts are embedded a slice at a time, when the first row of a slice is asked for. So memory is
 * bounded by the slice whatever the array's length, the statement can be canceled between slices
 * and, by the core's poll, within one, and SELECT embed(array) … LIMIT 10 stops early. That a
 * vector does not depend on what else is in its batch is what makes the slices invisible.
 */
#include "host.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

/* A slice ends at either, for each thread. The core computes some 500 tokens at a time, so a slice of
 * short texts is a few of its batches, and one of long texts not much more work than that. */
#define SLICE_TEXTS 128
#define SLICE_BYTES (64 * 1024)

struct embed_array {
    const sembed_model *model;
    sembed_options options;
    size_t dimensions;

    Datum *elements;
    bool *nulls;
    int count;
    int next; /* the element of the next row */

    int slice_texts; /* at most, of a slice; for so many are vectors and texts */
    size_t slice_bytes;
    int slice_stop;     /* elements before this one are computed */
    float *vectors;     /* [texts of the slice, dimensions], NULLs left out */
    size_t next_vector; /* the row of vectors for the next element that is not NULL */

    MemoryContext slice_memory; /* detoasted and converted texts */
};

/* Run in the call's lasting memory context. */
static struct embed_array *begin(const sembed_model *model, const struct embed_arguments *arguments,
                                 ArrayType *array)
{
    struct embed_array *state = palloc0(sizeof(*state));

    state->model = model;
    state->options = arguments_options(arguments);
    state->dimensions = models_dimensions(model, &state->options);
    texts_elements(array, &state->elements, &state->nulls, &state->count);
    state->slice_texts = Min(state->count, SLICE_TEXTS * (int)settings_threads());
    state->slice_bytes = SLICE_BYTES * settings_threads();
    state->vectors =
        palloc(mul_size(state->slice_texts, mul_size(state->dimensions, sizeof(float))));
    state->slice_memory = AllocSetContextCreate(CurrentMemoryContext, "sembed slice of texts",
                                                ALLOCSET_DEFAULT_SIZES);
    return state;
}

static void compute_slice(struct embed_array *state)
{
    MemoryContext caller = MemoryContextSwitchTo(state->slice_memory);
    sembed_text *texts = palloc(mul_size(state->slice_texts, sizeof(*texts)));
    int count = 0, at = state->next;
    size_t bytes = 0;

    for (; at < state->count && count < state->slice_texts && bytes < state->slice_bytes; at++) {
        if (state->nulls[at])
            continue;
        texts[count] = convert_text(DatumGetTextPP(state->elements[at]));
        bytes += texts[count].length;
        count++;
    }
    models_embed(state->model, &state->options, texts, count, state->vectors);
    state->slice_stop = at;
    state->next_vector = 0;

    MemoryContextSwitchTo(caller);
    MemoryContextReset(state->slice_memory);
}

static ArrayType *next_vector(struct embed_array *state)
{
    ArrayType *vector = vector_create(state->dimensions);

    memcpy(vector_elements(vector), state->vectors + state->next_vector * state->dimensions,
           state->dimensions * sizeof(float));
    state->next_vector++;
    return vector;
}

PG_FUNCTION_INFO_V1(sembed_sql_embed_array);

/* embed([model,] texts, dims, layers, prompt, prompt_name, normalize_embeddings) → SETOF real[] */
Datum sembed_sql_embed_array(PG_FUNCTION_ARGS)
{
    FuncCallContext *call;
    struct embed_array *state;
    ArrayType *vector;

    if (SRF_IS_FIRSTCALL()) {
        MemoryContext caller;
        int first = FIRST_ARGUMENT(1 + EMBED_OPTIONS);
        struct embed_arguments arguments;

        call = SRF_FIRSTCALL_INIT();
        caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
        arguments = arguments_embed(fcinfo, first + 1, NULL);
        call->user_fctx =
            begin(models_acquire(arguments_model(fcinfo, 1 + EMBED_OPTIONS), TO_EMBED), &arguments,
                  PG_GETARG_ARRAYTYPE_P(first));
        MemoryContextSwitchTo(caller);
    }
    call = SRF_PERCALL_SETUP();
    state = call->user_fctx;

    if (state->next == state->count)
        SRF_RETURN_DONE(call);
    if (state->nulls[state->next]) {
        state->next++;
        SRF_RETURN_NEXT_NULL(call);
    }
    if (state->next >= state->slice_stop) {
        CHECK_FOR_INTERRUPTS();
        compute_slice(state);
    }
    state->next++;
    vector = next_vector(state);
    SRF_RETURN_NEXT(call, PointerGetDatum(vector));
}
