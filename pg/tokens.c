/* token_count, tokenize: a text as a model reads it, not cut. */
#include "host.h"

#include "funcapi.h"
#include "utils/builtins.h"

#define TOKENIZE_COLUMNS 5

/* The text's tokens, in the core's memory: the caller frees them with sembed_free. */
static sembed_token *read_tokens(const sembed_model *model, sembed_text content, size_t *count)
{
    sembed_context *memory = models_context();
    sembed_token *tokens = NULL;
    struct call call;
    sembed_status status;

    call_begin(&call);
    do
        status = sembed_tokenize(model, memory, content, SIZE_MAX, &call.poll, &tokens, count,
                                 &call.error);
    while (call_again(&call, status));
    call_check(&call, status, NULL);
    return tokens;
}

struct tokenized {
    const sembed_model *model;
    struct character_count characters;
    sembed_token *tokens; /* the core's */
    size_t count;
    MemoryContextCallback release;
};

static void release_tokens(void *state)
{
    sembed_free(((struct tokenized *)state)->tokens);
}

/* Run in the call's lasting memory context, which frees the tokens when it ends, however it does. */
static struct tokenized *begin(FunctionCallInfo fcinfo)
{
    struct tokenized *state = palloc0(sizeof(*state));

    state->release.func = release_tokens;
    state->release.arg = state;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, &state->release);
    state->model = models_acquire(arguments_model(fcinfo, 1), TO_EMBED);
    state->characters.text = convert_text(PG_GETARG_TEXT_P_COPY(FIRST_ARGUMENT(1)));
    state->tokens = read_tokens(state->model, state->characters.text, &state->count);
    return state;
}

/* Where a token covers a part of a character's bytes alone, its place is that whole character. */
static HeapTuple token_row(TupleDesc columns, struct tokenized *state, size_t position)
{
    const sembed_token *token = &state->tokens[position];
    Datum values[TOKENIZE_COLUMNS] = {0};
    bool nulls[TOKENIZE_COLUMNS] = {0};
    size_t length = 0;
    const char *spelling = sembed_token_text(state->model, token->id, &length);

    values[0] = Int32GetDatum((int32)position);
    values[1] = Int32GetDatum((int32)token->id);
    if (spelling)
        values[2] = PointerGetDatum(convert_token(spelling, length));
    else
        nulls[2] = true;
    if (token->stop > 0) {
        bool covers = token->start < token->stop;

        values[3] =
            Int32GetDatum(characters_before(&state->characters, token->start + covers) - covers);
        values[4] = Int32GetDatum(characters_before(&state->characters, token->stop));
    } else {
        nulls[3] = nulls[4] = true; /* a special token */
    }
    return heap_form_tuple(columns, values, nulls);
}

PG_FUNCTION_INFO_V1(sembed_sql_token_count);
PG_FUNCTION_INFO_V1(sembed_sql_tokenize);

/* token_count([model,] text) → integer */
Datum sembed_sql_token_count(PG_FUNCTION_ARGS)
{
    const sembed_model *model =
        call_site_model(call_site_of(fcinfo), arguments_model(fcinfo, 1), TO_EMBED);
    sembed_text content = convert_text(PG_GETARG_TEXT_PP(FIRST_ARGUMENT(1)));
    size_t count = 0;

    sembed_free(read_tokens(model, content, &count));
    PG_RETURN_INT32((int32)count);
}

/* tokenize([model,] text) → position, id, token, start, stop */
Datum sembed_sql_tokenize(PG_FUNCTION_ARGS)
{
    FuncCallContext *call;
    struct tokenized *state;
    HeapTuple row;

    if (SRF_IS_FIRSTCALL()) {
        MemoryContext caller;

        call = SRF_FIRSTCALL_INIT();
        caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
        if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) != TYPEFUNC_COMPOSITE)
            elog(ERROR, "tokenize() is declared without columns");
        BlessTupleDesc(call->tuple_desc);
        call->user_fctx = begin(fcinfo);
        MemoryContextSwitchTo(caller);
    }
    call = SRF_PERCALL_SETUP();
    state = call->user_fctx;

    if (call->call_cntr >= state->count)
        SRF_RETURN_DONE(call);
    row = token_row(call->tuple_desc, state, call->call_cntr);
    SRF_RETURN_NEXT(call, HeapTupleGetDatum(row));
}
