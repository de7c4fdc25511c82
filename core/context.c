#include "core/context.h"

#include <string.h>

sembed_status sembed_context_create(sembed_context **context, sembed_error *error)
{
    *context = NULL;
    struct sembed_context *created = memory_calloc(1, sizeof *created);
    if (!created)
        return error_no_memory(error, "a context");
    sembed_status status = encoder_session_create(&created->session, error);
    if (status == SEMBED_OK)
        status = tokenizer_scratch_create(&created->tokenizer_scratch, error);
    if (status != SEMBED_OK) {
        sembed_context_destroy(created);
        return status;
    }
    *context = created;
    return SEMBED_OK;
}

static void free_buffers(struct sembed_context *context)
{
    encoding_free(&context->encoding);
    memory_free(context->batch.ids);
    memory_free(context->batch.types);
    memory_free(context->batch.starts);
    memory_free(context->rows[0]);
    memory_free(context->rows[1]);
    memory_free(context->prompted);
}

void sembed_context_destroy(sembed_context *context)
{
    if (!context)
        return;
    free_buffers(context);
    tokenizer_scratch_destroy(context->tokenizer_scratch);
    encoder_session_destroy(context->session);
    memory_free(context);
}

void sembed_context_trim(sembed_context *context)
{
    struct sembed_context kept = {.session = context->session,
                                  .tokenizer_scratch = context->tokenizer_scratch};
    free_buffers(context);
    *context = kept;
    encoder_session_trim(context->session);
}

void batch_clear(struct batch *batch)
{
    batch->tokens = 0;
    batch->texts = 0;
}

bool batch_is_full_for(const struct batch *batch, size_t tokens)
{
    return batch->texts > 0 &&
           (batch->tokens >= BATCH_TOKENS || tokens > BATCH_TOKENS - batch->tokens);
}

sembed_status batch_add(struct batch *batch, const struct sembed_model *model,
                        const struct encoding *encoding, sembed_error *error)
{
    size_t tokens = batch->tokens + encoding->count;
    if (!memory_grow((void **)&batch->ids, &batch->token_capacity, tokens, sizeof *batch->ids) ||
        !memory_grow((void **)&batch->types, &batch->type_capacity, tokens, 1) ||
        !memory_grow((void **)&batch->starts, &batch->start_capacity, batch->texts + 2,
                     sizeof *batch->starts))
        return error_no_memory(error, "a batch of tokens");
    memcpy(batch->ids + batch->tokens, encoding->ids, encoding->count * sizeof *batch->ids);
    if (model->architecture.family->reads_token_types)
        memcpy(batch->types + batch->tokens, encoding->types, encoding->count);
    else
        memset(batch->types + batch->tokens, 0, encoding->count);
    batch->starts[batch->texts] = batch->tokens;
    batch->starts[++batch->texts] = tokens;
    batch->tokens = tokens;
    return SEMBED_OK;
}

sembed_status batch_run(const struct sembed_model *model, struct sembed_context *context,
                        size_t layers, const sembed_poll *poll, const float **hidden,
                        sembed_error *error)
{
    const struct batch *batch = &context->batch;
    struct packed_texts packed = {
        .ids = batch->ids, .types = batch->types, .starts = batch->starts, .texts = batch->texts};
    return encoder_run(model->encoder, context->session, &packed, layers, poll, hidden, error);
}

sembed_status context_reserve_rows(struct sembed_context *context, int which, size_t texts,
                                   size_t width, sembed_error *error)
{
    size_t floats;
    if (!size_multiply(texts, width, &floats) ||
        !memory_grow((void **)&context->rows[which], &context->row_capacity[which], floats,
                     sizeof(float)))
        return error_no_memory(error, "a batch of vectors");
    return SEMBED_OK;
}
