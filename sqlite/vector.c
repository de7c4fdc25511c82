#include "sqlite/extension.h"

#include "core/base/json_tree.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Vectors are stored as the machine holds them, and sqlite-vec's are little-endian. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "sembed's BLOBs are little-endian floats; this machine would have to swap them"
#endif

static sembed_status fail_with(struct argument argument, const char *found, sembed_error *error)
{
    return argument_fail(argument, error,
                         "expected a BLOB of float32 or a JSON array of numbers, found %s", found);
}

/* From any address. */
static sembed_status copy_values(struct vector *vector, const void *data, sembed_error *error)
{
    size_t size = vector->count * sizeof(float);
    vector->copy = sqlite3_malloc64(size);
    if (!vector->copy)
        return error_no_memory(error, "a vector");
    vector->values = memcpy(vector->copy, data, size);
    return SEMBED_OK;
}

static sembed_status read_blob(sqlite3_value *value, struct argument argument,
                               struct vector *vector, sembed_error *error)
{
    unsigned subtype = sqlite3_value_subtype(value);
    if (subtype == SUBTYPE_BINARY || subtype == SUBTYPE_INT8)
        return fail_with(argument, subtype == SUBTYPE_INT8 ? "an int8 vector" : "a binary vector",
                         error);
    const void *data = sqlite3_value_blob(value);
    size_t size = (size_t)sqlite3_value_bytes(value);
    if (size == 0)
        return fail_with(argument, "an empty BLOB", error);
    if (!data)
        return error_no_memory(error, "a vector");
    if (size % sizeof(float)) {
        char found[80];
        sqlite3_snprintf(sizeof found, found, "%lld bytes, no whole number of floats",
                         (long long)size);
        return fail_with(argument, found, error);
    }
    *vector = (struct vector){.count = size / sizeof(float)};
    /* A program may bind memory at any address. */
    if ((uintptr_t)data % _Alignof(float))
        return copy_values(vector, data, error);
    vector->values = data;
    return SEMBED_OK;
}

/* What vector_read keeps of constant JSON. */
struct parsed {
    size_t count;
    float values[];
};

static sembed_status parse_numbers(const json_t *array, struct argument argument,
                                   const sembed_poll *poll, struct parsed **result,
                                   sembed_error *error)
{
    size_t count = json_array_size(array);
    struct parsed *parsed = sqlite3_malloc64(sizeof *parsed + count * sizeof(float));
    if (!parsed)
        return error_no_memory(error, "a vector");
    parsed->count = count;
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(array, i);
        if (poll_wants_stop_at(poll, i)) {
            sqlite3_free(parsed);
            return error_canceled(error);
        }
        double value = json_number_value(number);
        /* What rounds to infinity is no float32: an overflow of the text's writer. */
        if (!json_is_number(number) || isinf((float)value)) {
            char found[80];
            sqlite3_snprintf(sizeof found, found, "something else at index %lld", (long long)i);
            sqlite3_free(parsed);
            return fail_with(argument, found, error);
        }
        parsed->values[i] = (float)value;
    }
    *result = parsed;
    return SEMBED_OK;
}

static sembed_status parse_json(sqlite3_value *value, struct argument argument,
                                const sembed_poll *poll, struct parsed **parsed,
                                sembed_error *error)
{
    sembed_text text = {0};
    sembed_status status = value_text(value, argument, &text, error);
    if (status)
        return status;
    struct json_fault fault;
    json_t *array;
    status = json_tree_read(text.data, text.length, poll, NULL, &array, &fault);
    if (status == SEMBED_NO_MEMORY)
        return error_no_memory(error, "a vector");
    if (status == SEMBED_CANCELED)
        return error_canceled(error);
    if (status)
        status = fail_with(argument, "TEXT that is not JSON", error);
    else if (!json_is_array(array) || json_array_size(array) == 0)
        status = fail_with(argument,
                           json_is_array(array) ? "an empty array" : "another kind of JSON", error);
    else
        status = parse_numbers(array, argument, poll, parsed, error);
    json_decref(array);
    return status;
}

/* Copies, because SQLite is free to drop what it keeps as soon as it is given. */
static sembed_status read_json(sqlite3_context *context, sqlite3_value *value,
                               struct argument argument, const sembed_poll *poll,
                               struct vector *vector, sembed_error *error)
{
    const int position = argument.position - 1;
    const struct parsed *kept = context ? sqlite3_get_auxdata(context, position) : NULL;
    if (kept) {
        *vector = (struct vector){.values = kept->values, .count = kept->count};
        return SEMBED_OK;
    }
    struct parsed *parsed = NULL;
    sembed_status status = parse_json(value, argument, poll, &parsed, error);
    if (status)
        return status;
    *vector = (struct vector){.values = parsed->values, .count = parsed->count};
    status = vector_own(vector, error);
    if (status) {
        sqlite3_free(parsed);
        return status;
    }
    if (context)
        sqlite3_set_auxdata(context, position, parsed, sqlite3_free);
    else
        sqlite3_free(parsed);
    return SEMBED_OK;
}

sembed_status vector_read(sqlite3_context *context, sqlite3_value *value, struct argument argument,
                          const sembed_poll *poll, struct vector *vector, sembed_error *error)
{
    switch (sqlite3_value_type(value)) {
    case SQLITE_BLOB:
        return read_blob(value, argument, vector, error);
    case SQLITE_TEXT:
        return read_json(context, value, argument, poll, vector, error);
    default:
        return fail_with(argument, value_type_word(value), error);
    }
}

sembed_status vector_read_pair(sqlite3_context *context, const char *function, int first,
                               sqlite3_value **values, const sembed_poll *poll, struct vector *a,
                               struct vector *b, sembed_error *error)
{
    sembed_status status = vector_read(
        context, values[first], (struct argument){function, first + 1, "vector"}, poll, a, error);
    if (!status)
        status = vector_read(context, values[first + 1],
                             (struct argument){function, first + 2, "vector"}, poll, b, error);
    if (!status && a->count != b->count)
        status = error_set(error, SEMBED_INVALID_ARGUMENT,
                           "%s: vectors of different sizes: %zu and %zu dimensions", function,
                           a->count, b->count);
    return status;
}

sembed_status vector_own(struct vector *vector, sembed_error *error)
{
    return vector->copy ? SEMBED_OK : copy_values(vector, vector->values, error);
}

void vector_free(struct vector *vector)
{
    sqlite3_free(vector->copy);
    *vector = (struct vector){0};
}

void vector_result(sqlite3_context *context, const float *values, size_t count)
{
    sqlite3_result_blob64(context, values, count * sizeof(float), SQLITE_TRANSIENT);
    sqlite3_result_subtype(context, SUBTYPE_FLOAT32);
}
