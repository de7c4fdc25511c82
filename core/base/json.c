#include "core/base/json.h"

#include "core/base/file.h"
#include "core/base/json_partly.h"
#include "core/base/memory.h"

#include <math.h>
#include <string.h>

static sembed_status read_text(const char *name, const char *data, size_t size,
                               const sembed_poll *poll, const struct json_omissions *omissions,
                               json_t **root, sembed_error *error)
{
    if (size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
        data += 3;
        size -= 3;
    }
    struct json_fault fault;
    sembed_status status = json_tree_read(data, size, poll, omissions, root, &fault);
    if (status == SEMBED_CANCELED)
        return error_canceled(error);
    if (status == SEMBED_NO_MEMORY)
        return error_no_memory(error, name);
    if (status != SEMBED_OK)
        return error_set(error, status, "%s: not JSON: line %zu: %s", name, fault.line,
                         fault.message);
    if (!json_is_object(*root) && !json_is_array(*root))
        return error_set(error, SEMBED_MALFORMED,
                         "%s: not JSON: expected an object or an array, found %s", name,
                         json_type_word(*root));
    return SEMBED_OK;
}

sembed_status json_text_open(const char *name, const char *data, size_t size,
                             const sembed_poll *poll, const struct json_omissions *omissions,
                             struct json_file *file, sembed_error *error)
{
    *file = (struct json_file){.path = memory_copy_string(name)};
    if (!file->path)
        return error_no_memory(error, name);
    sembed_status status = read_text(name, data, size, poll, omissions, &file->root, error);
    if (status != SEMBED_OK)
        json_file_close(file);
    return status;
}

sembed_status json_memory_open(const char *name, const char *data, size_t size,
                               struct json_file *file, sembed_error *error)
{
    return json_text_open(name, data, size, NULL, NULL, file, error);
}

sembed_status json_file_open(const char *path, struct json_file *file, sembed_error *error)
{
    *file = (struct json_file){0};
    struct file_map map;
    sembed_status status = file_read(path, NULL, &map, error);
    if (status != SEMBED_OK)
        return status;
    status = json_memory_open(path, (const char *)map.data, map.size, file, error);
    file_unmap(&map);
    return status;
}

void json_file_close(struct json_file *file)
{
    json_decref(file->root);
    json_left_out_free(file->left_out);
    memory_free(file->path);
    *file = (struct json_file){0};
}

const char *json_type_word(const json_t *value)
{
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        return "null";
    }
    return "an unknown type";
}

sembed_status json_expected(const struct json_file *file, const char *key, const char *expected,
                            const json_t *found, sembed_error *error)
{
    return error_set(error, SEMBED_MALFORMED, "%s: key '%s': expected %s, found %s", file->path,
                     key, expected, json_type_word(found));
}

/* object[key]; NULL where it is missing or null, or where object is none. */
static const json_t *look_up(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

sembed_status json_get_size(const struct json_file *file, const json_t *object, const char *key,
                            size_t *value, sembed_error *error)
{
    const json_t *found = look_up(object, key);
    double real = json_real_value(found); /* in a file with a number too large for an integer */
    bool whole = json_is_real(found) && fabs(real) < 9007199254740992.0 && floor(real) == real;
    if (!json_is_integer(found) && !whole)
        return json_expected(file, key, "a whole number", found, error);
    json_int_t number = whole ? (json_int_t)real : json_integer_value(found);
    if (number < 0)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: key '%s': expected no less than 0, found %lld", file->path, key,
                         (long long)number);
    *value = (size_t)number;
    return SEMBED_OK;
}

sembed_status json_get_size_or(const struct json_file *file, const json_t *object, const char *key,
                               size_t fallback, size_t *value, sembed_error *error)
{
    *value = fallback;
    return look_up(object, key) ? json_get_size(file, object, key, value, error) : SEMBED_OK;
}

sembed_status json_get_bool_or(const struct json_file *file, const json_t *object, const char *key,
                               bool fallback, bool *value, sembed_error *error)
{
    *value = fallback;
    const json_t *found = look_up(object, key);
    if (found && !json_is_boolean(found))
        return json_expected(file, key, "true or false", found, error);
    if (found)
        *value = json_is_true(found);
    return SEMBED_OK;
}

sembed_status json_get_number_or(const struct json_file *file, const json_t *object,
                                 const char *key, double fallback, double *value,
                                 sembed_error *error)
{
    *value = fallback;
    const json_t *found = look_up(object, key);
    if (found && !json_is_number(found))
        return json_expected(file, key, "a number", found, error);
    if (found)
        *value = json_number_value(found);
    return SEMBED_OK;
}

sembed_status json_get_string(const struct json_file *file, const json_t *object, const char *key,
                              const char **value, sembed_error *error)
{
    const json_t *found = look_up(object, key);
    if (!json_is_string(found))
        return json_expected(file, key, "a string", found, error);
    if (strlen(json_string_value(found)) != json_string_length(found))
        return error_set(error, SEMBED_MALFORMED, "%s: key '%s': holds a zero byte", file->path,
                         key);
    *value = json_string_value(found);
    return SEMBED_OK;
}

sembed_status json_get_string_or(const struct json_file *file, const json_t *object,
                                 const char *key, const char *fallback, const char **value,
                                 sembed_error *error)
{
    *value = fallback;
    return look_up(object, key) ? json_get_string(file, object, key, value, error) : SEMBED_OK;
}
