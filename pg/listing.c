/* sembed_models, sembed_version: what is there. */
#include "host.h"

#include "funcapi.h"
#include "storage/shmem.h"
#include "utils/builtins.h"

#define LISTING_COLUMNS 14

struct listed_model {
    char *name, *folder;
    const char *precision;
    bool loaded;            /* in this backend */
    sembed_model_info info; /* of one that is loaded */
};

/* A model may be given up between two rows: another call of the statement may be its transaction's first
 * to look after the models. */
static sembed_model_info copy_info(const sembed_model *model)
{
    sembed_model_info info;

    sembed_model_describe(model, &info);
    info.architecture = pstrdup(info.architecture);
    info.similarity = pstrdup(info.similarity);
    info.name = info.folder = NULL; /* the listing's are those that count */
    return info;
}

/* The core's listing in palloc'd memory, so that an error between two rows loses nothing. */
static struct listed_model *copy_listing(const sembed_listing *listing)
{
    struct listed_model *copy = palloc(mul_size(listing->count, sizeof(*copy)));

    for (size_t i = 0; i < listing->count; i++) {
        const sembed_listing_entry *entry = &listing->entries[i];

        copy[i] = (struct listed_model){.name = convert_message(entry->name),
                                        .folder = convert_message(entry->folder),
                                        .precision = entry->precision,
                                        .loaded = entry->model != NULL};
        if (entry->model)
            copy[i].info = copy_info(entry->model);
    }
    return copy;
}

static struct listed_model *list_models(uint64 *count)
{
    sembed_registry *registry = models_registry();
    sembed_listing listing = {0};
    struct listed_model *volatile models = NULL;
    struct call call;

    call_begin(&call);
    call_check(&call, sembed_registry_list(registry, &listing, &call.error), NULL);
    *count = listing.count;
    PG_TRY();
    {
        models = copy_listing(&listing);
    }
    PG_FINALLY();
    {
        sembed_listing_free(&listing);
    }
    PG_END_TRY();
    return models;
}

static HeapTuple listing_row(TupleDesc columns, const struct listed_model *listed)
{
    Datum values[LISTING_COLUMNS] = {0};
    bool nulls[LISTING_COLUMNS] = {0};
    const sembed_model_info *info = &listed->info;

    values[0] = CStringGetTextDatum(listed->name);
    values[1] = CStringGetTextDatum(listed->folder);
    values[2] = BoolGetDatum(listed->loaded);
    values[3] = CStringGetTextDatum(listed->precision);
    if (listed->loaded) {
        values[4] = CStringGetTextDatum(info->architecture);
        values[5] = Int64GetDatum((int64)info->dimensions);
        values[6] = Int64GetDatum((int64)info->max_tokens);
        values[7] = Int64GetDatum((int64)info->layers);
        values[8] = Int64GetDatum((int64)info->parameters);
        values[9] = CStringGetTextDatum(info->similarity);
        values[10] = Int64GetDatum((int64)info->labels);
        values[11] = Int64GetDatum((int64)info->private_bytes);
        values[12] = Int64GetDatum((int64)info->shared_bytes);
        values[13] = Float8GetDatum(info->load_milliseconds);
    } else {
        memset(nulls + 4, true, LISTING_COLUMNS - 4);
    }
    return heap_form_tuple(columns, values, nulls);
}

PG_FUNCTION_INFO_V1(sembed_sql_models);
PG_FUNCTION_INFO_V1(sembed_sql_version);

/* sembed_models() → TABLE, by name */
Datum sembed_sql_models(PG_FUNCTION_ARGS)
{
    FuncCallContext *call;
    struct listed_model *models;
    HeapTuple row;

    if (SRF_IS_FIRSTCALL()) {
        MemoryContext caller;

        call = SRF_FIRSTCALL_INIT();
        caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
        if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) != TYPEFUNC_COMPOSITE ||
            call->tuple_desc->natts != LISTING_COLUMNS)
            elog(ERROR, "sembed_models() is declared with columns other than this library's");
        BlessTupleDesc(call->tuple_desc);
        call->user_fctx = list_models(&call->max_calls);
        MemoryContextSwitchTo(caller);
    }
    call = SRF_PERCALL_SETUP();
    models = call->user_fctx;

    if (call->call_cntr == call->max_calls)
        SRF_RETURN_DONE(call);
    row = listing_row(call->tuple_desc, &models[call->call_cntr]);
    SRF_RETURN_NEXT(call, HeapTupleGetDatum(row));
}

/* sembed_version() → text, such as "0.1.0 (oneDNN 2.6.3)" */
Datum sembed_sql_version(PG_FUNCTION_ARGS)
{
    PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s (%s)", sembed_version(), sembed_engine())));
}
