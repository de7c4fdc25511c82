/* chunk([model,] text, max_tokens, overlap): a long text in pieces that a model reads whole. */
#include "host.h"

#include "funcapi.h"

#define CHUNK_COLUMNS 4
#define CHUNK_OTHERS  3 /* text, max_tokens, overlap */

struct chunked {
    struct character_count characters;
    sembed_chunk *chunks; /* the core's */
    size_t count;
    MemoryContextCallback release;
};

static void release_chunks(void *state)
{
    sembed_free(((struct chunked *)state)->chunks);
}

static size_t tokens_of(const char *name, const char *meaning, int32 value)
{
    if (value < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("%s: expected 0 (%s) or more, found %d", name, meaning, value)));
    return (size_t)value;
}

/* Run in the call's lasting memory context, which frees the chunks when it ends, however it does. */
static struct chunked *begin(FunctionCallInfo fcinfo)
{
    int first = FIRST_ARGUMENT(CHUNK_OTHERS);
    size_t max_tokens = tokens_of("max_tokens", "what the model reads", PG_GETARG_INT32(first + 1));
    size_t overlap = tokens_of("overlap", "none", PG_GETARG_INT32(first + 2));
    struct chunked *state = palloc0(sizeof(*state));
    const sembed_model *model;
    sembed_context *memory;
    struct call call;
    sembed_status status;

    state->release.func = release_chunks;
    state->release.arg = state;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, &state->release);
    model = models_acquire(arguments_model(fcinfo, CHUNK_OTHERS), TO_EMBED);
    state->characters.text = convert_text(PG_GETARG_TEXT_P_COPY(first));
    memory = models_context();

    call_begin(&call);
    do
        status = sembed_chunk_text(model, memory, state->characters.text, max_tokens, overlap,
                                   &call.poll, &state->chunks, &state->count, &call.error);
    while (call_again(&call, status));
    call_check(&call, status, NULL);
    return state;
}

PG_FUNCTION_INFO_V1(sembed_sql_chunk);

/* chunk([model,] text, max_tokens, overlap) → chunk_index, text, start, stop */
Datum sembed_sql_chunk(PG_FUNCTION_ARGS)
{
    FuncCallContext *call;
    struct chunked *state;
    const sembed_chunk *chunk;
    Datum values[CHUNK_COLUMNS];
    bool nulls[CHUNK_COLUMNS] = {0};

    if (SRF_IS_FIRSTCALL()) {
        MemoryContext caller;

        call = SRF_FIRSTCALL_INIT();
        caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
        if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) != TYPEFUNC_COMPOSITE)
            elog(ERROR, "chunk() is declared without columns");
        BlessTupleDesc(call->tuple_desc);
        call->user_fctx = begin(fcinfo);
        MemoryContextSwitchTo(caller);
    }
    call = SRF_PERCALL_SETUP();
    state = call->user_fctx;

    if (call->call_cntr >= state->count)
        SRF_RETURN_DONE(call);
    chunk = &state->chunks[call->call_cntr];
    values[0] = Int32GetDatum((int32)call->call_cntr);
    values[1] = PointerGetDatum(convert_part(state->characters.text, chunk->start, chunk->stop));
    values[2] = Int32GetDatum(characters_before(&state->characters, chunk->start));
    values[3] = Int32GetDatum(characters_before(&state->characters, chunk->stop));
    SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, values, nulls)));
}
