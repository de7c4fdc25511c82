#include "core/base/json_partly.h"

#include "core/base/file.h"
#include "core/base/memory.h"

struct json_left_out {
    struct file_map map; /* the values point into it */
    struct json_omission values[JSON_MOST_LEFT_OUT];
    size_t count;
};

void json_left_out_free(struct json_left_out *left_out)
{
    if (!left_out)
        return;
    file_unmap(&left_out->map);
    memory_free(left_out);
}

sembed_status json_file_open_partly(const char *path, const char *outer, const char *const *inner,
                                    size_t count, const sembed_poll *poll, struct json_file *file,
                                    sembed_error *error)
{
    *file = (struct json_file){0};
    struct json_left_out *left_out = memory_calloc(1, sizeof *left_out);
    if (!left_out)
        return error_no_memory(error, path);
    for (left_out->count = 0; left_out->count < count; left_out->count++)
        left_out->values[left_out->count].key = inner[left_out->count];
    const struct json_omissions omissions = {outer, left_out->values, count};
    sembed_status status = file_read(path, poll, &left_out->map, error);
    if (status == SEMBED_OK)
        status = json_text_open(path, (const char *)left_out->map.data, left_out->map.size, poll,
                                &omissions, file, error);
    if (status == SEMBED_OK)
        file->left_out = left_out;
    else
        json_left_out_free(left_out);
    return status;
}

sembed_status json_text_of(const struct json_file *file, const json_t *object, const char *key,
                           struct json_text *text, sembed_error *error)
{
    *text = (struct json_text){.data = ""};
    const json_t *value = json_object_get(object, key);
    if (!value)
        return SEMBED_OK;
    for (size_t i = 0; file->left_out && i < file->left_out->count; i++) {
        const struct json_omission *left_out = &file->left_out->values[i];
        if (left_out->stand_in == value) {
            text->data = left_out->data;
            text->size = (size_t)(left_out->end - left_out->data);
            return SEMBED_OK;
        }
    }
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    text->size = json_dumpb(value, NULL, 0, flags);
    text->data = text->owned = memory_alloc(text->size);
    /* No value is of no length: 0 says that there is no memory. */
    if (text->size == 0 || !text->owned ||
        json_dumpb(value, text->owned, text->size, flags) != text->size) {
        json_text_free(text);
        return error_no_memory(error, file->path);
    }
    return SEMBED_OK;
}

void json_text_free(struct json_text *text)
{
    memory_free(text->owned);
    *text = (struct json_text){0};
}
