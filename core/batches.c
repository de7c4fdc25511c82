#include "core/batches.h"

#include "core/text/unicode.h"

#include <stdatomic.h>
#include <string.h>

/*
 * Where several threads share the texts, a batch is at most its thread's part of what is left, so
 * that they end at about the same time; but no smaller than this, where the matrix products would
 * get slow. What is left is guessed from the texts' bytes.
 */
#define LEAST_SHARE_BYTES 512
#define BYTES_PER_TOKEN   4

struct share {
    const struct batch_call *call;
    struct sembed_context *context;
    size_t members;
    atomic_size_t next; /* the first text that nobody took */
    atomic_size_t left; /* bytes of those; 0 where one thread takes all */
};

/* Whether so many tokens more would make the batch longer than it should be. */
static bool is_full_for(const struct batch *batch, size_t tokens)
{
    return batch->texts > 0 &&
           (batch->tokens >= BATCH_TOKENS || tokens > BATCH_TOKENS - batch->tokens);
}

#define MOST_SHOWN 64 /* bytes of a token in a message */

/*
 * A tokenizer may have tokens that the model has no embedding for: models work with such ones as long as
 * no text comes upon them, as they do with the reference. So it is no error of loading.
 */
static sembed_status refuse_id(const struct sembed_model *model, uint32_t id, sembed_error *error)
{
    size_t length = 0;
    const char *token = tokenizer_token(model->tokenizer, id, &length);
    length = token ? unicode_valid_prefix(token, length < MOST_SHOWN ? length : MOST_SHOWN) : 0;
    return error_set(error, SEMBED_MALFORMED,
                     "%s: the tokenizer's token '%.*s' has id %lu: expected less than the %zu rows "
                     "of the word embeddings",
                     model->folder, (int)length, token ? token : "", (unsigned long)id,
                     model->tables[MODEL_WORDS].rows);
}

static sembed_status check_tokens(const struct sembed_model *model, const struct encoding *encoding,
                                  sembed_error *error)
{
    size_t words = model->tables[MODEL_WORDS].rows;
    bool typed = model->architecture.family->reads_token_types;
    const struct tensor *types = &model->tables[MODEL_TOKEN_TYPES];
    for (size_t i = 0; i < encoding->count; i++) {
        if (encoding->ids[i] >= words)
            return refuse_id(model, encoding->ids[i], error);
        if (typed && types->data && encoding->types[i] >= types->rows)
            return error_set(error, SEMBED_MALFORMED,
                             "%s: the tokenizer gives a token type %u: expected less than the %zu "
                             "rows of the token type embeddings",
                             model->folder, (unsigned)encoding->types[i], types->rows);
    }
    return SEMBED_OK;
}

/* Adds the encoding of that text. */
static sembed_status add(struct batch *batch, const struct sembed_model *model,
                         const struct encoding *encoding, size_t text, sembed_error *error)
{
    size_t tokens = batch->tokens + encoding->count;
    sembed_status status = check_tokens(model, encoding, error);
    if (status != SEMBED_OK)
        return status;
    if (!memory_grow((void **)&batch->ids, &batch->token_capacity, tokens, sizeof *batch->ids) ||
        !memory_grow((void **)&batch->types, &batch->type_capacity, tokens, 1) ||
        !memory_grow((void **)&batch->starts, &batch->start_capacity, batch->texts + 2,
                     sizeof *batch->starts) ||
        !memory_grow((void **)&batch->places, &batch->place_capacity, batch->texts + 1,
                     sizeof *batch->places))
        return error_no_memory(error, "a batch of tokens");
    memcpy(batch->ids + batch->tokens, encoding->ids, encoding->count * sizeof *batch->ids);
    if (model->architecture.family->reads_token_types)
        memcpy(batch->types + batch->tokens, encoding->types, encoding->count);
    else
        memset(batch->types + batch->tokens, 0, encoding->count);
    batch->starts[batch->texts] = batch->tokens;
    batch->places[batch->texts] = text;
    batch->starts[++batch->texts] = tokens;
    batch->tokens = tokens;
    return SEMBED_OK;
}

static void clear(struct batch *batch)
{
    batch->tokens = 0;
    batch->texts = 0;
}

static sembed_status flush(const struct batch_call *call, const struct worker *worker)
{
    sembed_status status = call->flush(call, worker);
    clear(&worker->context->batch);
    return status;
}

/* What a text counts for: no more of it is read than the model takes. */
static size_t text_bytes(const struct batch_call *call, size_t text)
{
    size_t most = call->model->max_tokens * BYTES_PER_TOKEN, bytes = call->texts[text].length;
    return bytes < most ? bytes : most;
}

/* Whether so many bytes are a thread's part of what was left when it began to gather. */
static bool is_share(const struct share *share, size_t left, size_t taken)
{
    size_t part = left / share->members;
    return share->members > 1 && taken >= (part < LEAST_SHARE_BYTES ? LEAST_SHARE_BYTES : part);
}

static sembed_status gather_and_flush(struct share *share, const struct worker *worker)
{
    const struct batch_call *call = share->call;
    struct sembed_context *context = worker->context;
    size_t left = atomic_load(&share->left), taken = 0, text;
    clear(&context->batch);
    while ((text = atomic_fetch_add(&share->next, 1)) < call->count) {
        sembed_status status = call->encode(call, worker, text);
        if (status == SEMBED_OK && is_full_for(&context->batch, context->encoding.count)) {
            status = flush(call, worker);
            left = atomic_load(&share->left);
            taken = 0;
        }
        if (status == SEMBED_OK)
            status = add(&context->batch, call->model, &context->encoding, text, worker->error);
        if (status != SEMBED_OK)
            return status;
        size_t bytes = text_bytes(call, text);
        taken += bytes;
        if (share->members > 1)
            atomic_fetch_sub(&share->left, bytes);
        if (is_share(share, left, taken)) {
            status = flush(call, worker);
            if (status != SEMBED_OK)
                return status;
            left = atomic_load(&share->left);
            taken = 0;
        }
    }
    return context->batch.texts > 0 ? flush(call, worker) : SEMBED_OK;
}

static sembed_status take_part(void *state, size_t member, const sembed_poll *poll,
                               sembed_error *error)
{
    struct share *share = state;
    const struct worker worker = {share->context->members[member], poll, error};
    return gather_and_flush(share, &worker);
}

sembed_status batches_run(const struct batch_call *call, struct sembed_context *context,
                          const sembed_poll *poll, sembed_error *error)
{
    struct share share = {.call = call, .context = context, .members = 1};
    if (context->team && call->count > 1)
        share.members = team_members(context->team);
    if (share.members == 1) {
        const struct worker worker = {context, poll, error};
        return gather_and_flush(&share, &worker);
    }
    size_t bytes = 0;
    for (size_t i = 0; i < call->count; i++)
        bytes += text_bytes(call, i);
    atomic_init(&share.left, bytes);
    return team_run(context->team, take_part, &share, poll, error);
}
