#include "core/model/weights.h"

#include <stdio.h>
#include <string.h>

#define LONGEST_NAME 160

/* What every look-up needs. */
struct finder {
    const struct safetensors *file;
    char prefix[LONGEST_NAME]; /* before the name: "bert.encoder.layer.3." */
    uint64_t parameters;
    sembed_error *error;
};

static sembed_status find_tensor(struct finder *finder, const char *name, const char *suffix,
                                 size_t rows, size_t columns, struct tensor *tensor)
{
    char full_name[2 * LONGEST_NAME];
    snprintf(full_name, sizeof full_name, "%s%s%s", finder->prefix, name, suffix);
    sembed_status status = safetensors_get(finder->file, full_name, tensor, finder->error);
    if (status != SEMBED_OK)
        return status;
    if (tensor->rows != rows || tensor->columns != columns)
        return error_set(finder->error, SEMBED_MALFORMED,
                         "%s: tensor '%s': expected shape [%zu, %zu], found [%zu, %zu]",
                         finder->file->header.path, full_name, rows, columns, tensor->rows,
                         tensor->columns);
    finder->parameters += (uint64_t)rows * columns;
    return SEMBED_OK;
}

static sembed_status find_linear(struct finder *finder, const char *name, size_t outputs,
                                 size_t inputs, struct linear_weights *linear)
{
    sembed_status status = find_tensor(finder, name, ".weight", outputs, inputs, &linear->weight);
    if (status != SEMBED_OK)
        return status;
    return find_tensor(finder, name, ".bias", 1, outputs, &linear->bias);
}

/* Models converted from TensorFlow call a layer norm's scale gamma and its shift beta. */
static sembed_status find_norm(struct finder *finder, const char *name, size_t width,
                               struct norm_weights *norm)
{
    char gamma[2 * LONGEST_NAME];
    snprintf(gamma, sizeof gamma, "%s%s.gamma", finder->prefix, name);
    bool old_names = safetensors_has(finder->file, gamma);
    sembed_status status =
        find_tensor(finder, name, old_names ? ".gamma" : ".weight", 1, width, &norm->scale);
    if (status != SEMBED_OK)
        return status;
    return find_tensor(finder, name, old_names ? ".beta" : ".bias", 1, width, &norm->shift);
}

/* Sets the prefix of the encoder's tensors: the family's where the file has it, else none. */
static void set_encoder_prefix(struct finder *finder, const struct family *family)
{
    char probe[LONGEST_NAME];
    snprintf(probe, sizeof probe, "%sembeddings.word_embeddings.weight", family->tensor_prefix);
    bool prefixed = safetensors_has(finder->file, probe);
    snprintf(finder->prefix, sizeof finder->prefix, "%s", prefixed ? family->tensor_prefix : "");
}

/* The number of token types is whatever the table has: at least the one that is used. */
static sembed_status find_token_types(struct finder *finder, const struct tensor_names *names,
                                      size_t width, struct tensor *tensor)
{
    char name[2 * LONGEST_NAME];
    snprintf(name, sizeof name, "%s%s.weight", finder->prefix, names->token_types);
    sembed_status status = safetensors_get(finder->file, name, tensor, finder->error);
    if (status != SEMBED_OK)
        return status;
    if (tensor->rows < 1 || tensor->columns != width)
        return error_set(finder->error, SEMBED_MALFORMED,
                         "%s: tensor '%s': expected shape [1 or more, %zu], found [%zu, %zu]",
                         finder->file->header.path, name, width, tensor->rows, tensor->columns);
    finder->parameters += (uint64_t)tensor->rows * width;
    return SEMBED_OK;
}

static sembed_status find_embeddings(struct finder *finder, const struct architecture *architecture,
                                     struct encoder_weights *weights)
{
    const struct tensor_names *names = architecture->family->names;
    const struct encoder_config *config = &architecture->encoder;
    size_t width = config->embedding_size;
    sembed_status status = find_tensor(finder, "embeddings.word_embeddings", ".weight",
                                       architecture->vocabulary_size, width, &weights->words);
    if (status == SEMBED_OK)
        status = find_tensor(finder, "embeddings.position_embeddings", ".weight",
                             architecture->position_rows, width, &weights->positions);
    if (status == SEMBED_OK)
        status = find_norm(finder, "embeddings.LayerNorm", width, &weights->embedding_norm);
    if (status == SEMBED_OK && names->token_types)
        status = find_token_types(finder, names, width, &weights->token_types);
    if (status == SEMBED_OK && names->embedding_projection && width != config->hidden_size)
        status = find_linear(finder, names->embedding_projection, config->hidden_size, width,
                             &weights->embedding_projection);
    if (status == SEMBED_OK && names->relative_bias)
        status = find_tensor(finder, names->relative_bias, ".weight", config->relative_buckets,
                             config->heads, &weights->relative_bias);
    return status;
}

static sembed_status find_layer(struct finder *finder, const struct architecture *architecture,
                                struct layer_weights *layer)
{
    const struct tensor_names *names = architecture->family->names;
    size_t hidden = architecture->encoder.hidden_size;
    size_t intermediate = architecture->encoder.intermediate_size;
    const struct {
        const char *name;
        size_t outputs, inputs;
        struct linear_weights *linear;
    } linears[] = {
        {names->query, hidden, hidden, &layer->query},
        {names->key, hidden, hidden, &layer->key},
        {names->value, hidden, hidden, &layer->value},
        {names->attention_output, hidden, hidden, &layer->attention_output},
        {names->intermediate, intermediate, hidden, &layer->intermediate},
        {names->output, hidden, intermediate, &layer->output},
    };
    for (size_t i = 0; i < sizeof linears / sizeof *linears; i++) {
        sembed_status status = find_linear(finder, linears[i].name, linears[i].outputs,
                                           linears[i].inputs, linears[i].linear);
        if (status != SEMBED_OK)
            return status;
    }
    sembed_status status = find_norm(finder, names->attention_norm, hidden, &layer->attention_norm);
    if (status != SEMBED_OK)
        return status;
    return find_norm(finder, names->output_norm, hidden, &layer->output_norm);
}

sembed_status weights_find(const struct safetensors *file, const struct architecture *architecture,
                           struct layer_weights *layers, struct encoder_weights *weights,
                           uint64_t *parameters, sembed_error *error)
{
    struct finder finder = {.file = file, .error = error};
    *weights = (struct encoder_weights){.layers = layers};
    set_encoder_prefix(&finder, architecture->family);
    sembed_status status = find_embeddings(&finder, architecture, weights);
    size_t encoder_prefix = strlen(finder.prefix);
    for (size_t i = 0; status == SEMBED_OK && i < architecture->encoder.layers; i++) {
        snprintf(finder.prefix + encoder_prefix, sizeof finder.prefix - encoder_prefix, "%s%zu.",
                 architecture->family->names->layer_prefix, i);
        status = find_layer(&finder, architecture, &layers[i]);
    }
    *parameters += finder.parameters;
    return status;
}

sembed_status weights_find_head(const struct safetensors *file,
                                const struct architecture *architecture, struct head_weights *head,
                                uint64_t *parameters, sembed_error *error)
{
    struct finder finder = {.file = file, .error = error};
    const struct tensor_names *names = architecture->family->names;
    size_t hidden = architecture->encoder.hidden_size;
    if (architecture->family->pooler_in_encoder)
        set_encoder_prefix(&finder, architecture->family);
    sembed_status status = find_linear(&finder, names->head_dense, hidden, hidden, &head->dense);
    if (status != SEMBED_OK)
        return status;
    finder.prefix[0] = '\0';
    status = find_linear(&finder, names->head_output, architecture->labels, hidden, &head->output);
    *parameters += finder.parameters;
    return status;
}
