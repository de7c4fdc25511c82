/*
 * Texts → vectors: tokens, batches, encoder, pooling, and the modules behind it.
 *
 *     texts ─tokenize─▶ batch ─encoder─▶ hidden [tokens, hidden]
 *           ─pool─▶ rows [texts, width] ─Dense, Normalize─▶ rows [texts, dimensions] ─cut─▶ vectors
 */
#include "core/batches.h"

#include <string.h>

/* One call of sembed_embed, its options resolved. */
struct job {
    const struct sembed_model *model;
    const char *prompt; /* NULL: none */
    size_t prompt_length;
    size_t prompt_tokens; /* left out of the pooling at the front of each text */
    size_t layers;
    size_t dimensions; /* of a vector that is handed out */
    bool normalize_cut;
    bool refuse_truncation;
    float *vectors; /* [texts, dimensions], the caller's */
};

/* ------------------------------------------------------------------------------------- options */

sembed_status sembed_dimensions(const sembed_model *model, const sembed_options *options,
                                size_t *dimensions, sembed_error *error)
{
    size_t full = model->modules.dimensions;
    size_t wanted = options ? options->dims : 0;
    if (model_is_cross_encoder(model))
        return error_set(error, SEMBED_INVALID_ARGUMENT,
                         "model '%s' is a cross-encoder: it scores pairs and gives no embeddings",
                         model->name);
    if (wanted > full)
        return error_set(error, SEMBED_INVALID_ARGUMENT,
                         "dims: expected at most the %zu of model '%s', found %zu", full,
                         model->name, wanted);
    if (wanted == 0 && model->prompts.truncate_dim > 0 && model->prompts.truncate_dim < full)
        wanted = model->prompts.truncate_dim;
    *dimensions = wanted ? wanted : full;
    return SEMBED_OK;
}

/* The prompt that goes before every text; what it costs in tokens where the pooling leaves it out.
 * Source: sentence_transformers, Transformer._get_prompt_length: its tokens less a closing special
 * one. */
static sembed_status resolve_prompt(struct job *job, const struct worker *worker,
                                    const sembed_options *options)
{
    const struct prompts *prompts = &job->model->prompts;
    job->prompt = prompts->default_text;
    if (options && options->prompt)
        job->prompt = options->prompt;
    else if (options && options->prompt_name) {
        job->prompt = prompts_find(prompts, options->prompt_name);
        if (!job->prompt)
            return error_set(worker->error, SEMBED_INVALID_ARGUMENT,
                             "prompt_name: model '%s' has no prompt '%s'", job->model->name,
                             options->prompt_name);
    }
    job->prompt_length = job->prompt ? strlen(job->prompt) : 0;
    if (job->prompt_length == 0 || job->model->modules.include_prompt)
        return SEMBED_OK;
    struct encoding *encoding = &worker->context->encoding;
    sembed_status status =
        tokenizer_encode(job->model->tokenizer, worker->context->tokenizer_scratch,
                         (sembed_text){job->prompt, job->prompt_length}, job->model->max_tokens,
                         true, worker->poll, encoding, worker->error);
    if (status != SEMBED_OK)
        return status;
    job->prompt_tokens = encoding->count;
    if (encoding->count > 0 && encoding->stop[encoding->count - 1] == 0)
        job->prompt_tokens--;
    return SEMBED_OK;
}

static sembed_status resolve_options(struct job *job, const struct worker *worker,
                                     const sembed_options *options)
{
    const struct sembed_model *model = job->model;
    sembed_status status = sembed_dimensions(model, options, &job->dimensions, worker->error);
    if (status != SEMBED_OK)
        return status;
    size_t all_layers = model->architecture.encoder.layers;
    job->layers = options ? options->layers : 0;
    if (job->layers > all_layers)
        return error_set(worker->error, SEMBED_INVALID_ARGUMENT,
                         "layers: expected at most the %zu of model '%s', found %zu", all_layers,
                         model->name, job->layers);
    sembed_normalize normalize = options ? options->normalize : SEMBED_NORMALIZE_AS_MODEL;
    /* Not where the folder's own truncate_dim cuts: encode() leaves that as it is. */
    bool is_cut = options && options->dims > 0 && job->dimensions < model->modules.dimensions;
    job->normalize_cut =
        normalize == SEMBED_NORMALIZE_ALWAYS ||
        (normalize == SEMBED_NORMALIZE_AS_MODEL && is_cut && model->modules.normalized);
    job->refuse_truncation = options && options->refuse_truncation;
    return resolve_prompt(job, worker, options);
}

/* -------------------------------------------------------------------------------------- tokens */

static sembed_status put_prompt_before(const struct job *job, const struct worker *worker,
                                       sembed_text *text)
{
    struct sembed_context *context = worker->context;
    size_t length;
    if (!size_add(job->prompt_length, text->length, &length) ||
        !memory_grow((void **)&context->prompted, &context->prompted_capacity, length, 1))
        return error_no_memory(worker->error, "a prompt and its text");
    memcpy(context->prompted, job->prompt, job->prompt_length);
    if (text->length > 0)
        memcpy(context->prompted + job->prompt_length, text->data, text->length);
    *text = (sembed_text){context->prompted, length};
    return SEMBED_OK;
}

/* SEMBED_TRUNCATED with how many tokens the text has, which takes reading all of it. */
static sembed_status refuse_long_text(const struct job *job, const struct worker *worker,
                                      sembed_text text)
{
    struct encoding *encoding = &worker->context->encoding;
    sembed_status status =
        tokenizer_encode(job->model->tokenizer, worker->context->tokenizer_scratch, text, SIZE_MAX,
                         false, worker->poll, encoding, worker->error);
    if (status != SEMBED_OK)
        return status;
    return error_set(worker->error, SEMBED_TRUNCATED,
                     "a text of %zu tokens: model '%s' reads at most %zu", encoding->count,
                     job->model->name, job->model->max_tokens);
}

static sembed_status encode_text(const struct batch_call *call, const struct worker *worker,
                                 size_t number)
{
    const struct job *job = call->details;
    sembed_text text = call->texts[number];
    struct encoding *encoding = &worker->context->encoding;
    sembed_status status = SEMBED_OK;
    if (job->prompt_length > 0)
        status = put_prompt_before(job, worker, &text);
    if (status == SEMBED_OK)
        status =
            tokenizer_encode(job->model->tokenizer, worker->context->tokenizer_scratch, text,
                             job->model->max_tokens, false, worker->poll, encoding, worker->error);
    if (status == SEMBED_OK && encoding->truncated && job->refuse_truncation)
        return refuse_long_text(job, worker, text);
    return status;
}

/* ------------------------------------------------------------------------------------- vectors */

/* Pools each text of the batch: hidden[tokens, hidden size] → rows[0][texts, width]. */
static sembed_status pool_batch(const struct job *job, const struct worker *worker,
                                const float *hidden, size_t *width)
{
    const struct modules *modules = &job->model->modules;
    const struct batch *batch = &worker->context->batch;
    size_t hidden_size = job->model->architecture.encoder.hidden_size;
    *width = hidden_size * modules->pooling_count;
    sembed_status status =
        context_reserve_rows(worker->context, 0, batch->texts, modules->widest, worker->error);
    if (status != SEMBED_OK)
        return status;
    for (size_t i = 0; i < batch->texts; i++) {
        size_t tokens = batch->starts[i + 1] - batch->starts[i];
        size_t skip = job->prompt_tokens < tokens ? job->prompt_tokens : tokens - 1;
        for (size_t mode = 0; mode < modules->pooling_count; mode++)
            pool(modules->pooling[mode], hidden + batch->starts[i] * hidden_size, tokens,
                 hidden_size, skip, worker->context->rows[0] + i * *width + mode * hidden_size);
    }
    return SEMBED_OK;
}

/* Runs the modules behind the pooling over rows[0]; *result is where the last one wrote. */
static sembed_status run_chain(const struct job *job, const struct worker *worker, size_t *width,
                               float **result)
{
    const struct modules *modules = &job->model->modules;
    struct sembed_context *context = worker->context;
    size_t texts = context->batch.texts;
    int current = 0;
    for (size_t i = 0; i < modules->chain_count; i++) {
        const struct module *module = &modules->chain[i];
        if (module->kind == MODULE_NORMALIZE) {
            for (size_t row = 0; row < texts; row++)
                normalize_vector(context->rows[current] + row * *width, *width);
            continue;
        }
        sembed_status status =
            context_reserve_rows(context, !current, texts, modules->widest, worker->error);
        if (status == SEMBED_OK)
            status = linear_run(module->linear, context->session, context->rows[current], texts,
                                context->rows[!current], worker->error);
        if (status != SEMBED_OK)
            return status;
        *width = module->outputs;
        current = !current;
    }
    *result = context->rows[current];
    return SEMBED_OK;
}

/* Encodes the batch and hands out its vectors. */
static sembed_status embed_batch(const struct batch_call *call, const struct worker *worker)
{
    const struct job *job = call->details;
    const struct batch *batch = &worker->context->batch;
    const float *hidden;
    float *rows = NULL;
    size_t width = 0;
    sembed_status status =
        batch_run(job->model, worker->context, job->layers, worker->poll, &hidden, worker->error);
    if (status == SEMBED_OK)
        status = pool_batch(job, worker, hidden, &width);
    if (status == SEMBED_OK)
        status = run_chain(job, worker, &width, &rows);
    if (status != SEMBED_OK)
        return status;
    for (size_t i = 0; i < batch->texts; i++) {
        float *vector = job->vectors + batch->places[i] * job->dimensions;
        memcpy(vector, rows + i * width, job->dimensions * sizeof(float));
        if (job->normalize_cut)
            normalize_vector(vector, job->dimensions);
    }
    return SEMBED_OK;
}

sembed_status sembed_embed(const sembed_model *model, sembed_context *context,
                           const sembed_text *texts, size_t count, const sembed_options *options,
                           const sembed_poll *poll, float *vectors, sembed_error *error)
{
    struct job job = {.model = model, .vectors = vectors};
    const struct worker caller = {context, poll, error};
    sembed_status status = resolve_options(&job, &caller, options);
    if (status == SEMBED_OK)
        status = context_check_texts(context, texts, count, error);
    if (status != SEMBED_OK)
        return status;
    const struct batch_call call = {.model = model,
                                    .texts = texts,
                                    .count = count,
                                    .details = &job,
                                    .encode = encode_text,
                                    .flush = embed_batch};
    return batches_run(&call, context, poll, error);
}
