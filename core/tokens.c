/* Text → tokens, as a caller sees them. */
#include "core/context.h"

static sembed_status hand_out(const sembed_model *model, const struct encoding *encoding,
                              const sembed_poll *poll, sembed_token **tokens, size_t *count,
                              sembed_error *error)
{
    sembed_token *made = memory_calloc(encoding->count, sizeof *made);
    if (!made)
        return error_no_memory(error, "the tokens");
    bool typed = model->architecture.family->reads_token_types;
    for (size_t i = 0; i < encoding->count; i++) {
        made[i] = (sembed_token){.id = encoding->ids[i],
                                 .type = typed ? encoding->types[i] : 0,
                                 .start = encoding->start[i],
                                 .stop = encoding->stop[i]};
        if (poll_wants_stop_at(poll, i)) {
            memory_free(made);
            return error_canceled(error);
        }
    }
    *tokens = made;
    *count = encoding->count;
    return SEMBED_OK;
}

sembed_status sembed_tokenize(const sembed_model *model, sembed_context *context, sembed_text text,
                              size_t limit, const sembed_poll *poll, sembed_token **tokens,
                              size_t *count, sembed_error *error)
{
    *tokens = NULL;
    *count = 0;
    sembed_status status = context_check_texts(context, &text, 1, error);
    if (status == SEMBED_OK)
        status = tokenizer_encode(model->tokenizer, context->tokenizer_scratch, text,
                                  limit ? limit : model->max_tokens, true, poll, &context->encoding,
                                  error);
    return status == SEMBED_OK ? hand_out(model, &context->encoding, poll, tokens, count, error)
                               : status;
}

sembed_status sembed_tokenize_pair(const sembed_model *model, sembed_context *context,
                                   sembed_text first, sembed_text second, size_t limit,
                                   const sembed_poll *poll, sembed_token **tokens, size_t *count,
                                   sembed_error *error)
{
    *tokens = NULL;
    *count = 0;
    const sembed_text pair[] = {first, second};
    sembed_status status = context_check_texts(context, pair, 2, error);
    if (status == SEMBED_OK)
        status = tokenizer_encode_pair(model->tokenizer, context->tokenizer_scratch, first, second,
                                       limit ? limit : model->max_tokens, true, poll,
                                       &context->encoding, error);
    return status == SEMBED_OK ? hand_out(model, &context->encoding, poll, tokens, count, error)
                               : status;
}

const char *sembed_token_text(const sembed_model *model, uint32_t id, size_t *length)
{
    return tokenizer_token(model->tokenizer, id, length);
}

void sembed_free(void *pointer)
{
    memory_free(pointer);
}
