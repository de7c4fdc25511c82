/*
 * Pairs → scores, by a cross-encoder: both texts are read as one, and the head looks at the first
 * token's hidden state.
 *
 *     <s> query </s></s> document </s> ─encoder─▶ hidden of <s> ─dense, activation─▶ ─output─▶ logit
 *
 * Source: sentence_transformers' CrossEncoder; the heads are those of transformers'
 * *ForSequenceClassification.
 */
#include "core/batches.h"

#include <string.h>

/* One call of sembed_score. */
struct job {
    sembed_text query;
    float *scores; /* [documents, labels], the caller's */
    bool refuse_truncation;
};

static sembed_status tokenize_pair(const struct batch_call *call, const struct worker *worker,
                                   size_t number, size_t limit)
{
    const struct job *job = call->details;
    return tokenizer_encode_pair(call->model->tokenizer, worker->context->tokenizer_scratch,
                                 job->query, call->texts[number], limit, false, worker->poll,
                                 &worker->context->encoding, worker->error);
}

/* SEMBED_TRUNCATED with how many tokens the pair has, which takes reading all of it. */
static sembed_status refuse_long_pair(const struct batch_call *call, const struct worker *worker,
                                      size_t number)
{
    sembed_status status = tokenize_pair(call, worker, number, SIZE_MAX);
    if (status != SEMBED_OK)
        return status;
    return error_set(worker->error, SEMBED_TRUNCATED,
                     "a query and document of %zu tokens: model '%s' reads at most %zu",
                     worker->context->encoding.count, call->model->name, call->model->max_tokens);
}

static sembed_status encode_pair(const struct batch_call *call, const struct worker *worker,
                                 size_t number)
{
    const struct job *job = call->details;
    sembed_status status = tokenize_pair(call, worker, number, call->model->max_tokens);
    if (status == SEMBED_OK && worker->context->encoding.truncated && job->refuse_truncation)
        return refuse_long_pair(call, worker, number);
    return status;
}

/* Encodes the batch and hands out its logits. */
static sembed_status score_batch(const struct batch_call *call, const struct worker *worker)
{
    const struct job *job = call->details;
    const struct sembed_model *model = call->model;
    struct sembed_context *context = worker->context;
    const struct batch *batch = &context->batch;
    size_t hidden_size = model->architecture.encoder.hidden_size;
    size_t labels = model->architecture.labels;
    size_t widest = hidden_size > labels ? hidden_size : labels;
    const float *hidden;
    sembed_status status = batch_run(model, context, 0, worker->poll, &hidden, worker->error);
    for (int which = 0; which < 2 && status == SEMBED_OK; which++)
        status = context_reserve_rows(context, which, batch->texts, widest, worker->error);
    if (status != SEMBED_OK)
        return status;
    for (size_t i = 0; i < batch->texts; i++)
        memcpy(context->rows[0] + i * hidden_size, hidden + batch->starts[i] * hidden_size,
               hidden_size * sizeof(float));
    status = linear_run(model->head_dense, context->session, context->rows[0], batch->texts,
                        context->rows[1], worker->error);
    if (status == SEMBED_OK)
        status = linear_run(model->head_output, context->session, context->rows[1], batch->texts,
                            context->rows[0], worker->error);
    for (size_t i = 0; i < batch->texts && status == SEMBED_OK; i++)
        memcpy(job->scores + batch->places[i] * labels, context->rows[0] + i * labels,
               labels * sizeof(float));
    return status;
}

sembed_status sembed_score(const sembed_model *model, sembed_context *context, sembed_text query,
                           const sembed_text *documents, size_t count, int flags,
                           const sembed_poll *poll, float *scores, sembed_error *error)
{
    if (!model_is_cross_encoder(model))
        return error_set(error, SEMBED_INVALID_ARGUMENT,
                         "model '%s' gives embeddings: scoring pairs takes a cross-encoder",
                         model->name);
    const struct job job = {query, scores, flags & SEMBED_SCORE_REFUSE_TRUNCATION};
    const struct batch_call call = {.model = model,
                                    .texts = documents,
                                    .count = count,
                                    .details = &job,
                                    .encode = encode_pair,
                                    .flush = score_batch};
    sembed_status status = context_check_texts(context, &query, 1, error);
    if (status == SEMBED_OK)
        status = context_check_texts(context, documents, count, error);
    if (status == SEMBED_OK)
        status = batches_run(&call, context, poll, error);
    if (status == SEMBED_OK && !(flags & SEMBED_SCORE_RAW))
        activate(model->score_activation, scores, count * model->architecture.labels);
    return status;
}
