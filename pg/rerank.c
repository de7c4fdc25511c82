/*
 * rerank([model,] query, documents, top_k): documents by how well they answer a query, best first.
 * rerank_score([model,] query, document): one of them.
 *
 * Both take a cross-encoder, which reads query and document as one text, so nothing can be computed
 * before the query is known: it is for the few dozen documents that a search by vectors has found.
 */
#include "host.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/float.h"
#include "utils/memutils.h"

#define RERANK_COLUMNS 3
#define RERANK_OTHERS  3 /* query, documents, top_k */

/* So many documents are converted and scored at a time. */
#define SLICE_TEXTS 128

struct ranked {
    int place; /* in the array, from 0 */
    float score;
    Datum content;
};

struct ranking {
    struct ranked *documents; /* best first */
    int count;
};

/* That the model gives pairs one score. One that gives none is the core's to refuse. */
static void check_ranks(const sembed_model *model)
{
    sembed_model_info info;

    sembed_model_describe(model, &info);
    if (info.labels > 1)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("model '%s' gives a pair %zu scores: reranking takes a model that "
                               "gives one",
                               info.name, info.labels)));
}

/* documents[count] → scores[count] */
static void score(const sembed_model *model, sembed_text query, const sembed_text *documents,
                  size_t count, float *scores)
{
    sembed_context *memory = models_context();
    int flags = settings_refuse_truncation() ? SEMBED_SCORE_REFUSE_TRUNCATION : 0;
    struct call call;
    sembed_status status;

    check_ranks(model);
    call_begin(&call);
    do
        status = sembed_score(model, memory, query, documents, count, flags, &call.poll, scores,
                              &call.error);
    while (call_again(&call, status));
    call_check(&call, status, status == SEMBED_TRUNCATED ? HINT_TRUNCATED : NULL);

    ereport(DEBUG1,
            (errmsg_internal("pairs scored by model \"%s\": %zu", models_name(model), count)));
}

/* documents[count] gain their scores. */
static void score_slice(const sembed_model *model, sembed_text query, struct ranked *documents,
                        int count)
{
    sembed_text texts[SLICE_TEXTS] = {0};
    float scores[SLICE_TEXTS];

    for (int i = 0; i < count; i++)
        texts[i] = convert_text(DatumGetTextPP(documents[i].content));
    score(model, query, texts, count, scores);
    for (int i = 0; i < count; i++)
        documents[i].score = scores[i];
}

static void score_all(const sembed_model *model, const text *query, struct ranking *ranking)
{
    sembed_text converted = convert_text(query);
    MemoryContext slice = AllocSetContextCreate(CurrentMemoryContext, "sembed slice of documents",
                                                ALLOCSET_DEFAULT_SIZES);

    for (int at = 0; at < ranking->count; at += SLICE_TEXTS) {
        MemoryContext caller = MemoryContextSwitchTo(slice);

        CHECK_FOR_INTERRUPTS();
        score_slice(model, converted, ranking->documents + at,
                    Min(SLICE_TEXTS, ranking->count - at));
        MemoryContextSwitchTo(caller);
        MemoryContextReset(slice);
    }
    if (ranking->count == 0)
        score(model, converted, NULL, 0,
              NULL); /* a model that cannot rank is an error all the same */
    MemoryContextDelete(slice);
}

/* The array's documents that are not NULL, in its order. */
static void read_documents(ArrayType *array, struct ranking *ranking)
{
    Datum *elements;
    bool *nulls;
    int count;

    texts_elements(array, &elements, &nulls, &count);
    ranking->documents = palloc(mul_size(count, sizeof(*ranking->documents)));
    for (int i = 0; i < count; i++)
        if (!nulls[i])
            ranking->documents[ranking->count++] =
                (struct ranked){.place = i, .content = elements[i]};
}

/* Higher scores first, a NaN before all as in ORDER BY … DESC; then by place. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *first = a, *second = b;

    int order = float4_cmp_internal(second->score, first->score);

    return order ? order : first->place - second->place;
}

/* Run in the call's lasting memory context. */
static struct ranking *begin(const text *model_name, const text *query, ArrayType *documents,
                             int32 top_k)
{
    struct ranking *ranking = palloc0(sizeof(*ranking));
    const sembed_model *model;

    if (top_k < 0)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("top_k: expected 0 (all) or more, found %d", top_k)));
    model = models_acquire(model_name, TO_RANK);
    read_documents(documents, ranking);
    score_all(model, query, ranking);
    qsort(ranking->documents, ranking->count, sizeof(*ranking->documents), compare_ranked);
    if (top_k > 0 && top_k < ranking->count)
        ranking->count = top_k;
    return ranking;
}

PG_FUNCTION_INFO_V1(sembed_sql_rerank);
PG_FUNCTION_INFO_V1(sembed_sql_rerank_score);

/* rerank([model,] query, documents, top_k) → corpus_id, score, text */
Datum sembed_sql_rerank(PG_FUNCTION_ARGS)
{
    FuncCallContext *call;
    struct ranking *ranking;
    const struct ranked *document;
    Datum values[RERANK_COLUMNS];
    bool nulls[RERANK_COLUMNS] = {0};

    if (SRF_IS_FIRSTCALL()) {
        int first = FIRST_ARGUMENT(RERANK_OTHERS);
        MemoryContext caller;

        call = SRF_FIRSTCALL_INIT();
        caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
        if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) != TYPEFUNC_COMPOSITE)
            elog(ERROR, "rerank() is declared without columns");
        BlessTupleDesc(call->tuple_desc);
        call->user_fctx = begin(arguments_model(fcinfo, RERANK_OTHERS), PG_GETARG_TEXT_PP(first),
                                PG_GETARG_ARRAYTYPE_P(first + 1), PG_GETARG_INT32(first + 2));
        MemoryContextSwitchTo(caller);
    }
    call = SRF_PERCALL_SETUP();
    ranking = call->user_fctx;

    if (call->call_cntr >= ranking->count)
        SRF_RETURN_DONE(call);
    document = &ranking->documents[call->call_cntr];
    values[0] = Int32GetDatum(document->place);
    values[1] = Float4GetDatum(document->score);
    values[2] = document->content;
    SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, values, nulls)));
}

/* rerank_score([model,] query, document) → real */
Datum sembed_sql_rerank_score(PG_FUNCTION_ARGS)
{
    int first = FIRST_ARGUMENT(2);
    const sembed_model *model =
        call_site_model(call_site_of(fcinfo), arguments_model(fcinfo, 2), TO_RANK);
    sembed_text query = convert_text(PG_GETARG_TEXT_PP(first));
    sembed_text document = convert_text(PG_GETARG_TEXT_PP(first + 1));
    float one;

    score(model, query, &document, 1, &one);
    PG_RETURN_FLOAT4(one);
}
