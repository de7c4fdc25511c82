/*
 * Pairs → scores, by a cross-encoder: both texts are read as one, and the head looks at the first
 * token's hidden state.
 *
 *     <s> query </s></s> document </s> ─encoder─▶ hidden of <s> ─dense, activation─▶ ─output─▶ logit
 *
 * Source: sentence_transformers' CrossEncoder; the heads are those of transformers'
 * *ForSequenceClassification.
 */
#include "core/context.h"

#include <string.h>

/* The batch's logits → scores[texts, labels]. */
static sembed_status score_batch(const struct sembed_model *model, struct sembed_context *context,
                                 const sembed_poll *poll, float *scores, sembed_error *error)
{
    const struct batch *batch = &context->batch;
    size_t hidden_size = model->architecture.encoder.hidden_size;
    const float *hidden;
    sembed_status status = batch_run(model, context, 0, poll, &hidden, error);
    if (status == SEMBED_OK)
        status = context_reserve_rows(context, 0, batch->texts, hidden_size, error);
    if (status == SEMBED_OK)
        status = context_reserve_rows(context, 1, batch->texts, hidden_size, error);
    if (status != SEMBED_OK)
        return status;
    for (size_t i = 0; i < batch->texts; i++)
        memcpy(context->rows[0] + i * hidden_size, hidden + batch->starts[i] * hidden_size,
               hidden_size * sizeof(float));
    status = linear_run(model->head_dense, context->session, context->rows[0], batch->texts,
                        context->rows[1], error);
    if (status == SEMBED_OK)
        status = linear_run(model->head_output, context->session, context->rows[1], batch->texts,
                            scores, error);
    batch_clear(&context->batch);
    return status;
}

/* SEMBED_TRUNCATED with how many tokens the pair has, which takes reading all of it. */
static sembed_status refuse_long_pair(const struct sembed_model *model,
                                      struct sembed_context *context, sembed_text query,
                                      sembed_text document, const sembed_poll *poll,
                                      sembed_error *error)
{
    sembed_status status =
        tokenizer_encode_pair(model->tokenizer, context->tokenizer_scratch, query, document,
                              SIZE_MAX, false, poll, &context->encoding, error);
    if (status != SEMBED_OK)
        return status;
    return error_set(error, SEMBED_TRUNCATED,
                     "a query and document of %zu tokens: model '%s' reads at most %zu",
                     context->encoding.count, model->name, model->max_tokens);
}

sembed_status sembed_score(const sembed_model *model, sembed_context *context, sembed_text query,
                           const sembed_text *documents, size_t count, int flags,
                           const sembed_poll *poll, float *scores, sembed_error *error)
{
    if (!model_is_cross_encoder(model))
        return error_set(error, SEMBED_INVALID_ARGUMENT,
                         "model '%s' gives embeddings: scoring pairs takes a cross-encoder",
                         model->name);
    size_t labels = model->architecture.labels;
    float *next_score = scores;
    batch_clear(&context->batch);
    sembed_status status = SEMBED_OK;
    for (size_t i = 0; status == SEMBED_OK && i < count; i++) {
        status =
            tokenizer_encode_pair(model->tokenizer, context->tokenizer_scratch, query, documents[i],
                                  model->max_tokens, false, poll, &context->encoding, error);
        if (status == SEMBED_OK && context->encoding.truncated &&
            (flags & SEMBED_SCORE_REFUSE_TRUNCATION))
            status = refuse_long_pair(model, context, query, documents[i], poll, error);
        if (status == SEMBED_OK && batch_is_full_for(&context->batch, context->encoding.count)) {
            size_t texts = context->batch.texts;
            status = score_batch(model, context, poll, next_score, error);
            next_score += texts * labels;
        }
        if (status == SEMBED_OK)
            status = batch_add(&context->batch, model, &context->encoding, error);
    }
    if (status == SEMBED_OK && context->batch.texts > 0)
        status = score_batch(model, context, poll, next_score, error);
    if (status == SEMBED_OK && !(flags & SEMBED_SCORE_RAW))
        activate(model->score_activation, scores, count * labels);
    return status;
}
