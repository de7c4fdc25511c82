/* Makes encoders: from tensors, packing their matrices, or from flat bytes that were saved before. */
#include "core/base/memory.h"
#include "core/compute/encoder_parts.h"
#include "core/compute/pack.h"

#include <math.h>

/* -------------------------------------------------------------------------------------- checks */

static sembed_status check_config(const struct encoder_config *config, sembed_error *error)
{
    if (config->hidden_size == 0 || config->embedding_size == 0 || config->layers == 0 ||
        config->intermediate_size == 0 || config->max_tokens == 0)
        return error_set(error, SEMBED_MALFORMED,
                         "an encoder needs a hidden size, an embedding size, layers, an "
                         "intermediate size and positions, found %zu, %zu, %zu, %zu and %zu",
                         config->hidden_size, config->embedding_size, config->layers,
                         config->intermediate_size, config->max_tokens);
    if (config->heads == 0 || config->hidden_size % config->heads != 0)
        return error_set(error, SEMBED_MALFORMED,
                         "a hidden size of %zu cannot be split into %zu attention heads",
                         config->hidden_size, config->heads);
    /* Keeps every size that follows from these, such as 3·hidden·hidden, far from overflow. */
    if (config->hidden_size > 1 << 20 || config->intermediate_size > 1 << 20 ||
        config->embedding_size > 1 << 20 || config->max_tokens > 1 << 20 ||
        config->layers > 1 << 16 || config->relative_buckets > 1 << 20)
        return error_set(error, SEMBED_LIMIT, "the encoder's sizes are beyond all sense");
    if (!isfinite(config->norm_epsilon) || config->norm_epsilon < 0)
        return error_set(error, SEMBED_MALFORMED,
                         "expected a layer norm epsilon of at least 0, found %g",
                         (double)config->norm_epsilon);
    if (config->relative_buckets && (config->relative_buckets < 4 ||
                                     config->relative_max_distance <= config->relative_buckets / 4))
        return error_set(error, SEMBED_MALFORMED,
                         "expected at least 4 relative buckets and a distance above a quarter of "
                         "them, found %zu and %zu",
                         config->relative_buckets, config->relative_max_distance);
    return SEMBED_OK;
}

static sembed_status check_tables(const struct encoder_config *config,
                                  const struct encoder_weights *weights, sembed_error *error)
{
    size_t width = config->embedding_size;
    sembed_status status =
        check_shape(&weights->words, weights->words.rows, width, "word embeddings", error);
    if (status == SEMBED_OK && weights->words.rows == 0)
        status = error_set(error, SEMBED_MALFORMED, "word embeddings: expected a row, found none");
    if (status == SEMBED_OK)
        status = check_shape(&weights->positions, weights->positions.rows, width,
                             "position embeddings", error);
    if (status == SEMBED_OK &&
        (weights->positions.rows < config->position_offset ||
         weights->positions.rows - config->position_offset < config->max_tokens))
        status = error_set(error, SEMBED_MALFORMED,
                           "position embeddings: expected %zu rows for texts of %zu tokens, found "
                           "%zu",
                           config->max_tokens + config->position_offset, config->max_tokens,
                           weights->positions.rows);
    if (status == SEMBED_OK && weights->token_types.data)
        status = check_shape(&weights->token_types, weights->token_types.rows, width,
                             "token type embeddings", error);
    return status;
}

/* --------------------------------------------------------------------------------------- making */

static sembed_status pack_norm(const struct norm_weights *weights, size_t width, float epsilon,
                               struct norm *norm, sembed_error *error)
{
    float *scale = NULL, *shift = NULL;
    sembed_status status = pack_vector(&weights->scale, width, "layer norm scale", &scale, error);
    if (status == SEMBED_OK)
        status = pack_vector(&weights->shift, width, "layer norm shift", &shift, error);
    *norm = (struct norm){scale, shift, width, epsilon};
    return status;
}

/* The shapes of a layer's matrices. */
struct layer_shapes {
    struct gemm_shape query_key_value, attention_output, intermediate, output;
};

static struct layer_shapes shapes_of_layer(const struct encoder *encoder)
{
    const struct encoder_config *config = &encoder->config;
    size_t hidden = config->hidden_size, intermediate = config->intermediate_size;
    enum precision precision = config->precision;
    return (struct layer_shapes){
        .query_key_value = {3 * hidden, hidden, ACTIVATION_NONE, precision,
                            encoder->tiles && precision == PRECISION_BF16},
        .attention_output = {hidden, hidden, ACTIVATION_NONE, precision, false},
        .intermediate = {intermediate, hidden, config->activation, precision, false},
        .output = {hidden, intermediate, ACTIVATION_NONE, precision, false},
    };
}

/* The projection is not of a layer: it stays float32. */
static struct gemm_shape shape_of_projection(const struct encoder_config *config)
{
    return (struct gemm_shape){config->hidden_size, config->embedding_size, ACTIVATION_NONE,
                               PRECISION_F32, false};
}

static sembed_status pack_layer(const struct encoder *encoder, const struct layer_weights *weights,
                                const sembed_poll *poll, struct encoder_layer *layer,
                                sembed_error *error)
{
    const struct encoder_config *config = &encoder->config;
    const struct layer_shapes shapes = shapes_of_layer(encoder);
    const struct linear_weights *stack[] = {&weights->query, &weights->key, &weights->value};
    const struct linear_weights *attention_output[] = {&weights->attention_output};
    const struct linear_weights *up[] = {&weights->intermediate};
    const struct linear_weights *down[] = {&weights->output};
    sembed_status status = pack_linear(stack, 3, &shapes.query_key_value, "query, key or value",
                                       poll, &layer->query_key_value, error);
    if (status == SEMBED_OK)
        status = pack_linear(attention_output, 1, &shapes.attention_output, "attention output",
                             poll, &layer->attention_output, error);
    if (status == SEMBED_OK)
        status = pack_norm(&weights->attention_norm, config->hidden_size, config->norm_epsilon,
                           &layer->attention_norm, error);
    if (status == SEMBED_OK)
        status = pack_linear(up, 1, &shapes.intermediate, "intermediate", poll,
                             &layer->intermediate, error);
    if (status == SEMBED_OK)
        status = pack_linear(down, 1, &shapes.output, "output", poll, &layer->output, error);
    if (status == SEMBED_OK)
        status = pack_norm(&weights->output_norm, config->hidden_size, config->norm_epsilon,
                           &layer->output_norm, error);
    return status;
}

static sembed_status error_no_projection(const struct encoder_config *config, sembed_error *error)
{
    return error_set(error, SEMBED_MALFORMED,
                     "embeddings of width %zu for hidden states of width %zu need a "
                     "projection, found none",
                     config->embedding_size, config->hidden_size);
}

static sembed_status pack_embeddings(struct encoder *encoder, const struct encoder_weights *weights,
                                     sembed_error *error)
{
    const struct encoder_config *config = &encoder->config;
    const struct linear_weights *projection[] = {&weights->embedding_projection};
    const struct gemm_shape shape = shape_of_projection(config);
    sembed_status status = pack_norm(&weights->embedding_norm, config->embedding_size,
                                     config->norm_epsilon, &encoder->embedding_norm, error);
    if (status != SEMBED_OK)
        return status;
    if (weights->embedding_projection.weight.data)
        return pack_linear(projection, 1, &shape, "embedding projection", NULL,
                           &encoder->embedding_projection, error);
    if (config->embedding_size != config->hidden_size)
        return error_no_projection(config, error);
    return SEMBED_OK;
}

/* An encoder whose tables are set and checked, and which is otherwise empty. */
static sembed_status encoder_begin(const struct encoder_config *config,
                                   const struct encoder_weights *weights, struct encoder **encoder,
                                   sembed_error *error)
{
    sembed_status status = check_config(config, error);
    if (status == SEMBED_OK)
        status = check_tables(config, weights, error);
    if (status != SEMBED_OK)
        return status;
    struct encoder *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "an encoder");
    made->config = *config;
    made->tiles = config->precision == PRECISION_F32 ? NULL : kernels_with_tiles();
    made->tables[EMBEDDING_WORD] = weights->words;
    made->tables[EMBEDDING_TOKEN_TYPE] = weights->token_types;
    made->tables[EMBEDDING_POSITION] = weights->positions;
    made->layers = memory_calloc(config->layers, sizeof *made->layers);
    if (!made->layers) {
        memory_free(made);
        return error_no_memory(error, "the encoder's layers");
    }
    *encoder = made;
    return SEMBED_OK;
}

/* Hands the encoder out where all went well, else frees it. */
static sembed_status encoder_end(struct encoder *made, sembed_status status,
                                 struct encoder **encoder)
{
    if (status == SEMBED_OK)
        *encoder = made;
    else
        encoder_destroy(made);
    return status;
}

/* All but the layers. */
static sembed_status pack_what_layers_share(const struct encoder_config *config,
                                            const struct encoder_weights *weights,
                                            struct encoder **encoder, sembed_error *error)
{
    sembed_status status = encoder_begin(config, weights, encoder, error);
    if (status == SEMBED_OK)
        status = pack_embeddings(*encoder, weights, error);
    if (status == SEMBED_OK && config->relative_buckets)
        status = relative_bias_create(config, &weights->relative_bias, &(*encoder)->relative_bias,
                                      error);
    return status;
}

sembed_status encoder_create(const struct encoder_config *config,
                             const struct encoder_weights *weights, const sembed_poll *poll,
                             struct encoder **encoder, sembed_error *error)
{
    struct encoder *made = NULL;
    *encoder = NULL;
    sembed_status status = pack_what_layers_share(config, weights, &made, error);
    for (size_t i = 0; status == SEMBED_OK && i < config->layers; i++)
        status = pack_layer(made, &weights->layers[i], poll, &made->layers[i], error);
    return encoder_end(made, status, encoder);
}

static void norm_destroy(struct norm *norm)
{
    memory_free((void *)norm->scale);
    memory_free((void *)norm->shift);
}

/* What the layer has; afterwards it has nothing. */
static void layer_destroy(struct encoder_layer *layer, bool borrows)
{
    gemm_weights_destroy(layer->query_key_value);
    gemm_weights_destroy(layer->attention_output);
    gemm_weights_destroy(layer->intermediate);
    gemm_weights_destroy(layer->output);
    if (!borrows) {
        norm_destroy(&layer->attention_norm);
        norm_destroy(&layer->output_norm);
    }
    *layer = (struct encoder_layer){0};
}

void encoder_destroy(struct encoder *encoder)
{
    if (!encoder)
        return;
    for (size_t i = 0; i < encoder->config.layers; i++)
        layer_destroy(&encoder->layers[i], encoder->borrows);
    if (!encoder->borrows) {
        norm_destroy(&encoder->embedding_norm);
        memory_free((void *)encoder->relative_bias.values);
    }
    gemm_weights_destroy(encoder->embedding_projection);
    memory_free(encoder->layers);
    memory_free(encoder);
}

/* ----------------------------------------------------------------------------------- flat bytes */

static void save_norm(const struct norm *norm, struct flat_writer *writer)
{
    flat_write(writer, norm->scale, norm->width * sizeof *norm->scale);
    flat_write(writer, norm->shift, norm->width * sizeof *norm->shift);
}

static void save_what_layers_share(const struct encoder *encoder, struct flat_writer *writer)
{
    const uint64_t projects = encoder->embedding_projection != NULL;
    save_norm(&encoder->embedding_norm, writer);
    flat_write(writer, &projects, sizeof projects);
    if (projects)
        gemm_save(encoder->embedding_projection, writer);
    if (encoder->relative_bias.values)
        flat_write(writer, encoder->relative_bias.values,
                   relative_bias_bytes(&encoder->config, &encoder->relative_bias));
}

static void save_layer(const struct encoder_layer *layer, struct flat_writer *writer)
{
    gemm_save(layer->query_key_value, writer);
    gemm_save(layer->attention_output, writer);
    save_norm(&layer->attention_norm, writer);
    gemm_save(layer->intermediate, writer);
    gemm_save(layer->output, writer);
    save_norm(&layer->output_norm, writer);
}

/* A layer's memory is freed when the next one has been packed, not before: that is where the one after
 * the next then goes, in pages that are already there. */
sembed_status encoder_compile(const struct encoder_config *config,
                              const struct encoder_weights *weights, const sembed_poll *poll,
                              struct flat_writer *writer, sembed_error *error)
{
    struct encoder *made = NULL;
    sembed_status status = pack_what_layers_share(config, weights, &made, error);
    if (status == SEMBED_OK)
        save_what_layers_share(made, writer);
    for (size_t i = 0; status == SEMBED_OK && i < config->layers; i++) {
        status = pack_layer(made, &weights->layers[i], poll, &made->layers[i], error);
        if (status == SEMBED_OK)
            save_layer(&made->layers[i], writer);
        if (i > 0)
            layer_destroy(&made->layers[i - 1], false);
    }
    encoder_destroy(made);
    return status;
}

static sembed_status open_norm(struct flat_reader *reader, size_t width, float epsilon,
                               struct norm *norm, sembed_error *error)
{
    const void *scale, *shift;
    size_t bytes = width * sizeof *norm->scale;
    sembed_status status = flat_read(reader, bytes, "layer norm scale", &scale, error);
    if (status == SEMBED_OK)
        status = flat_read(reader, bytes, "layer norm shift", &shift, error);
    if (status == SEMBED_OK)
        *norm = (struct norm){scale, shift, width, epsilon};
    return status;
}

static sembed_status open_embeddings(struct encoder *encoder, struct flat_reader *reader,
                                     sembed_error *error)
{
    const struct encoder_config *config = &encoder->config;
    const struct gemm_shape shape = shape_of_projection(config);
    const void *projects;
    sembed_status status = open_norm(reader, config->embedding_size, config->norm_epsilon,
                                     &encoder->embedding_norm, error);
    if (status == SEMBED_OK)
        status = flat_read(reader, sizeof(uint64_t), "projection", &projects, error);
    if (status != SEMBED_OK)
        return status;
    if (*(const uint64_t *)projects)
        return gemm_open(&shape, reader, &encoder->embedding_projection, error);
    if (config->embedding_size != config->hidden_size)
        return error_no_projection(config, error);
    return SEMBED_OK;
}

static sembed_status open_layer(const struct encoder *encoder, struct flat_reader *reader,
                                struct encoder_layer *layer, sembed_error *error)
{
    const struct encoder_config *config = &encoder->config;
    const struct layer_shapes shapes = shapes_of_layer(encoder);
    sembed_status status =
        gemm_open(&shapes.query_key_value, reader, &layer->query_key_value, error);
    if (status == SEMBED_OK)
        status = gemm_open(&shapes.attention_output, reader, &layer->attention_output, error);
    if (status == SEMBED_OK)
        status = open_norm(reader, config->hidden_size, config->norm_epsilon,
                           &layer->attention_norm, error);
    if (status == SEMBED_OK)
        status = gemm_open(&shapes.intermediate, reader, &layer->intermediate, error);
    if (status == SEMBED_OK)
        status = gemm_open(&shapes.output, reader, &layer->output, error);
    if (status == SEMBED_OK)
        status = open_norm(reader, config->hidden_size, config->norm_epsilon, &layer->output_norm,
                           error);
    return status;
}

sembed_status encoder_open(const struct encoder_config *config,
                           const struct encoder_weights *weights, struct flat_reader *reader,
                           struct encoder **encoder, sembed_error *error)
{
    struct encoder *made = NULL;
    *encoder = NULL;
    sembed_status status = encoder_begin(config, weights, &made, error);
    if (status != SEMBED_OK)
        return status;
    made->borrows = true;
    status = open_embeddings(made, reader, error);
    if (status == SEMBED_OK && config->relative_buckets)
        status = relative_bias_open(config, reader, &made->relative_bias, error);
    for (size_t i = 0; status == SEMBED_OK && i < config->layers; i++)
        status = open_layer(made, reader, &made->layers[i], error);
    return encoder_end(made, status, encoder);
}
