#include "core/model/modules.h"

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "core/model/architecture.h"
#include "core/model/safetensors.h"

#include <string.h>

#define MOST_MODULES 32

/* A module's class name without its package: "Pooling". */
static const char *class_name(const char *type)
{
    const char *dot = strrchr(type, '.');
    return dot ? dot + 1 : type;
}

/* A path in modules.json stays inside the model's folder. */
static bool path_is_inside(const char *path)
{
    if (path[0] == '/')
        return false;
    for (const char *part = path; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return false;
    }
    return true;
}

static sembed_status open_list(const char *folder, struct json_file *file, sembed_error *error)
{
    char *path = path_join(folder, "modules.json");
    if (!path)
        return error_no_memory(error, "a path");
    sembed_status status = json_file_open(path, file, error);
    memory_free(path);
    if (status == SEMBED_OK && (!json_is_array(file->root) || json_array_size(file->root) < 1 ||
                                json_array_size(file->root) > MOST_MODULES)) {
        status = error_set(error, SEMBED_MALFORMED, "%s: expected a list of 1 to %d modules",
                           file->path, MOST_MODULES);
        json_file_close(file);
    }
    return status;
}

/* One entry's class name and folder; the folder is the caller's to free. */
static sembed_status read_entry(const struct json_file *file, const char *folder, size_t i,
                                const char **name, char **module_folder, sembed_error *error)
{
    const json_t *entry = json_array_get(file->root, i);
    const char *type, *path;
    sembed_status status = json_get_string(file, entry, "type", &type, error);
    if (status == SEMBED_OK)
        status = json_get_string_or(file, entry, "path", "", &path, error);
    if (status != SEMBED_OK)
        return status;
    if (!path_is_inside(path))
        return error_set(error, SEMBED_MALFORMED,
                         "%s: key 'path': expected a folder inside the model's, found '%s'",
                         file->path, path);
    *name = class_name(type);
    *module_folder = path[0] ? path_join(folder, path) : memory_copy_string(folder);
    return *module_folder ? SEMBED_OK : error_no_memory(error, "a path");
}

sembed_status modules_locate(const char *folder, struct modules *modules, sembed_error *error)
{
    *modules = (struct modules){.include_prompt = true};
    struct json_file file = {0};
    sembed_status status = open_list(folder, &file, error);
    if (status == SEMBED_NOT_FOUND) {
        modules->transformer_folder = memory_copy_string(folder);
        return modules->transformer_folder ? SEMBED_OK : error_no_memory(error, "a path");
    }
    if (status != SEMBED_OK)
        return status;
    const char *name;
    status = read_entry(&file, folder, 0, &name, &modules->transformer_folder, error);
    if (status == SEMBED_OK && strcmp(name, "Transformer") != 0)
        status = error_set(error, SEMBED_UNSUPPORTED,
                           "%s: first module: expected Transformer, found '%s'", file.path, name);
    modules->listed = true;
    json_file_close(&file);
    return status;
}

static const struct {
    const char *name; /* in "pooling_mode" */
    const char *flag; /* as published until 2025 */
    enum pooling_mode mode;
} pooling_modes[POOLING_MODE_COUNT] = {
    {"cls", "pooling_mode_cls_token", POOLING_CLS},
    {"max", "pooling_mode_max_tokens", POOLING_MAX},
    {"mean", "pooling_mode_mean_tokens", POOLING_MEAN},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", POOLING_MEAN_SQRT_LENGTH},
    {"weightedmean", "pooling_mode_weightedmean_tokens", POOLING_WEIGHTED_MEAN},
    {"lasttoken", "pooling_mode_lasttoken", POOLING_LAST_TOKEN},
};

static sembed_status add_named_pooling(const struct json_file *config, const json_t *name,
                                       struct modules *modules, sembed_error *error)
{
    if (!json_is_string(name))
        return json_expected(config, "pooling_mode", "a name or a list of names", name, error);
    for (size_t i = 0; i < POOLING_MODE_COUNT; i++) {
        if (strcmp(json_string_value(name), pooling_modes[i].name) != 0)
            continue;
        if (modules->pooling_count == POOLING_MODE_COUNT)
            return error_set(error, SEMBED_UNSUPPORTED,
                             "%s: key 'pooling_mode': expected at most %d modes", config->path,
                             POOLING_MODE_COUNT);
        modules->pooling[modules->pooling_count++] = pooling_modes[i].mode;
        return SEMBED_OK;
    }
    return error_set(error, SEMBED_UNSUPPORTED,
                     "%s: key 'pooling_mode': expected cls, max, mean, mean_sqrt_len_tokens, "
                     "weightedmean or lasttoken, found '%s'",
                     config->path, json_string_value(name));
}

static sembed_status read_pooling_modes(const struct json_file *config, struct modules *modules,
                                        sembed_error *error)
{
    const json_t *named = json_object_get(config->root, "pooling_mode");
    sembed_status status = SEMBED_OK;
    if (json_is_string(named))
        return add_named_pooling(config, named, modules, error);
    for (size_t i = 0; status == SEMBED_OK && i < json_array_size(named); i++)
        status = add_named_pooling(config, json_array_get(named, i), modules, error);
    if (named)
        return status;
    for (size_t i = 0; status == SEMBED_OK && i < POOLING_MODE_COUNT; i++) {
        bool set;
        status = json_get_bool_or(config, config->root, pooling_modes[i].flag, false, &set, error);
        if (status == SEMBED_OK && set)
            modules->pooling[modules->pooling_count++] = pooling_modes[i].mode;
    }
    return status;
}

static sembed_status open_config(const char *folder, struct json_file *config, sembed_error *error)
{
    char *path = path_join(folder, "config.json");
    if (!path)
        return error_no_memory(error, "a path");
    sembed_status status = json_file_open(path, config, error);
    memory_free(path);
    return status;
}

static void add_mean_pooling(struct modules *modules)
{
    modules->pooled = true;
    modules->pooling[0] = POOLING_MEAN;
    modules->pooling_count = 1;
}

static sembed_status read_pooling(const char *folder, size_t hidden_size, struct modules *modules,
                                  sembed_error *error)
{
    struct json_file config = {0};
    sembed_status status = open_config(folder, &config, error);
    if (status != SEMBED_OK)
        return status;
    modules->pooling_count = 0;
    size_t width;
    const char *width_key = json_object_get(config.root, "embedding_dimension")
                                ? "embedding_dimension"
                                : "word_embedding_dimension";
    status = json_get_size_or(&config, config.root, width_key, hidden_size, &width, error);
    if (status == SEMBED_OK && width != hidden_size)
        status = error_set(error, SEMBED_MALFORMED,
                           "%s: key '%s': expected the encoder's %zu, found %zu", config.path,
                           width_key, hidden_size, width);
    if (status == SEMBED_OK)
        status = json_get_bool_or(&config, config.root, "include_prompt", true,
                                  &modules->include_prompt, error);
    if (status == SEMBED_OK)
        status = read_pooling_modes(&config, modules, error);
    if (status == SEMBED_OK) {
        if (modules->pooling_count == 0)
            add_mean_pooling(modules);
        modules->pooled = true;
        modules->dimensions = hidden_size * modules->pooling_count;
    }
    json_file_close(&config);
    return status;
}

/* The Dense module's own safetensors: linear.weight and linear.bias. */
static sembed_status load_dense_weights(const char *folder, size_t inputs, size_t outputs,
                                        bool has_bias, enum activation activation,
                                        struct linear **linear, sembed_error *error)
{
    struct safetensors file = {0};
    struct linear_weights weights = {0};
    sembed_status status = safetensors_open_in(folder, &file, error);
    if (status == SEMBED_OK)
        status = safetensors_get(&file, "linear.weight", &weights.weight, error);
    if (status == SEMBED_OK && has_bias)
        status = safetensors_get(&file, "linear.bias", &weights.bias, error);
    if (status == SEMBED_OK &&
        (weights.weight.rows != outputs || weights.weight.columns != inputs ||
         (has_bias && (weights.bias.rows != 1 || weights.bias.columns != outputs))))
        status = error_set(error, SEMBED_MALFORMED,
                           "%s: tensor 'linear.weight' (and bias): expected shape [%zu, %zu], "
                           "found [%zu, %zu]",
                           file.header.path, outputs, inputs, weights.weight.rows,
                           weights.weight.columns);
    if (status == SEMBED_OK)
        status = linear_create(&weights, activation, linear, error);
    safetensors_close(&file);
    return status;
}

static sembed_status read_dense_config(const struct json_file *config, size_t *inputs,
                                       size_t *outputs, bool *has_bias, enum activation *activation,
                                       sembed_error *error)
{
    const char *function, *input_name;
    bool residual = false;
    sembed_status status = json_get_size(config, config->root, "in_features", inputs, error);
    if (status == SEMBED_OK)
        status = json_get_size(config, config->root, "out_features", outputs, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(config, config->root, "bias", true, has_bias, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(config, config->root, "use_residual", false, &residual, error);
    if (status == SEMBED_OK)
        status = json_get_string_or(config, config->root, "activation_function",
                                    "torch.nn.modules.activation.Tanh", &function, error);
    if (status == SEMBED_OK)
        status = json_get_string_or(config, config->root, "module_input_name", "sentence_embedding",
                                    &input_name, error);
    if (status != SEMBED_OK)
        return status;
    if (residual || strcmp(input_name, "sentence_embedding") != 0)
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: expected a Dense module of the sentence embedding, without residual",
                         config->path);
    if (!activation_from_torch(function, activation))
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: key 'activation_function': expected Identity, Tanh, ReLU, Sigmoid, "
                         "GELU or SiLU of torch.nn, found '%s'",
                         config->path, function);
    return SEMBED_OK;
}

static sembed_status read_dense(const char *folder, struct modules *modules, sembed_error *error)
{
    struct json_file config = {0};
    size_t inputs = 0, outputs = 0;
    bool has_bias = true;
    enum activation activation = ACTIVATION_TANH;
    sembed_status status = open_config(folder, &config, error);
    if (status == SEMBED_OK)
        status = read_dense_config(&config, &inputs, &outputs, &has_bias, &activation, error);
    if (status == SEMBED_OK && (inputs != modules->dimensions || outputs < 1))
        status =
            error_set(error, SEMBED_MALFORMED, "%s: key 'in_features': expected %zu, found %zu",
                      config.path, modules->dimensions, inputs);
    json_file_close(&config);
    if (status != SEMBED_OK)
        return status;
    struct module *module = &modules->chain[modules->chain_count];
    status =
        load_dense_weights(folder, inputs, outputs, has_bias, activation, &module->linear, error);
    if (status != SEMBED_OK)
        return status;
    module->kind = MODULE_DENSE;
    module->inputs = inputs;
    module->outputs = outputs;
    module->activation = activation;
    modules->chain_count++;
    modules->dimensions = outputs;
    modules->normalized = false;
    modules->parameters += (uint64_t)inputs * outputs + (has_bias ? outputs : 0);
    return SEMBED_OK;
}

static sembed_status read_module(const struct json_file *list, const char *name, const char *folder,
                                 size_t hidden_size, struct modules *modules, sembed_error *error)
{
    /* Of several Poolings in a row each pools the same hidden states: the last one counts. */
    if (strcmp(name, "Pooling") == 0 && modules->chain_count == 0)
        return read_pooling(folder, hidden_size, modules, error);
    if (strcmp(name, "Dense") == 0 && modules->pooled)
        return read_dense(folder, modules, error);
    if (strcmp(name, "Normalize") == 0 && modules->pooled) {
        modules->chain[modules->chain_count++].kind = MODULE_NORMALIZE;
        modules->normalized = true;
        return SEMBED_OK;
    }
    return error_set(error, SEMBED_UNSUPPORTED,
                     "%s: expected one Pooling, then Dense and Normalize modules, found '%s'",
                     list->path, name);
}

sembed_status modules_read(const char *folder, size_t hidden_size, struct modules *modules,
                           sembed_error *error)
{
    modules->dimensions = modules->widest = hidden_size;
    if (!modules->listed) {
        add_mean_pooling(modules);
        return SEMBED_OK;
    }
    struct json_file list = {0};
    sembed_status status = open_list(folder, &list, error);
    if (status != SEMBED_OK)
        return status;
    size_t count = json_array_size(list.root);
    modules->chain = memory_calloc(count, sizeof *modules->chain);
    if (!modules->chain)
        status = error_no_memory(error, "the modules");
    for (size_t i = 1; status == SEMBED_OK && i < count; i++) {
        const char *name;
        char *module_folder = NULL;
        status = read_entry(&list, folder, i, &name, &module_folder, error);
        if (status == SEMBED_OK)
            status = read_module(&list, name, module_folder, hidden_size, modules, error);
        memory_free(module_folder);
        if (modules->dimensions > modules->widest)
            modules->widest = modules->dimensions;
    }
    json_file_close(&list);
    return status;
}

void modules_store(struct archive *archive, struct modules *modules)
{
    archive_value(archive, &modules->listed);
    archive_value(archive, &modules->pooled);
    archive_value(archive, &modules->pooling);
    archive_value(archive, &modules->pooling_count);
    archive_value(archive, &modules->include_prompt);
    archive_value(archive, &modules->dimensions);
    archive_value(archive, &modules->widest);
    archive_value(archive, &modules->normalized);
    archive_value(archive, &modules->parameters);
    archive_check(archive, modules->pooling_count <= POOLING_MODE_COUNT, "too many poolings");
    if (!archive_array(archive, (void **)&modules->chain, &modules->chain_count,
                       sizeof *modules->chain))
        return;
    for (size_t i = 0; i < modules->chain_count; i++) {
        struct module *module = &modules->chain[i];
        archive_value(archive, &module->kind);
        archive_value(archive, &module->inputs);
        archive_value(archive, &module->outputs);
        archive_value(archive, &module->activation);
        archive_check(archive,
                      module->kind <= MODULE_NORMALIZE && module->activation <= ACTIVATION_SIGMOID,
                      "a module of no known kind");
    }
    for (size_t i = 0; archive->status == SEMBED_OK && i < modules->pooling_count; i++)
        archive_check(archive, modules->pooling[i] < POOLING_MODE_COUNT, "an unknown pooling");
}

bool modules_are_sound(const struct modules *modules, size_t hidden_size)
{
    size_t width = modules->pooled ? modules->pooling_count * hidden_size : hidden_size;
    size_t widest = width > hidden_size ? width : hidden_size;
    bool sound = width > 0;
    for (size_t i = 0; i < modules->chain_count; i++) {
        const struct module *module = &modules->chain[i];
        if (module->kind != MODULE_DENSE)
            continue;
        sound &= module->inputs == width && module->outputs > 0;
        width = module->outputs;
        widest = width > widest ? width : widest;
    }
    return sound && modules->widest == widest &&
           (modules->dimensions == width || modules->dimensions == 0);
}

void modules_save_weights(const struct modules *modules, struct flat_writer *writer)
{
    for (size_t i = 0; i < modules->chain_count; i++)
        if (modules->chain[i].kind == MODULE_DENSE)
            linear_save(modules->chain[i].linear, writer);
}

sembed_status modules_open_weights(struct modules *modules, struct flat_reader *reader,
                                   sembed_error *error)
{
    sembed_status status = SEMBED_OK;
    for (size_t i = 0; status == SEMBED_OK && i < modules->chain_count; i++) {
        struct module *module = &modules->chain[i];
        if (module->kind == MODULE_DENSE)
            status = linear_open(module->outputs, module->inputs, module->activation, reader,
                                 &module->linear, error);
    }
    return status;
}

void modules_free(struct modules *modules)
{
    for (size_t i = 0; i < modules->chain_count; i++)
        linear_destroy(modules->chain[i].linear);
    memory_free(modules->chain);
    memory_free(modules->transformer_folder);
    *modules = (struct modules){0};
}
