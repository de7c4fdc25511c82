/*
 * Texts → vectors: tokens, batches, encoder, pooling, and the modules behind it.
 *
 *     texts ─tokenize─▶ batch ─encoder─▶ hidden [tokens, hidden]
 *           ─pool─▶ rows [texts, width] ─Dense, Normalize─▶ rows [texts, dimensions] ─cut─▶ vectors
 */
#include "core/context.h"

#include <string.h>

/* One call of sembed_embed, its options resolved. */
struct job {
    const struct sembed_model *model;
    struct sembed_context *context;
    const sembed_poll *poll;
    const char *prompt; /* NULL: none */
    size_t prompt_length;
    size_t prompt_tokens; /* left out of the pooling at the front of each text */
    size_t layers;
    size_t dimensions; /* of a vector that is handed out */
    bool normalize_cut;
    bool refuse_truncation;
    float *next_vector; /* of the first text of the batch */
    sembed_error *error;
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
static sembed_status resolve_prompt(struct job *job, const sembed_options *options)
{
    const struct prompts *prompts = &job->model->prompts;
    job->prompt = prompts->default_text;
    if (options && options->prompt)
        job->prompt = options->prompt;
    else if (options && options->prompt_name) {
        job->prompt = prompts_find(prompts, options->prompt_name);
        if (!job->prompt)
            return error_set(job->error, SEMBED_INVALID_ARGUMENT,
                             "prompt_name: model '%s' has no prompt '%s'", job->model->name,
                             options->prompt_name);
    }
    job->prompt_length = job->prompt ? strlen(job->prompt) : 0;
    if (job->prompt_length == 0 || job->model->modules.include_prompt)
        return SEMBED_OK;
    struct encoding *encoding = &job->context->encoding;
    sembed_status status =
        tokenizer_encode(job->model->tokenizer, job->context->tokenizer_scratch,
                         (sembed_text){job->prompt, job->prompt_length}, job->model->max_tokens,
                         true, job->poll, encoding, job->error);
    if (status != SEMBED_OK)
        return status;
    job->prompt_tokens = encoding->count;
    if (encoding->count > 0 && encoding->stop[encoding->count - 1] == 0)
        job->prompt_tokens--;
    return SEMBED_OK;
}

static sembed_status resolve_options(struct job *job, const sembed_options *options)
{
    const struct sembed_model *model = job->model;
    sembed_status status = sembed_dimensions(model, options, &job->dimensions, job->error);
    if (status != SEMBED_OK)
        return status;
    size_t all_layers = model->architecture.encoder.layers;
    job->layers = options ? options->layers : 0;
    if (job->layers > all_layers)
        return error_set(job->error, SEMBED_INVALID_ARGUMENT,
                         "layers: expected at most the %zu of model '%s', found %zu", all_layers,
                         model->name, job->layers);
    sembed_normalize normalize = options ? options->normalize : SEMBED_NORMALIZE_AS_MODEL;
    /* Not where the folder's own truncate_dim cuts: encode() leaves that as it is. */
    bool is_cut = options && options->dims > 0 && job->dimensions < model->modules.dimensions;
    job->normalize_cut =
        normalize == SEMBED_NORMALIZE_ALWAYS ||
        (normalize == SEMBED_NORMALIZE_AS_MODEL && is_cut && model->modules.normalized);
    job->refuse_truncation = options && options->refuse_truncation;
    return resolve_prompt(job, options);
}

/* -------------------------------------------------------------------------------------- tokens */

static sembed_status put_prompt_before(const struct job *job, sembed_text *text)
{
    struct sembed_context *context = job->context;
    size_t length;
    if (!size_add(job->prompt_length, text->length, &length) ||
        !memory_grow((void **)&context->prompted, &context->prompted_capacity, length, 1))
        return error_no_memory(job->error, "a prompt and its text");
    memcpy(context->prompted, job->prompt, job->prompt_length);
    if (text->length > 0)
        memcpy(context->prompted + job->prompt_length, text->data, text->length);
    *text = (sembed_text){context->prompted, length};
    return SEMBED_OK;
}

/* SEMBED_TRUNCATED with how many tokens the text has, which takes reading all of it. */
static sembed_status refuse_long_text(const struct job *job, sembed_text text)
{
    struct encoding *encoding = &job->context->encoding;
    sembed_status status = tokenizer_encode(job->model->tokenizer, job->context->tokenizer_scratch,
                                            text, SIZE_MAX, false, job->poll, encoding, job->error);
    if (status != SEMBED_OK)
        return status;
    return error_set(job->error, SEMBED_TRUNCATED,
                     "a text of %zu tokens: model '%s' reads at most %zu", encoding->count,
                     job->model->name, job->model->max_tokens);
}

/* Tokenizes one text into the context's encoding. */
static sembed_status encode_text(const struct job *job, sembed_text text)
{
    struct encoding *encoding = &job->context->encoding;
    sembed_status status = SEMBED_OK;
    if (job->prompt_length > 0)
        status = put_prompt_before(job, &text);
    if (status == SEMBED_OK)
        status = tokenizer_encode(job->model->tokenizer, job->context->tokenizer_scratch, text,
                                  job->model->max_tokens, false, job->poll, encoding, job->error);
    if (status == SEMBED_OK && encoding->truncated && job->refuse_truncation)
        return refuse_long_text(job, text);
    return status;
}

/* ------------------------------------------------------------------------------------- vectors */

/* Pools each text of the batch: hidden[tokens, hidden size] → rows[0][texts, width]. */
static sembed_status pool_batch(const struct job *job, const float *hidden, size_t *width)
{
    const struct modules *modules = &job->model->modules;
    const struct batch *batch = &job->context->batch;
    size_t hidden_size = job->model->architecture.encoder.hidden_size;
    *width = hidden_size * modules->pooling_count;
    sembed_status status =
        context_reserve_rows(job->context, 0, batch->texts, modules->widest, job->error);
    if (status != SEMBED_OK)
        return status;
    for (size_t i = 0; i < batch->texts; i++) {
        size_t tokens = batch->starts[i + 1] - batch->starts[i];
        size_t skip = job->prompt_tokens < tokens ? job->prompt_tokens : tokens - 1;
        for (size_t mode = 0; mode < modules->pooling_count; mode++)
            pool(modules->pooling[mode], hidden + batch->starts[i] * hidden_size, tokens,
                 hidden_size, skip, job->context->rows[0] + i * *width + mode * hidden_size);
    }
    return SEMBED_OK;
}

/* Runs the modules behind the pooling over rows[0]; *result is where the last one wrote. */
static sembed_status run_chain(const struct job *job, size_t *width, float **result)
{
    const struct modules *modules = &job->model->modules;
    struct sembed_context *context = job->context;
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
            context_reserve_rows(context, !current, texts, modules->widest, job->error);
        if (status == SEMBED_OK)
            status = linear_run(module->linear, context->session, context->rows[current], texts,
                                context->rows[!current], job->error);
        if (status != SEMBED_OK)
            return status;
        *width = module->outputs;
        current = !current;
    }
    *result = context->rows[current];
    return SEMBED_OK;
}

/* Encodes the batch and hands out its vectors. */
static sembed_status flush_batch(struct job *job)
{
    struct sembed_context *context = job->context;
    const float *hidden;
    float *rows;
    size_t width;
    sembed_status status =
        batch_run(job->model, context, job->layers, job->poll, &hidden, job->error);
    if (status == SEMBED_OK)
        status = pool_batch(job, hidden, &width);
    if (status == SEMBED_OK)
        status = run_chain(job, &width, &rows);
    if (status != SEMBED_OK)
        return status;
    for (size_t i = 0; i < context->batch.texts; i++) {
        memcpy(job->next_vector, rows + i * width, job->dimensions * sizeof(float));
        if (job->normalize_cut)
            normalize_vector(job->next_vector, job->dimensions);
        job->next_vector += job->dimensions;
    }
    batch_clear(&context->batch);
    return SEMBED_OK;
}

sembed_status sembed_embed(const sembed_model *model, sembed_context *context,
                           const sembed_text *texts, size_t count, const sembed_options *options,
                           const sembed_poll *poll, float *vectors, sembed_error *error)
{
    struct job job = {
        .model = model, .context = context, .poll = poll, .next_vector = vectors, .error = error};
    batch_clear(&context->batch);
    sembed_status status = resolve_options(&job, options);
    for (size_t i = 0; status == SEMBED_OK && i < count; i++) {
        status = encode_text(&job, texts[i]);
        if (status == SEMBED_OK && batch_is_full_for(&context->batch, context->encoding.count))
            status = flush_batch(&job);
        if (status == SEMBED_OK)
            status = batch_add(&context->batch, model, &context->encoding, error);
    }
    if (status == SEMBED_OK && context->batch.texts > 0)
        status = flush_batch(&job);
    return status;
}
