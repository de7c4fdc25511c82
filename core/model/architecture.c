#include "core/model/architecture.h"

#include <string.h>

/* No model of these families comes near; beyond it a file is not what it says. */
#define LARGEST_SIZE            ((size_t)1 << 24)
#define MPNET_RELATIVE_BUCKETS  32
#define MPNET_RELATIVE_DISTANCE 128

static const struct config_keys bert_keys = {
    .hidden_size = "hidden_size",
    .layers = "num_hidden_layers",
    .heads = "num_attention_heads",
    .intermediate_size = "intermediate_size",
    .activation = "hidden_act",
};

static const struct config_keys distilbert_keys = {
    .hidden_size = "dim",
    .layers = "n_layers",
    .heads = "n_heads",
    .intermediate_size = "hidden_dim",
    .activation = "activation",
};

#define BERT_LAYER_NAMES                                                                           \
    .layer_prefix = "encoder.layer.", .query = "attention.self.query",                             \
    .key = "attention.self.key", .value = "attention.self.value",                                  \
    .attention_output = "attention.output.dense", .attention_norm = "attention.output.LayerNorm",  \
    .intermediate = "intermediate.dense", .output = "output.dense",                                \
    .output_norm = "output.LayerNorm", .token_types = "embeddings.token_type_embeddings"

static const struct tensor_names bert_names = {
    BERT_LAYER_NAMES,
    .head_dense = "pooler.dense",
    .head_output = "classifier",
};

static const struct tensor_names roberta_names = {
    BERT_LAYER_NAMES,
    .head_dense = "classifier.dense",
    .head_output = "classifier.out_proj",
};

static const struct tensor_names electra_names = {
    BERT_LAYER_NAMES,
    .embedding_projection = "embeddings_project",
    .head_dense = "classifier.dense",
    .head_output = "classifier.out_proj",
};

static const struct tensor_names distilbert_names = {
    .layer_prefix = "transformer.layer.",
    .query = "attention.q_lin",
    .key = "attention.k_lin",
    .value = "attention.v_lin",
    .attention_output = "attention.out_lin",
    .attention_norm = "sa_layer_norm",
    .intermediate = "ffn.lin1",
    .output = "ffn.lin2",
    .output_norm = "output_layer_norm",
    .head_dense = "pre_classifier",
    .head_output = "classifier",
};

static const struct tensor_names mpnet_names = {
    .layer_prefix = "encoder.layer.",
    .query = "attention.attn.q",
    .key = "attention.attn.k",
    .value = "attention.attn.v",
    .attention_output = "attention.attn.o",
    .attention_norm = "attention.LayerNorm",
    .intermediate = "intermediate.dense",
    .output = "output.dense",
    .output_norm = "output.LayerNorm",
    .relative_bias = "encoder.relative_attention_bias",
    .head_dense = "classifier.dense",
    .head_output = "classifier.out_proj",
};

static const struct family families[] = {
    {.model_types = {"bert"},
     .tensor_prefix = "bert.",
     .keys = &bert_keys,
     .names = &bert_names,
     .head_activation = ACTIVATION_TANH,
     .pooler_in_encoder = true,
     .reads_token_types = true},
    {.model_types = {"roberta", "xlm-roberta", "camembert"},
     .tensor_prefix = "roberta.",
     .keys = &bert_keys,
     .names = &roberta_names,
     .head_activation = ACTIVATION_TANH,
     .positions_after_padding = true},
    {.model_types = {"distilbert"},
     .tensor_prefix = "distilbert.",
     .keys = &distilbert_keys,
     .names = &distilbert_names,
     .head_activation = ACTIVATION_RELU},
    {.model_types = {"mpnet"},
     .tensor_prefix = "mpnet.",
     .keys = &bert_keys,
     .names = &mpnet_names,
     .head_activation = ACTIVATION_TANH,
     .positions_after_padding = true},
    {.model_types = {"electra"},
     .tensor_prefix = "electra.",
     .keys = &bert_keys,
     .names = &electra_names,
     .head_activation = ACTIVATION_GELU,
     .reads_token_types = true},
};

#define FAMILIES (sizeof families / sizeof *families)

void architecture_store(struct archive *archive, struct architecture *architecture)
{
    size_t family = archive->opening ? 0 : (size_t)(architecture->family - families);
    archive_value(archive, &family);
    archive_check(archive, family < FAMILIES, "an unknown family");
    if (archive->status == SEMBED_OK)
        architecture->family = &families[family];
    archive_value(archive, &architecture->encoder);
    archive_value(archive, &architecture->vocabulary_size);
    archive_value(archive, &architecture->position_rows);
    archive_value(archive, &architecture->labels);
    archive_check(archive,
                  architecture->encoder.activation <= ACTIVATION_SIGMOID &&
                      architecture->encoder.precision <= PRECISION_INT8 &&
                      architecture->labels <= LARGEST_SIZE,
                  "an architecture that is none");
}

static const struct family *find_family(const char *model_type)
{
    for (size_t i = 0; i < FAMILIES; i++) {
        const char *const *type = families[i].model_types;
        for (; *type; type++) {
            if (strcmp(*type, model_type) == 0)
                return &families[i];
        }
    }
    return NULL;
}

bool activation_from_name(const char *name, enum activation *activation)
{
    static const struct {
        const char *name;
        enum activation activation;
    } names[] = {
        {"gelu", ACTIVATION_GELU},
        {"gelu_python", ACTIVATION_GELU},
        {"gelu_new", ACTIVATION_GELU_TANH},
        {"gelu_fast", ACTIVATION_GELU_TANH},
        {"gelu_accurate", ACTIVATION_GELU_TANH},
        {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
        {"gelu_python_tanh", ACTIVATION_GELU_TANH},
        {"relu", ACTIVATION_RELU},
        {"silu", ACTIVATION_SILU},
        {"swish", ACTIVATION_SILU},
        {"tanh", ACTIVATION_TANH},
        {"sigmoid", ACTIVATION_SIGMOID},
        {"linear", ACTIVATION_NONE},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i].name, name) == 0) {
            *activation = names[i].activation;
            return true;
        }
    }
    return false;
}

bool activation_from_torch(const char *path, enum activation *activation)
{
    static const struct {
        const char *class_name;
        enum activation activation;
    } classes[] = {
        {"Identity", ACTIVATION_NONE},   {"Tanh", ACTIVATION_TANH}, {"ReLU", ACTIVATION_RELU},
        {"Sigmoid", ACTIVATION_SIGMOID}, {"GELU", ACTIVATION_GELU}, {"SiLU", ACTIVATION_SILU},
    };
    const char *dot = strrchr(path, '.');
    if (!dot || strncmp(path, "torch.nn.", strlen("torch.nn.")) != 0)
        return false;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (strcmp(classes[i].class_name, dot + 1) == 0) {
            *activation = classes[i].activation;
            return true;
        }
    }
    return false;
}

/* A size that must be there and lie between 1 and LARGEST_SIZE. */
static sembed_status read_size(const struct json_file *config, const char *key, size_t *value,
                               sembed_error *error)
{
    sembed_status status = json_get_size(config, config->root, key, value, error);
    if (status != SEMBED_OK)
        return status;
    if (*value < 1 || *value > LARGEST_SIZE)
        return error_set(error, SEMBED_MALFORMED, "%s: key '%s': expected 1 to %zu, found %zu",
                         config->path, key, LARGEST_SIZE, *value);
    return SEMBED_OK;
}

static sembed_status read_sizes(const struct json_file *config, const struct config_keys *keys,
                                struct architecture *architecture, sembed_error *error)
{
    struct encoder_config *encoder = &architecture->encoder;
    const struct {
        const char *key;
        size_t *value;
    } sizes[] = {
        {keys->hidden_size, &encoder->hidden_size},
        {keys->layers, &encoder->layers},
        {keys->heads, &encoder->heads},
        {keys->intermediate_size, &encoder->intermediate_size},
        {"max_position_embeddings", &architecture->position_rows},
        {"vocab_size", &architecture->vocabulary_size},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        sembed_status status = read_size(config, sizes[i].key, sizes[i].value, error);
        if (status != SEMBED_OK)
            return status;
    }
    if (encoder->hidden_size % encoder->heads != 0)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: key '%s': expected a divisor of %s %zu, found %zu", config->path,
                         keys->heads, keys->hidden_size, encoder->hidden_size, encoder->heads);
    encoder->embedding_size = encoder->hidden_size;
    return architecture->family->names->embedding_projection
               ? read_size(config, "embedding_size", &encoder->embedding_size, error)
               : SEMBED_OK;
}

/* RoBERTa's first position is behind the padding token's row: a model of 514 rows reads 512 tokens. */
static sembed_status read_positions(const struct json_file *config,
                                    struct architecture *architecture, sembed_error *error)
{
    struct encoder_config *encoder = &architecture->encoder;
    encoder->max_tokens = architecture->position_rows;
    if (!architecture->family->positions_after_padding)
        return SEMBED_OK;
    size_t padding_id;
    sembed_status status =
        json_get_size_or(config, config->root, "pad_token_id", 1, &padding_id, error);
    if (status != SEMBED_OK)
        return status;
    if (padding_id + 1 >= architecture->position_rows)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: key 'pad_token_id': expected less than the %zu positions, found %zu",
                         config->path, architecture->position_rows, padding_id);
    encoder->position_offset = padding_id + 1;
    encoder->max_tokens = architecture->position_rows - encoder->position_offset;
    return SEMBED_OK;
}

static sembed_status read_arithmetic(const struct json_file *config,
                                     struct architecture *architecture, sembed_error *error)
{
    struct encoder_config *encoder = &architecture->encoder;
    const char *activation_key = architecture->family->keys->activation;
    const char *activation, *position_type;
    double epsilon;
    sembed_status status =
        json_get_string_or(config, config->root, activation_key, "gelu", &activation, error);
    if (status == SEMBED_OK)
        status = json_get_number_or(config, config->root, "layer_norm_eps", 1e-12, &epsilon, error);
    if (status == SEMBED_OK)
        status = json_get_string_or(config, config->root, "position_embedding_type", "absolute",
                                    &position_type, error);
    if (status != SEMBED_OK)
        return status;
    if (!activation_from_name(activation, &encoder->activation))
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: key '%s': expected gelu, gelu_new, relu, silu or tanh, found '%s'",
                         config->path, activation_key, activation);
    if (strcmp(position_type, "absolute") != 0)
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: key 'position_embedding_type': expected 'absolute', found '%s'",
                         config->path, position_type);
    if (!(epsilon >= 0 && epsilon < 1))
        return error_set(error, SEMBED_MALFORMED,
                         "%s: key 'layer_norm_eps': expected 0 to 1, found %g", config->path,
                         epsilon);
    encoder->norm_epsilon = (float)epsilon;
    if (!architecture->family->names->relative_bias)
        return SEMBED_OK;
    encoder->relative_max_distance = MPNET_RELATIVE_DISTANCE;
    return json_get_size_or(config, config->root, "relative_attention_num_buckets",
                            MPNET_RELATIVE_BUCKETS, &encoder->relative_buckets, error);
}

/* Whether "architectures" names a classifier, and how many labels it has: id2label's size, then
 * num_labels, then transformers' own 2. */
static sembed_status read_head(const struct json_file *config, struct architecture *architecture,
                               sembed_error *error)
{
    const char *class_name =
        json_string_value(json_array_get(json_object_get(config->root, "architectures"), 0));
    if (!class_name || !strstr(class_name, "ForSequenceClassification"))
        return SEMBED_OK;
    size_t labels = json_object_size(json_object_get(config->root, "id2label"));
    sembed_status status =
        json_get_size_or(config, config->root, "num_labels", labels ? labels : 2, &labels, error);
    if (status != SEMBED_OK)
        return status;
    if (labels < 1 || labels > LARGEST_SIZE)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: key 'num_labels': expected at least 1, "
                         "found %zu",
                         config->path, labels);
    architecture->labels = labels;
    return SEMBED_OK;
}

sembed_status architecture_read(const struct json_file *config, struct architecture *architecture,
                                sembed_error *error)
{
    *architecture = (struct architecture){0};
    const char *model_type;
    sembed_status status = json_get_string(config, config->root, "model_type", &model_type, error);
    if (status != SEMBED_OK)
        return status;
    architecture->family = find_family(model_type);
    if (!architecture->family)
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: key 'model_type': expected bert, roberta, xlm-roberta, camembert, "
                         "distilbert, mpnet or electra, found '%s'",
                         config->path, model_type);
    status = read_sizes(config, architecture->family->keys, architecture, error);
    if (status == SEMBED_OK)
        status = read_positions(config, architecture, error);
    if (status == SEMBED_OK)
        status = read_arithmetic(config, architecture, error);
    if (status == SEMBED_OK)
        status = read_head(config, architecture, error);
    return status;
}
