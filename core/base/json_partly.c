#include "core/base/json_partly.h"

#include "core/base/file.h"
#include "core/base/json_reader.h"
#include "core/base/memory.h"

#include <string.h>

struct left_out_value {
    const char *key;
    const char *data, *end;
    const json_t *stand_in; /* what is in the tree instead */
};

struct json_left_out {
    struct file_map map; /* the values point into it */
    char *outer;
    struct left_out_value values[JSON_MOST_LEFT_OUT];
    size_t count;
};

void json_left_out_free(struct json_left_out *left_out)
{
    if (!left_out)
        return;
    file_unmap(&left_out->map);
    memory_free(left_out->outer);
    memory_free(left_out);
}

/* The place behind the string at `at`. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '\\')
            at++;
        else if (*at == '"')
            return at + 1;
    }
    return end;
}

/* Moves over any value; only strings and the depth of brackets are looked at. False where the text
 * ends before the value does. */
static bool skip_value(struct json_reader *reader)
{
    json_reader_skip_space(reader);
    const char *at = reader->at, *end = reader->end;
    size_t depth = 0;
    while (at < end) {
        char character = *at;
        if (character == '"') {
            at = skip_string(at, end);
        } else if (character == '[' || character == '{') {
            depth++;
            at++;
        } else if (character == ']' || character == '}') {
            if (depth == 0)
                break; /* of what is around the value */
            depth--;
            at++;
        } else if (depth == 0 && character == ',') {
            break;
        } else {
            at++;
            if (depth)
                continue;
            /* A number or a word ends where something else begins. */
            if (at < end && !strchr(" \n\r\t,]}", *at))
                continue;
        }
        if (depth == 0)
            break;
    }
    bool moved = at > reader->at && depth == 0;
    reader->at = at;
    return moved;
}

/* Whether the key that is next is spelled so, without escapes. Moves behind the colon. */
static bool take_key(struct json_reader *reader, const char **key, size_t *length)
{
    if (!json_reader_sees(reader, '"'))
        return false;
    *key = reader->at + 1;
    reader->at = skip_string(reader->at, reader->end);
    *length = (size_t)(reader->at - *key);
    if (*length)
        --*length; /* the quote */
    return json_reader_take(reader, ':');
}

static bool is_spelled(const char *key, size_t length, const char *wanted)
{
    return length == strlen(wanted) && memcmp(key, wanted, length) == 0;
}

/* Notes where the members to be left out stand in the object that is next. */
static bool find_inner(struct json_reader *reader, struct json_left_out *left_out)
{
    if (!json_reader_take(reader, '{'))
        return false;
    do {
        const char *key;
        size_t length;
        if (json_reader_sees(reader, '}') || !take_key(reader, &key, &length))
            break;
        json_reader_skip_space(reader);
        const char *start = reader->at;
        if (!skip_value(reader))
            return false;
        for (size_t i = 0; i < left_out->count; i++) {
            if (!is_spelled(key, length, left_out->values[i].key))
                continue;
            if (left_out->values[i].data)
                return false; /* twice: leave that to the tree */
            left_out->values[i].data = start;
            left_out->values[i].end = reader->at;
        }
    } while (json_reader_take(reader, ','));
    return json_reader_take(reader, '}');
}

/* Finds the outer object and in it the values; false where there is none or the text is not as it
 * should be. */
static bool find_values(struct json_left_out *left_out)
{
    struct json_reader reader = {.at = (const char *)left_out->map.data,
                                 .end = (const char *)left_out->map.data + left_out->map.size};
    if (!json_reader_take(&reader, '{'))
        return false;
    bool found = false;
    do {
        const char *key;
        size_t length;
        if (!take_key(&reader, &key, &length))
            return false;
        if (is_spelled(key, length, left_out->outer)) {
            if (found || !find_inner(&reader, left_out))
                return false;
            found = true;
        } else if (!skip_value(&reader)) {
            return false;
        }
    } while (json_reader_take(&reader, ','));
    return found;
}

/* The file's text with "[]" or "{}" for what is left out. */
static char *cut_text(const struct json_left_out *left_out, size_t *size)
{
    const char *at = (const char *)left_out->map.data, *end = at + left_out->map.size;
    char *text = memory_alloc(left_out->map.size); /* what is put in is no longer than what goes */
    *size = 0;
    while (text && at < end) {
        const struct left_out_value *next = NULL;
        for (size_t i = 0; i < left_out->count; i++) {
            const struct left_out_value *value = &left_out->values[i];
            if (value->data >= at && (!next || value->data < next->data))
                next = value;
        }
        const char *stop = next ? next->data : end;
        memcpy(text + *size, at, (size_t)(stop - at));
        *size += (size_t)(stop - at);
        if (!next)
            break;
        memcpy(text + *size, *next->data == '[' ? "[]" : "{}", 2);
        *size += 2;
        at = next->end;
    }
    return text;
}

/* Only arrays and objects are left out; anything else is small, and wrong in a way that the tree
 * shows better. */
static void keep_bulk_only(struct json_left_out *left_out)
{
    size_t count = 0;
    for (size_t i = 0; i < left_out->count; i++) {
        const struct left_out_value *value = &left_out->values[i];
        if (value->data && (*value->data == '[' || *value->data == '{'))
            left_out->values[count++] = *value;
    }
    left_out->count = count;
}

sembed_status json_file_open_partly(const char *path, const char *outer, const char *const *inner,
                                    size_t count, struct json_file *file, sembed_error *error)
{
    *file = (struct json_file){0};
    char *text = NULL;
    size_t size;
    struct json_left_out *left_out = memory_calloc(1, sizeof *left_out);
    if (!left_out)
        return error_no_memory(error, path);
    left_out->count = count;
    for (size_t i = 0; i < count; i++)
        left_out->values[i].key = inner[i];
    sembed_status status = file_map_open(path, &left_out->map, error);
    if (status != SEMBED_OK)
        goto cleanup;
    left_out->outer = memory_copy_string(outer);
    if (!left_out->outer) {
        status = error_no_memory(error, path);
        goto cleanup;
    }
    if (!find_values(left_out))
        left_out->count = 0; /* the tree has it all, or the message that says what is wrong */
    keep_bulk_only(left_out);
    text = cut_text(left_out, &size);
    status = text ? json_memory_open(path, text, size, file, error) : error_no_memory(error, path);
    if (status != SEMBED_OK)
        goto cleanup;
    for (size_t i = 0; i < left_out->count; i++)
        left_out->values[i].stand_in =
            json_object_get(json_object_get(file->root, outer), left_out->values[i].key);
    file->left_out = left_out;
    left_out = NULL;

cleanup:
    memory_free(text);
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
        const struct left_out_value *left_out = &file->left_out->values[i];
        if (left_out->stand_in == value) {
            text->data = left_out->data;
            text->size = (size_t)(left_out->end - left_out->data);
            return SEMBED_OK;
        }
    }
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    text->size = json_dumpb(value, NULL, 0, flags);
    text->data = text->owned = memory_alloc(text->size);
    if (!text->owned || json_dumpb(value, text->owned, text->size, flags) != text->size) {
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
