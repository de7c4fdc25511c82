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
    gemm_session_trim(session->gemm);
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

/*
 * The scratch of one run.
 *
 * All but attention goes through in blocks of rows: then the product under the activation, by far
 * the widest, stays in the second cache between being written and being read, and the engine sees few
 * different numbers of rows.
 *
 * Each matrix has PADDING rows more than its tokens or its block, for the engine to read and write.
 */
struct run {
    const struct encoder *encoder;
    struct gemm_session *gemm;
    const struct packed_texts *texts;
    const sembed_poll *poll;
    size_t tokens;
    size_t block_rows;        /* the most rows of a block; 0: a block is of whole texts */
    float *hidden;            /* [tokens, hidden]: what each layer takes and leaves */
    float *embedding;         /* [tokens, embedding_size] before a projection; else hidden itself */
    struct operand states;    /* [tokens, 3·hidden]: query, key, value; bfloat16 for tiles */
    struct operand context;   /* [tokens, hidden]: what attention takes from the values */
    float *scratch;           /* of attention */
    struct operand hidden_x;  /* [tokens, hidden]: hidden as it is multiplied */
    struct operand context_x; /* [tokens, hidden]: likewise context */
    struct operand inner_x;   /* [block, intermediate] */
    void *product;            /* [block, 3·hidden or intermediate]: as the engine leaves it */
    void *change;             /* [block, hidden]: a product that is to be added to hidden */
};

/* Every block reads all weights of a layer anew. In float32 that is worth rows of which the widest
 * product just fits the second cache; with tiles, the arithmetic is so fast that writing and reading
 * the product weighs more. */
static size_t most_block_rows(enum precision precision)
{
    return precision == PRECISION_F32 ? 256 : 128;
}

#define PADDING (GEMM_PADDING + 1)

/* One piece of the arena that is planned first and taken afterwards: [rows, width] numbers of so many
 * bytes. */
struct piece {
    void **place;
    size_t rows, width, number;
};

static sembed_status take_pieces(struct arena *arena, const struct piece *pieces, size_t count,
                                 sembed_error *error)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        size_t row = arena_rounded(pieces[i].width, pieces[i].number);
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
        *pieces[i].place = arena_take(arena, pieces[i].rows * pieces[i].width * pieces[i].number);
    return SEMBED_OK;
}

/* Where rows are treated alike, blocks of one size, the last one no shorter than need be. */
static size_t choose_block_rows(const struct run *run)
{
    const struct encoder_layer *layer = &run->encoder->layers[0];
    const struct gemm_weights *projection = run->encoder->embedding_projection;
    if (!gemm_treats_rows_alike(layer->query_key_value) ||
        !gemm_treats_rows_alike(layer->attention_output) ||
        !gemm_treats_rows_alike(layer->intermediate) || !gemm_treats_rows_alike(layer->output) ||
        (projection && !gemm_treats_rows_alike(projection)))
        return 0;
    size_t most = most_block_rows(run->encoder->config.precision);
    size_t blocks = (run->tokens + most - 1) / most;
    size_t rows = blocks ? (run->tokens + blocks - 1) / blocks : 1;
    return blocks > 1 ? (rows + 15) / 16 * 16 : rows;
}

static size_t larger_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The most rows of a block of whole texts. */
static size_t most_rows_of_texts(const struct run *run, size_t longest)
{
    size_t most = most_block_rows(run->encoder->config.precision);
    return larger_size(longest, most < run->tokens ? most : run->tokens);
}

static sembed_status run_prepare(struct run *run, struct arena *arena, size_t longest,
                                 sembed_error *error)
{
    const struct encoder_config *config = &run->encoder->config;
    size_t hidden = config->hidden_size, inner = config->intermediate_size, all, block;
    size_t x_size = operand_number_size(config->precision), y_size = sizeof(float);
    size_t scale_size = sizeof(struct row_scale);
    run->block_rows = choose_block_rows(run);
    if (!size_add(run->tokens, PADDING, &all))
        return error_no_memory(error, "scratch space");
    block = (run->block_rows ? run->block_rows : most_rows_of_texts(run, longest)) + PADDING;
    bool projects = run->encoder->embedding_projection != NULL;
    bool narrows = config->precision != PRECISION_F32;
    bool scales = config->precision == PRECISION_INT8;
    const struct kernels *tiles = run->encoder->tiles;
    enum precision attends = tiles ? PRECISION_BF16 : PRECISION_F32;
    /* Attention writes what is multiplied next, but for int8, whose scales are known at a row's end. */
    bool apart = config->precision != attends;
    const struct piece pieces[] = {
        {(void **)&run->hidden, all, hidden, y_size},
        {(void **)&run->embedding, all, projects ? config->embedding_size : 0, y_size},
        /* One row more: attention reads a vector past the end of the values. */
        {&run->states.numbers, all + 1, 3 * hidden, operand_number_size(attends)},
        {&run->context.numbers, all, apart ? hidden : 0, y_size},
        {(void **)&run->scratch, 1, attend_scratch(config, tiles, longest), y_size},
        {&run->hidden_x.numbers, all, narrows ? hidden : 0, x_size},
        {(void **)&run->hidden_x.scales, all, scales ? 1 : 0, scale_size},
        {&run->context_x.numbers, all, hidden, x_size},
        {(void **)&run->context_x.scales, all, scales ? 1 : 0, scale_size},
        {&run->inner_x.numbers, block, narrows ? inner : 0, x_size},
        {(void **)&run->inner_x.scales, block, scales ? 1 : 0, scale_size},
        {&run->product, block, larger_size(scales ? 3 * hidden : 0, inner), y_size},
        {&run->change, block, hidden, y_size},
    };
    sembed_status status = take_pieces(arena, pieces, sizeof pieces / sizeof pieces[0], error);
    if (status != SEMBED_OK)
        return status;
    if (!projects)
        run->embedding = run->hidden;
    if (!narrows) {
        run->hidden_x.numbers = run->hidden;
        run->inner_x.numbers = run->product;
    }
    run->states.precision = attends;
    run->states.width = 3 * hidden;
    run->context.precision = apart ? PRECISION_F32 : attends;
    run->context.width = hidden;
    if (!apart)
        run->context.numbers = run->context_x.numbers;
    run->hidden_x.precision = run->context_x.precision = run->inner_x.precision = config->precision;
    run->hidden_x.width = run->context_x.width = hidden;
    run->inner_x.width = inner;
    return SEMBED_OK;
}

/* --------------------------------------------------------------------------------------- blocks */

/* Rows that go through together; begin with zeros. */
struct block {
    size_t first, rows;
    size_t text, texts; /* those in it, where a block is of whole texts */
};

/* As many texts as fit, at least one. */
static void take_texts(const struct run *run, struct block *block)
{
    const size_t *starts = run->texts->starts;
    size_t most = most_block_rows(run->encoder->config.precision);
    size_t stop = block->text + block->texts;
    block->text = stop++;
    while (stop < run->texts->texts && starts[stop + 1] - block->first <= most)
        stop++;
    block->texts = stop - block->text;
    block->rows = starts[stop] - block->first;
}

static bool next_block(const struct run *run, struct block *block)
{
    block->first += block->rows;
    if (block->first >= run->tokens)
        return false;
    size_t left = run->tokens - block->first;
    block->rows = left < run->block_rows ? left : run->block_rows;
    if (run->block_rows == 0)
        take_texts(run, block);
    return true;
}

/* Zeros in the rows behind `rows`, which the engine alone reads. */
static void clear_padding(void *matrix, size_t rows, size_t row_size)
{
    memset((char *)matrix + rows * row_size, 0, PADDING * row_size);
}

/* y[block, outputs] = x·weightᵀ for the block's rows of x, unless it is to stop. */
static sembed_status multiply(const struct run *run, const struct gemm_weights *weights,
                              const void *x, const struct block *block, void *y,
                              sembed_error *error)
{
    const size_t starts[] = {0, block->rows};
    if (poll_wants_stop(run->poll))
        return error_canceled(error);
    if (block->texts)
        return gemm_run(weights, run->gemm, x, run->texts->starts + block->text, block->texts, y,
                        error);
    return gemm_run(weights, run->gemm, x, starts, 1, y, error);
}

/* ---------------------------------------------------------------------------------------- layers */

/* hidden = embedding·projectionᵀ + bias. */
static sembed_status project(const struct run *run, sembed_error *error)
{
    const struct encoder_config *config = &run->encoder->config;
    struct block block = {0};
    sembed_status status = SEMBED_OK;
    while (status == SEMBED_OK && next_block(run, &block))
        status = multiply(run, run->encoder->embedding_projection,
                          run->embedding + block.first * config->embedding_size, &block,
                          run->hidden + block.first * config->hidden_size, error);
    return status;
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
    clear_padding(run->embedding, run->tokens, width * sizeof(float));
    sembed_status status = SEMBED_OK;
    if (encoder->embedding_projection)
        status = project(run, error);
    if (status == SEMBED_OK && run->hidden_x.precision != PRECISION_F32)
        kernels()->narrow(run->hidden, run->tokens, &run->hidden_x);
    return status;
}

/* states = hidden·weightᵀ + bias for a block. */
static sembed_status project_attention(const struct run *run, const struct encoder_layer *layer,
                                       const struct block *block, sembed_error *error)
{
    struct operand x = operand_from(&run->hidden_x, block->first);
    struct operand states = operand_from(&run->states, block->first);
    bool ready = x.precision != PRECISION_INT8;
    sembed_status status = multiply(run, layer->query_key_value, x.numbers, block,
                                    ready ? states.numbers : run->product, error);
    if (status != SEMBED_OK || ready)
        return status;
    struct product product = gemm_product(layer->query_key_value, run->product, x.scales);
    kernels()->finish(ACTIVATION_NONE, &product, block->rows, &states);
    return SEMBED_OK;
}

/* hidden = norm(hidden + x·weightᵀ + bias) for a block, x a block's operand. */
static sembed_status add_norm(const struct run *run, const struct gemm_weights *weights,
                              const struct norm *norm, const struct operand *x,
                              const struct block *block, sembed_error *error)
{
    sembed_status status = multiply(run, weights, x->numbers, block, run->change, error);
    if (status != SEMBED_OK)
        return status;
    struct product change = gemm_product(weights, run->change, x->scales);
    struct operand hidden_x = operand_from(&run->hidden_x, block->first);
    kernels()->add_norm(norm, &change, block->rows, run->hidden + block->first * norm->width,
                        &hidden_x);
    return SEMBED_OK;
}

/* inner_x = activation(hidden·weightᵀ + bias) for a block. */
static sembed_status run_intermediate(const struct run *run, const struct encoder_layer *layer,
                                      const struct block *block, sembed_error *error)
{
    struct operand x = operand_from(&run->hidden_x, block->first);
    sembed_status status =
        multiply(run, layer->intermediate, x.numbers, block, run->product, error);
    if (status != SEMBED_OK || x.precision == PRECISION_F32)
        return status;
    struct product product = gemm_product(layer->intermediate, run->product, x.scales);
    kernels()->finish(run->encoder->config.activation, &product, block->rows, &run->inner_x);
    return SEMBED_OK;
}

static sembed_status run_layer(const struct run *run, const struct encoder_layer *layer,
                               sembed_error *error)
{
    struct block block = {0};
    sembed_status status = SEMBED_OK;
    while (status == SEMBED_OK && next_block(run, &block))
        status = project_attention(run, layer, &block, error);
    if (status == SEMBED_OK)
        status =
            attend_texts(&run->encoder->config, &run->encoder->relative_bias, run->encoder->tiles,
                         run->texts, &run->states, &run->context, run->scratch, run->poll, error);
    if (status != SEMBED_OK)
        return status;
    if (run->context.precision != run->context_x.precision)
        kernels()->narrow(run->context.numbers, run->tokens, &run->context_x);

    block = (struct block){0};
    while (status == SEMBED_OK && next_block(run, &block)) {
        struct operand context_x = operand_from(&run->context_x, block.first);
        status = add_norm(run, layer->attention_output, &layer->attention_norm, &context_x, &block,
                          error);
        if (status == SEMBED_OK)
            status = run_intermediate(run, layer, &block, error);
        if (status == SEMBED_OK)
            status =
                add_norm(run, layer->output, &layer->output_norm, &run->inner_x, &block, error);
    }
    return status;
}

/* What the engine reads beside the rows that are meant is zeros. */
static void clear_operands(const struct run *run)
{
    size_t number = operand_number_size(run->hidden_x.precision);
    size_t hidden = run->hidden_x.width * number;
    clear_padding(run->hidden_x.numbers, run->tokens, hidden);
    clear_padding(run->context_x.numbers, run->tokens, hidden);
    if (run->block_rows)
        clear_padding(run->inner_x.numbers, run->block_rows, run->inner_x.width * number);
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
    clear_operands(&run);
    status = embed(&run, error);
    for (size_t i = 0; status == SEMBED_OK && i < (layers ? layers : encoder->config.layers); i++)
        status = run_layer(&run, &encoder->layers[i], error);
    if (status == SEMBED_OK)
        *hidden = run.hidden;
    return status;
}
