/*
 * The models of this backend: loaded when first asked for, kept as long as their folders stay what they
 * were and sembed.max_loaded allows. The core allocates outside PostgreSQL's memory contexts, so an error
 * takes nothing away.
 */
#include "host.h"

#include "access/xact.h"
#include "utils/builtins.h"

static sembed_registry *registry;
static uint64 registry_generation; /* of the settings that the registry was told */
static sembed_context *context;
static bool context_used; /* since the last trim */
static bool refreshed;    /* in this transaction */
static uint64 models_valid;

/* Between transactions a backend may lie idle for hours; scratch memory of a large batch must not. */
static void at_end_of_transaction(XactEvent event, void *argument)
{
    switch (event) {
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PREPARE:
    case XACT_EVENT_PARALLEL_COMMIT:
    case XACT_EVENT_PARALLEL_ABORT:
        if (context_used)
            sembed_context_trim(context);
        context_used = false;
        refreshed = false;
        break;
    default:
        break;
    }
}

/* Tells the registry what the settings say. */
static sembed_status configure(sembed_error *error)
{
    sembed_status status = sembed_registry_set_path(registry, settings_model_path(), error);

    if (status == SEMBED_OK)
        status =
            sembed_registry_set_cache(registry, compile_folder(), settings_cache_limit(), error);
    return status;
}

sembed_registry *models_registry(void)
{
    struct call call;
    sembed_status status = SEMBED_OK;
    uint64 generation = settings_generation();

    call_begin(&call);
    if (!registry) {
        RegisterXactCallback(at_end_of_transaction, NULL);
        status = sembed_registry_create(NULL, &registry, &call.error);
        if (status == SEMBED_OK)
            status = configure(&call.error);
    } else if (registry_generation != generation) {
        status = configure(&call.error);
    }
    call_check(&call, status, NULL);
    registry_generation = generation;
    return registry;
}

uint64 models_generation(void)
{
    if (!refreshed) {
        models_valid = sembed_registry_refresh(models_registry(), (size_t)settings_max_loaded());
        refreshed = true;
    }
    return models_valid;
}

static const char *hint_not_found(const char *name, enum purpose purpose)
{
    return psprintf("%s a folder that the server can read, inside a folder of "
                    "\"sembed.model_path\", now \"%s\".",
                    name ? "A model is"
                    : purpose == TO_RANK
                        ? "Name a cross-encoder, or set \"sembed.reranker\"; each is"
                        : "Name a model, or set \"sembed.model\"; each is",
                    settings_model_path());
}

const sembed_model *models_acquire(const text *name, enum purpose purpose)
{
    sembed_registry *models = models_registry();
    const char *wanted = name ? text_to_cstring(name) : settings_model(purpose);
    const char *converted = wanted ? convert_string(wanted) : NULL;
    const sembed_model *model = NULL;
    struct call call;
    sembed_status status;

    models_generation();
    call_begin(&call);
    do
        status = sembed_registry_acquire(models, converted, &call.poll, &model, &call.error);
    while (call_again(&call, status));
    call_check(&call, status, status == SEMBED_NOT_FOUND ? hint_not_found(wanted, purpose) : NULL);
    compile_report(models);
    return model;
}

const char *models_name(const sembed_model *model)
{
    sembed_model_info info;

    sembed_model_describe(model, &info);
    return info.name;
}

size_t models_dimensions(const sembed_model *model, const sembed_options *options)
{
    sembed_context *memory = models_context();
    size_t dimensions = 0;
    struct call call;
    sembed_status status;

    call_begin(&call);
    call_check(&call, sembed_dimensions(model, options, &dimensions, &call.error), NULL);
    do /* no texts: are the options right? */
        status = sembed_embed(model, memory, NULL, 0, options, &call.poll, NULL, &call.error);
    while (call_again(&call, status));
    call_check(&call, status, NULL);
    return dimensions;
}

sembed_context *models_context(void)
{
    struct call call;

    call_begin(&call);
    if (!context) {
        call_check(&call, sembed_context_create(&context, &call.error), NULL);
    }
    context_used = true;
    sembed_context_set_max_text(context, settings_max_text_size());
    call_check(&call, sembed_context_set_threads(context, settings_threads(), &call.error), NULL);
    return context;
}

void models_embed(const sembed_model *model, const sembed_options *options,
                  const sembed_text *texts, size_t count, float *vectors)
{
    sembed_context *memory = models_context();
    struct call call;
    sembed_status status;

    call_begin(&call);
    do
        status =
            sembed_embed(model, memory, texts, count, options, &call.poll, vectors, &call.error);
    while (call_again(&call, status));
    call_check(&call, status, status == SEMBED_TRUNCATED ? HINT_TRUNCATED : NULL);

    ereport(DEBUG1,
            (errmsg_internal("texts embedded by model \"%s\": %zu", models_name(model), count)));
}
