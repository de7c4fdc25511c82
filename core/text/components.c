#include "core/text/components.h"

#include <string.h>

#define DEEPEST_SEQUENCE 16

static sembed_status read_nested(const struct component_kind *kind, void *owner,
                                 const struct json_file *file, const json_t *json, unsigned depth,
                                 sembed_error *error)
{
    const char *type;
    sembed_status status = json_get_string(file, json, "type", &type, error);
    if (status != SEMBED_OK)
        return status;
    if (strcmp(type, "Sequence") != 0)
        return kind->read(owner, file, json, type, error);
    const json_t *parts = json_object_get(json, kind->list_key);
    if (!json_is_array(parts))
        return json_expected(file, kind->list_key, "an array", parts, error);
    if (depth == 0)
        return error_set(error, SEMBED_LIMIT, "%s: key '%s': nested over %d deep", file->path,
                         kind->key, DEEPEST_SEQUENCE);
    for (size_t i = 0; i < json_array_size(parts) && status == SEMBED_OK; i++)
        status = read_nested(kind, owner, file, json_array_get(parts, i), depth - 1, error);
    return status;
}

sembed_status components_read(const struct component_kind *kind, void *owner,
                              const struct json_file *file, const json_t *json, sembed_error *error)
{
    if (!json || json_is_null(json))
        return SEMBED_OK;
    return read_nested(kind, owner, file, json, DEEPEST_SEQUENCE, error);
}

sembed_status component_unknown(const struct component_kind *kind, const struct json_file *file,
                                const char *type, sembed_error *error)
{
    return error_set(error, SEMBED_UNSUPPORTED, "%s: key '%s': type '%s' is not supported",
                     file->path, kind->key, type);
}
