#include "core/model/prompts.h"

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/memory.h"

#include <stdint.h>
#include <string.h>

static sembed_status copy_string(const char *string, char **copy, sembed_error *error)
{
    *copy = memory_copy_string(string);
    return *copy ? SEMBED_OK : error_no_memory(error, "the prompts");
}

/* A prompt that is null in the file is a place-holder, and left out. */
static sembed_status read_prompts(const struct json_file *file, struct prompts *prompts,
                                  sembed_error *error)
{
    json_t *object = json_object_get(file->root, "prompts");
    if (!object || json_is_null(object))
        return SEMBED_OK;
    if (!json_is_object(object))
        return json_expected(file, "prompts", "an object", object, error);
    prompts->items = memory_calloc(json_object_size(object), sizeof *prompts->items);
    if (!prompts->items)
        return error_no_memory(error, "the prompts");
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (json_is_null(value))
            continue;
        const char *text;
        sembed_status status = json_get_string(file, object, name, &text, error);
        struct prompt *prompt = &prompts->items[prompts->count++];
        if (status == SEMBED_OK)
            status = copy_string(name, &prompt->name, error);
        if (status == SEMBED_OK)
            status = copy_string(text, &prompt->text, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static sembed_status read_defaults(const struct json_file *file, struct prompts *prompts,
                                   sembed_error *error)
{
    static const char *const known[] = {"cosine", "dot", "euclidean", "manhattan"};
    const char *default_name, *similarity, *activation;
    sembed_status status =
        json_get_string_or(file, file->root, "default_prompt_name", NULL, &default_name, error);
    if (status == SEMBED_OK)
        status = json_get_string_or(file, file->root, "similarity_fn_name", "cosine", &similarity,
                                    error);
    if (status == SEMBED_OK)
        status =
            json_get_size_or(file, file->root, "truncate_dim", 0, &prompts->truncate_dim, error);
    if (status == SEMBED_OK)
        status = json_get_string_or(file, file->root, "activation_fn", NULL, &activation, error);
    if (status == SEMBED_OK && activation)
        status = copy_string(activation, &prompts->activation, error);
    if (status != SEMBED_OK)
        return status;
    prompts->default_text = default_name ? prompts_find(prompts, default_name) : NULL;
    if (default_name && !prompts->default_text)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: key 'default_prompt_name': expected one of its prompts, found '%s'",
                         file->path, default_name);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i], similarity) == 0)
            return copy_string(similarity, &prompts->similarity, error);
    }
    return error_set(error, SEMBED_UNSUPPORTED,
                     "%s: key 'similarity_fn_name': expected cosine, dot, euclidean or manhattan, "
                     "found '%s'",
                     file->path, similarity);
}

sembed_status prompts_read(const char *folder, bool listed, struct prompts *prompts,
                           sembed_error *error)
{
    *prompts = (struct prompts){0};
    struct json_file file = {0};
    char *path = path_join(folder, "config_sentence_transformers.json");
    if (!path)
        return error_no_memory(error, "a path");
    sembed_status status =
        listed && file_exists(path) ? json_file_open(path, &file, error) : SEMBED_OK;
    memory_free(path);
    if (status != SEMBED_OK)
        return status;
    if (!file.root)
        return copy_string("cosine", &prompts->similarity, error);
    status = read_prompts(&file, prompts, error);
    if (status == SEMBED_OK)
        status = read_defaults(&file, prompts, error);
    json_file_close(&file);
    if (status != SEMBED_OK)
        prompts_free(prompts);
    return status;
}

void prompts_free(struct prompts *prompts)
{
    for (size_t i = 0; i < prompts->count; i++) {
        memory_free(prompts->items[i].name);
        memory_free(prompts->items[i].text);
    }
    memory_free(prompts->items);
    memory_free(prompts->similarity);
    memory_free(prompts->activation);
    *prompts = (struct prompts){0};
}

/* The place of the default prompt; count for the empty one that every model has; SIZE_MAX for none. */
static size_t default_place(const struct prompts *prompts)
{
    size_t place = 0;
    while (place < prompts->count && prompts->items[place].text != prompts->default_text)
        place++;
    return prompts->default_text ? place : SIZE_MAX;
}

void prompts_store(struct archive *archive, struct prompts *prompts)
{
    if (!archive_array(archive, (void **)&prompts->items, &prompts->count, sizeof *prompts->items))
        return;
    size_t chosen = archive->opening ? SIZE_MAX : default_place(prompts);
    for (size_t i = 0; i < prompts->count; i++) {
        archive_string(archive, &prompts->items[i].name);
        archive_string(archive, &prompts->items[i].text);
        archive_check(archive, prompts->items[i].name && prompts->items[i].text,
                      "a prompt without a text");
    }
    archive_value(archive, &chosen);
    if (archive->opening && chosen != SIZE_MAX)
        prompts->default_text = chosen < prompts->count ? prompts->items[chosen].text : "";
    archive_string(archive, &prompts->similarity);
    archive_value(archive, &prompts->truncate_dim);
    archive_string(archive, &prompts->activation);
    archive_check(archive, prompts->similarity != NULL, "a model without a similarity");
}

const char *prompts_find(const struct prompts *prompts, const char *name)
{
    for (size_t i = 0; i < prompts->count; i++) {
        if (strcmp(prompts->items[i].name, name) == 0)
            return prompts->items[i].text;
    }
    bool every_model_has = strcmp(name, "query") == 0 || strcmp(name, "document") == 0;
    return every_model_has ? "" : NULL;
}
