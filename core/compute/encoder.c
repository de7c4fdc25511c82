#include "core/compute/encoder.h"

#include "core/base/memory.h"
#include "core/compute/encoder_parts.h"
#include "core/compute/session.h"

#include <string.h>

/* -------------------------------------------------------------------------------------- session */

#define KEPT_SCRATCH ((size_t)1 << 20)

sembed_status encoder_session_create(struct encoder_session **session, sembed_error *error)
{
    *session = NULL;
    struct encoder_session *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "an encoder session");
    sembed_status status = gemm_session_create(&made->gemm, error);
    if (status != SEMBED_OK) {
        encoder_session_destroy(made);
        return status;
    }
    *session = made;
    return SEMBED_OK;
}

void encoder_session_destroy(struct encoder_session *session)
{
    if (!session)
        return;
    gemm_session_destroy(session->gemm);
    arena_destroy(&session->arena);
    arena_destroy(&session->linear_arena);
    memory_free(session);
}

void encoder_session_trim(struct encoder_session *session)
{
    arena_trim(&session->arena, KEPT_SCRATCH);
    arena_trim(&session->linear_arena, KEPT_SCRATCH);
}

/* -------------------------------------------------------------------------------------- running */

static sembed_status check_texts(const struct encoder *encoder, const struct packed_texts *texts,
                                 size_t *longest, sembed_error *error)
{
    size_t vocabulary = encoder->tables[EMBEDDING_WORD].rows;
    const struct tensor *types = &encoder->tables[EMBEDDING_TOKEN_TYPE];
    *longest = 0;
    if (texts->starts[0] != 0)
        return error_set(error, SEMBED_INVALID_ARGUMENT,
                         "expected the first text at token 0, found it at %zu", texts->starts[0]);
    for (size_t text = 0; text < texts->texts; text++) {
        size_t start = texts->starts[text], stop = texts->starts[text + 1];
        if (stop <= start || stop - start > encoder->config.max_tokens)
            return error_set(error, SEMBED_INVALID_ARGUMENT,
                             "text %zu: expected 1 to %zu tokens, found tokens %zu to %zu", text,
                             encoder->config.max_tokens, start, stop);
        *longest = stop - start > *longest ? stop - start : *longest;
        for (size_t t = start; t < stop; t++) {
            if (texts->ids[t] >= vocabulary)
                return error_set(error, SEMBED_INVALID_ARGUMENT,
                                 "text %zu: expected token ids below %zu, found %lu", text,
                                 vocabulary, (unsigned long)texts->ids[t]);
            if (types->data && texts->types[t] >= types->rows)
                return error_set(error, SEMBED_INVALID_ARGUMENT,
                                 "text %zu: expected token types below %zu, found %u", text,
                                 types->rows, (unsigned)texts->types[t]);
        }
    }
    return SEMBED_OK;
}

/* The scratch of one run. Matrices have `padded` rows, of which `tokens` are meant. */
struct run {
    const struct encoder *encoder;
    struct gemm_session *gemm;
    const struct packed_texts *texts;
    const sembed_poll *poll;
    size_t tokens, padded;
    float *hidden;    /* [padded, hidden]: what each layer takes and leaves */
    float *context;   /* [padded, hidden]: what attention takes from the values */
    float *change;    /* [padded, hidden]: what is to be added to hidden */
    float *wide;      /* [padded, wide]: query, key and value; then the intermediate states */
    float *embedding; /* [padded, embedding_size] before a projection; else hidden itself */
    float *scratch;   /* of attention */
};

static size_t larger_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* One piece of the arena that is planned first and taken afterwards. */
struct piece {
    float **place;
    size_t rows, width;
};

static sembed_status take_pieces(struct arena *arena, const struct piece *pieces, size_t count,
                                 sembed_error *error)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        size_t row = arena_rounded(pieces[i].width, sizeof(float));
        size_t piece = arena_rounded(pieces[i].rows, row);
        if (!size_add(bytes, piece, &bytes))
            bytes = SIZE_MAX;
        if (bytes == SIZE_MAX)
            break;
    }
    sembed_status status = arena_reserve(arena, bytes, error);
    if (status != SEMBED_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        *pieces[i].place = arena_take(arena, pieces[i].rows * pieces[i].width * sizeof(float));
    return SEMBED_OK;
}

static sembed_status run_prepare(struct run *run, struct arena *arena, size_t longest,
                                 sembed_error *error)
{
    const struct encoder_config *config = &run->encoder->config;
    size_t hidden = config->hidden_size;
    run->padded = gemm_padded_rows(run->tokens);
    if (run->padded == SIZE_MAX)
        return error_no_memory(error, "scratch space");
    bool projects = run->encoder->embedding_projection != NULL;
    const struct piece pieces[] = {
        {&run->hidden, run->padded, hidden},
        {&run->context, run->padded, hidden},
        {&run->change, run->padded, hidden},
        /* One row more: attention reads a vector past the end of the values. */
        {&run->wide, run->padded + 1, larger_size(3 * hidden, config->intermediate_size)},
        {&run->embedding, run->padded, projects ? config->embedding_size : 0},
        {&run->scratch, 1, attend_scratch(config, longest)},
    };
    sembed_status status = take_pieces(arena, pieces, sizeof pieces / sizeof pieces[0], error);
    if (status != SEMBED_OK)
        return status;
    if (!projects)
        run->embedding = run->hidden;
    return SEMBED_OK;
}

/* Zeros in the rows that only the engine reads. */
static void clear_padding(const struct run *run, float *matrix, size_t width)
{
    memset(matrix + run->tokens * width, 0, (run->padded - run->tokens) * width * sizeof *matrix);
}

/* y = activation(x·weightᵀ + bias) for every token, unless it is to stop; a text is a group of rows. */
static sembed_status multiply(const struct run *run, const struct gemm_weights *weights,
                              const float *x, float *y, sembed_error *error)
{
    if (poll_wants_stop(run->poll))
        return error_canceled(error);
    return gemm_run(weights, run->gemm, x, run->texts->starts, run->texts->texts, y, error);
}

static sembed_status embed(const struct run *run, sembed_error *error)
{
    const struct encoder *encoder = run->encoder;
    const struct packed_texts *texts = run->texts;
    size_t width = encoder->config.embedding_size;
    bool typed = encoder->tables[EMBEDDING_TOKEN_TYPE].data != NULL;
    for (size_t text = 0; text < texts->texts; text++) {
        size_t position = encoder->config.position_offset;
        for (size_t t = texts->starts[text]; t < texts->starts[text + 1]; t++) {
            bool is_padding = texts->ids[t] + (size_t)1 == encoder->config.position_offset;
            size_t rows[EMBEDDING_TABLES] = {
                [EMBEDDING_WORD] = texts->ids[t],
                [EMBEDDING_TOKEN_TYPE] = typed ? texts->types[t] : 0,
                [EMBEDDING_POSITION] = is_padding ? texts->ids[t] : position++,
            };
            kernels()->embed_norm(encoder->tables, rows, &encoder->embedding_norm,
                                  run->embedding + t * width);
        }
    }
    clear_padding(run, run->embedding, width);
    if (!encoder->embedding_projection)
        return SEMBED_OK;
    return multiply(run, encoder->embedding_projection, run->embedding, run->hidden, error);
}

static sembed_status run_layer(const struct run *run, const struct encoder_layer *layer,
                               sembed_error *error)
{
    sembed_status status = multiply(run, layer->query_key_value, run->hidden, run->wide, error);
    if (status == SEMBED_OK)
        status = attend_texts(&run->encoder->config, &run->encoder->relative_bias, run->texts,
                              run->wide, run->context, run->scratch, run->poll, error);
    if (status == SEMBED_OK)
        status = multiply(run, layer->attention_output, run->context, run->change, error);
    if (status != SEMBED_OK)
        return status;
    kernels()->add_norm(&layer->attention_norm, run->change, run->tokens, run->hidden);

    status = multiply(run, layer->intermediate, run->hidden, run->wide, error);
    if (status == SEMBED_OK)
        status = multiply(run, layer->output, run->wide, run->change, error);
    if (status != SEMBED_OK)
        return status;
    kernels()->add_norm(&layer->output_norm, run->change, run->tokens, run->hidden);
    return SEMBED_OK;
}

sembed_status encoder_run(const struct encoder *encoder, struct encoder_session *session,
                          const struct packed_texts *texts, size_t layers, const sembed_poll *poll,
                          const float **hidden, sembed_error *error)
{
    size_t longest;
    struct run run = {
        .encoder = encoder,
        .gemm = session->gemm,
        .texts = texts,
        .poll = poll,
        .tokens = texts->starts[texts->texts],
    };
    *hidden = NULL;
    if (layers > encoder->config.layers)
        return error_set(error, SEMBED_INVALID_ARGUMENT, "expected at most %zu layers, found %zu",
                         encoder->config.layers, layers);
    sembed_status status = check_texts(encoder, texts, &longest, error);
    if (status == SEMBED_OK)
        status = run_prepare(&run, &session->arena, longest, error);
    if (status != SEMBED_OK)
        return status;
    clear_padding(&run, run.context, encoder->config.hidden_size);
    status = embed(&run, error);
    for (size_t i = 0; status == SEMBED_OK && i < (layers ? layers : encoder->config.layers); i++)
        status = run_layer(&run, &encoder->layers[i], error);
    if (status == SEMBED_OK)
        *hidden = run.hidden;
    return status;
}
