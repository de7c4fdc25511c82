#include "core/model/model_name.h"

#include "core/base/memory.h"

#include <string.h>

/* Names are folders' names, never paths: "..", "a/b" and hidden folders are refused. */
static sembed_status check_name(const char *name, sembed_error *error)
{
    if (name[0] == '\0' || name[0] == '.' || strchr(name, '/'))
        return error_set(error, SEMBED_INVALID_ARGUMENT,
                         "model name '%s': expected the name of a folder on the model path, "
                         "without a slash or a leading dot",
                         name);
    return SEMBED_OK;
}

/* The bytes of a name before its precision, all of them where it has none. */
static size_t base_length(const char *name, enum precision *precision)
{
    const char *at = strrchr(name, '@');
    *precision = PRECISION_F32;
    return at && precision_from_name(at + 1, strlen(at + 1), precision) ? (size_t)(at - name)
                                                                        : strlen(name);
}

sembed_status model_name_parse(const char *text, struct model_name *name, sembed_error *error)
{
    *name = (struct model_name){0};
    sembed_status status = check_name(text, error);
    if (status != SEMBED_OK)
        return status;
    size_t length = base_length(text, &name->precision);
    name->base = memory_copy_string(text);
    name->canonical = memory_copy_string(text);
    if (!name->base || !name->canonical) {
        model_name_free(name);
        return error_no_memory(error, "a model's name");
    }
    name->base[length] = '\0';
    if (name->precision == PRECISION_F32)
        name->canonical[length] = '\0';
    status = check_name(name->base, error); /* "@int8" alone names nothing */
    if (status != SEMBED_OK)
        model_name_free(name);
    return status;
}

void model_name_free(struct model_name *name)
{
    memory_free(name->base);
    memory_free(name->canonical);
    *name = (struct model_name){0};
}

enum precision model_name_precision(const char *text)
{
    enum precision precision;
    base_length(text, &precision);
    return precision;
}

bool model_name_same_base(const char *a, const char *b)
{
    enum precision ignored;
    size_t length = base_length(a, &ignored);
    return length == base_length(b, &ignored) && memcmp(a, b, length) == 0;
}
