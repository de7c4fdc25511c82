#include "core/model/model.h"

#include "core/base/file.h"
#include "core/base/memory.h"
#include "core/compute/gemm.h"
#include "core/model/weights.h"

#include <stdint.h>
#include <string.h>

/* <folder>/config.json, which says what the transformer is. */
static sembed_status read_architecture(struct sembed_model *model, struct json_file *config,
                                       sembed_error *error)
{
    const char *folder = model->modules.transformer_folder;
    char *path = path_join(folder, "config.json");
    if (!path)
        return error_no_memory(error, "a path");
    sembed_status status = json_file_open(path, config, error);
    memory_free(path);
    if (status == SEMBED_OK)
        status = architecture_read(config, &model->architecture, error);
    if (status != SEMBED_OK)
        return status;
    model->architecture_name =
        memory_copy_string(json_string_value(json_object_get(config->root, "model_type")));
    return model->architecture_name ? SEMBED_OK : error_no_memory(error, "the model");
}

/* The length that one of the files below names: its tokenizer's model_max_length, else max_seq_length;
 * SIZE_MAX where it names none. */
static sembed_status read_named_length(const struct json_file *file, size_t *length,
                                       sembed_error *error)
{
    const json_t *tokenizer = json_object_get(file->root, "processor_kwargs");
    if (!tokenizer)
        tokenizer = json_object_get(file->root, "tokenizer_args");
    sembed_status status =
        json_get_size_or(file, tokenizer, "model_max_length", SIZE_MAX, length, error);
    if (status == SEMBED_OK && *length == SIZE_MAX)
        status = json_get_size_or(file, file->root, "max_seq_length", SIZE_MAX, length, error);
    return status;
}

/* What sentence_bert_config.json, or the first of its older names that is there, says of the length. */
static sembed_status read_max_sequence_length(const char *folder, size_t *length,
                                              sembed_error *error)
{
    static const char *const names[] = {"sentence_bert_config.json", "sentence_roberta_config.json",
                                        "sentence_distilbert_config.json",
                                        "sentence_camembert_config.json",
                                        "sentence_xlm-roberta_config.json"};
    *length = SIZE_MAX;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = path_join(folder, names[i]);
        if (!path)
            return error_no_memory(error, "a path");
        struct json_file file = {0};
        bool found = file_exists(path);
        sembed_status status = found ? json_file_open(path, &file, error) : SEMBED_OK;
        memory_free(path);
        if (found && status == SEMBED_OK)
            status = read_named_length(&file, length, error);
        json_file_close(&file);
        if (found || status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

/* The longest input: max_seq_length, else the tokenizer's model_max_length, never more than there are
 * positions. */
static sembed_status decide_max_tokens(struct sembed_model *model, sembed_error *error)
{
    size_t length = SIZE_MAX;
    if (model->modules.listed) {
        sembed_status status =
            read_max_sequence_length(model->modules.transformer_folder, &length, error);
        if (status != SEMBED_OK)
            return status;
    }
    if (length == SIZE_MAX || length == 0)
        length = tokenizer_max_length(model->tokenizer);
    size_t positions = model->architecture.encoder.max_tokens;
    model->max_tokens = length < positions ? length : positions;
    return SEMBED_OK;
}

static sembed_status find_encoder(struct sembed_model *model, sembed_error *error)
{
    struct encoder_weights *weights = &model->unpacked;
    struct layer_weights *layers =
        memory_calloc(model->architecture.encoder.layers, sizeof *layers);
    if (!layers)
        return error_no_memory(error, "the list of layers");
    sembed_status status = weights_find(&model->weights, &model->architecture, layers, weights,
                                        &model->parameters, error);
    model->tables[MODEL_WORDS] = weights->words;
    model->tables[MODEL_POSITIONS] = weights->positions;
    model->tables[MODEL_TOKEN_TYPES] = weights->token_types;
    return status;
}

size_t table_bytes(const struct tensor *table)
{
    size_t count, bytes, each = table->type == NUMBER_F32 ? 4 : 2;
    return size_multiply(table->rows, table->columns, &count) && size_multiply(count, each, &bytes)
               ? bytes
               : SIZE_MAX;
}

static void forget_unpacked(struct sembed_model *model)
{
    memory_free((void *)model->unpacked.layers);
    model->unpacked = (struct encoder_weights){0};
}

/* What CrossEncoder.get_default_activation_fn does: the folder's word, in any of the three places where
 * it was put over the years, else a sigmoid for one label. */
static sembed_status decide_score_activation(struct sembed_model *model,
                                             const struct json_file *config, sembed_error *error)
{
    const char *class_path = model->prompts.activation;
    const json_t *nested = json_object_get(config->root, "sentence_transformers");
    sembed_status status = SEMBED_OK;
    if (!class_path)
        status = json_get_string_or(config, nested, "activation_fn", NULL, &class_path, error);
    if (status == SEMBED_OK && !class_path)
        status = json_get_string_or(config, config->root, "sbert_ce_default_activation_function",
                                    NULL, &class_path, error);
    if (status != SEMBED_OK)
        return status;
    model->score_activation =
        model->architecture.labels == 1 ? ACTIVATION_SIGMOID : ACTIVATION_NONE;
    if (class_path && !activation_from_torch(class_path, &model->score_activation))
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: activation of the scores: expected Identity, Sigmoid or another of "
                         "torch.nn, found '%s'",
                         model->folder, class_path);
    return SEMBED_OK;
}

static sembed_status load_head(struct sembed_model *model, const struct json_file *config,
                               sembed_error *error)
{
    struct head_weights head = {0};
    sembed_status status =
        weights_find_head(&model->weights, &model->architecture, &head, &model->parameters, error);
    if (status == SEMBED_OK)
        status = linear_create(&head.dense, model->architecture.family->head_activation,
                               &model->head_dense, error);
    if (status == SEMBED_OK)
        status = linear_create(&head.output, ACTIVATION_NONE, &model->head_output, error);
    if (status == SEMBED_OK)
        status = decide_score_activation(model, config, error);
    model->modules.dimensions = 0;
    return status;
}

/* The steps in the order in which their errors help most: what it is, whether it can be read, then
 * the costly ones. */
static sembed_status read_parts(struct sembed_model *model, enum precision precision,
                                const sembed_poll *poll, sembed_error *error)
{
    struct json_file config = {0};
    sembed_status status = modules_locate(model->folder, &model->modules, error);
    if (status == SEMBED_OK)
        status = read_architecture(model, &config, error);
    model->architecture.encoder.precision = precision;
    if (status == SEMBED_OK)
        status = prompts_read(model->folder, model->modules.listed, &model->prompts, error);
    if (status == SEMBED_OK)
        status = safetensors_open_in(model->modules.transformer_folder, &model->weights, error);
    if (status == SEMBED_OK)
        status = tokenizer_open(model->modules.transformer_folder, poll, &model->tokenizer, error);
    if (status == SEMBED_OK)
        status = decide_max_tokens(model, error);
    if (status == SEMBED_OK)
        status = modules_read(model->folder, model->architecture.encoder.hidden_size,
                              &model->modules, error);
    if (status == SEMBED_OK)
        status = find_encoder(model, error);
    /* A classifier whose folder lists no pooling is a cross-encoder. */
    if (status == SEMBED_OK && model->architecture.labels > 0 &&
        !(model->modules.listed && model->modules.pooled))
        status = load_head(model, &config, error);
    else if (status == SEMBED_OK && !model->modules.pooled)
        status = error_set(error, SEMBED_UNSUPPORTED,
                           "%s/modules.json: expected a Pooling module, found none", model->folder);
    model->parameters += model->modules.parameters;
    safetensors_drop_header(&model->weights);
    json_file_close(&config);
    return status;
}

sembed_status model_create(const char *name, const char *folder, struct sembed_model **model,
                           sembed_error *error)
{
    *model = memory_calloc(1, sizeof **model);
    if (*model) {
        (*model)->name = memory_copy_string(name);
        (*model)->folder = memory_copy_string(folder);
        if ((*model)->name && (*model)->folder)
            return SEMBED_OK;
    }
    model_free(*model);
    *model = NULL;
    return error_no_memory(error, "the model");
}

sembed_status model_read(const char *name, const char *folder, enum precision precision,
                         const sembed_poll *poll, struct sembed_model **model, sembed_error *error)
{
    *model = NULL;
    if (!folder_exists(folder))
        return error_set(error, SEMBED_NOT_FOUND, "%s: expected a model's folder, found none",
                         folder);
    struct sembed_model *loaded;
    sembed_status status = model_create(name, folder, &loaded, error);
    if (status != SEMBED_OK)
        return status;
    status = gemm_check_precision(precision, error);
    if (status == SEMBED_OK)
        status = read_parts(loaded, precision, poll, error);
    if (status != SEMBED_OK) {
        model_free(loaded);
        return status;
    }
    *model = loaded;
    return SEMBED_OK;
}

/* Takes a table out of the folder's file, which may be cut short while the model is in use. */
static sembed_status keep_table(struct sembed_model *model, size_t which, const sembed_poll *poll,
                                sembed_error *error)
{
    struct tensor *table = &model->tables[which];
    size_t bytes = table_bytes(table);
    char *kept = memory_aligned(bytes);
    model->table_memory[which] = kept;
    sembed_status status = kept ? file_map_copy(table->file, table->data, bytes, kept, poll, error)
                                : error_no_memory(error, "an embedding table");
    table->data = kept;
    table->file = NULL;
    return status;
}

sembed_status model_pack(struct sembed_model *model, const sembed_poll *poll, sembed_error *error)
{
    sembed_status status = SEMBED_OK;
    for (size_t i = 0; status == SEMBED_OK && i < MODEL_TABLES; i++)
        if (model->tables[i].data)
            status = keep_table(model, i, poll, error);
    model->unpacked.words = model->tables[MODEL_WORDS];
    model->unpacked.positions = model->tables[MODEL_POSITIONS];
    model->unpacked.token_types = model->tables[MODEL_TOKEN_TYPES];
    if (status == SEMBED_OK)
        status = encoder_create(&model->architecture.encoder, &model->unpacked, poll,
                                &model->encoder, error);
    if (status == SEMBED_OK) {
        forget_unpacked(model);
        safetensors_close(&model->weights);
    }
    return status;
}

void model_free(struct sembed_model *model)
{
    if (!model)
        return;
    forget_unpacked(model);
    linear_destroy(model->head_output);
    linear_destroy(model->head_dense);
    modules_free(&model->modules);
    prompts_free(&model->prompts);
    encoder_destroy(model->encoder);
    for (size_t i = 0; i < MODEL_TABLES; i++)
        memory_free(model->table_memory[i]);
    safetensors_close(&model->weights);
    tokenizer_close(model->tokenizer);
    image_close(&model->image); /* tables of the others are in it */
    memory_free(model->identity);
    memory_free(model->architecture_name);
    memory_free(model->folder);
    memory_free(model->name);
    memory_free(model);
}

void sembed_model_describe(const sembed_model *model, sembed_model_info *info)
{
    *info = (sembed_model_info){
        .name = model->name,
        .folder = model->folder,
        .architecture = model->architecture_name,
        .similarity = model->prompts.similarity,
        .dimensions = model->modules.dimensions,
        .labels = model_is_cross_encoder(model) ? model->architecture.labels : 0,
        .max_tokens = model->max_tokens,
        .layers = model->architecture.encoder.layers,
        .vocabulary_size = model->architecture.vocabulary_size,
        .parameters = model->parameters,
        .private_bytes = model->private_bytes,
        .shared_bytes = model->image.map.size,
        .load_milliseconds = model->load_milliseconds,
        .precision = precision_name(model->architecture.encoder.precision),
    };
}
