#include "core/context.h"

sembed_status sembed_context_create(sembed_context **context, sembed_error *error)
{
    *context = NULL;
    struct sembed_context *created = memory_calloc(1, sizeof *created);
    if (!created)
        return error_no_memory(error, "a context");
    created->max_text = SEMBED_MAX_TEXT;
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
    memory_free(context->batch.places);
    memory_free(context->rows[0]);
    memory_free(context->rows[1]);
    memory_free(context->prompted);
}

/* The other members' contexts, and the threads. */
static void end_team(struct sembed_context *context)
{
    size_t members = context->member_count;
    team_destroy(context->team);
    for (size_t i = 1; i < members; i++)
        sembed_context_destroy(context->members[i]);
    memory_free(context->members);
    context->members = NULL;
    context->member_count = 0;
    context->team = NULL;
}

void sembed_context_destroy(sembed_context *context)
{
    if (!context)
        return;
    end_team(context);
    free_buffers(context);
    tokenizer_scratch_destroy(context->tokenizer_scratch);
    encoder_session_destroy(context->session);
    memory_free(context);
}

static sembed_status begin_team(struct sembed_context *context, size_t threads, sembed_error *error)
{
    context->members = memory_calloc(threads, sizeof *context->members);
    if (!context->members)
        return error_no_memory(error, "threads");
    context->members[0] = context;
    context->member_count = 1;
    sembed_status status = SEMBED_OK;
    while (status == SEMBED_OK && context->member_count < threads) {
        status = sembed_context_create(&context->members[context->member_count], error);
        context->member_count += status == SEMBED_OK;
    }
    return status == SEMBED_OK ? team_create(threads, &context->team, error) : status;
}

sembed_status sembed_context_set_threads(sembed_context *context, size_t threads,
                                         sembed_error *error)
{
    if (threads < 1 || threads > SEMBED_MAX_THREADS)
        return error_set(error, SEMBED_INVALID_ARGUMENT, "threads: expected 1 to %d, found %zu",
                         SEMBED_MAX_THREADS, threads);
    if (threads == (context->team ? context->member_count : 1))
        return SEMBED_OK;
    end_team(context);
    sembed_status status = threads > 1 ? begin_team(context, threads, error) : SEMBED_OK;
    if (status != SEMBED_OK)
        end_team(context);
    return status;
}

void sembed_context_trim(sembed_context *context)
{
    struct sembed_context kept = {.session = context->session,
                                  .tokenizer_scratch = context->tokenizer_scratch,
                                  .team = context->team,
                                  .members = context->members,
                                  .member_count = context->member_count,
                                  .max_text = context->max_text};
    free_buffers(context);
    *context = kept;
    encoder_session_trim(context->session);
    tokenizer_scratch_trim(context->tokenizer_scratch);
    for (size_t i = 1; i < context->member_count; i++)
        sembed_context_trim(context->members[i]);
}

void sembed_context_set_max_text(sembed_context *context, size_t bytes)
{
    context->max_text = bytes;
}

sembed_status context_check_texts(const struct sembed_context *context, const sembed_text *texts,
                                  size_t count, sembed_error *error)
{
    for (size_t i = 0; i < count && context->max_text > 0; i++)
        if (texts[i].length > context->max_text)
            return error_set(error, SEMBED_LIMIT, "a text of %zu bytes: the longest may have %zu",
                             texts[i].length, context->max_text);
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
