#include "sqlite/extension.h"

#include "core/base/json_array.h"
#include "core/base/memory.h"

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
static sembed_status copy_values(struct vector *vector, const void *data, const sembed_poll *poll,
                                 sembed_error *error)
{
    size_t size = vector->count * sizeof(float);
    float *copy = sqlite3_malloc64(size);
    if (!copy)
        return error_no_memory(error, "a vector");
    if (!memory_copy(copy, data, size, poll)) {
        sqlite3_free(copy);
        return error_canceled(error);
    }
    vector->values = vector->copy = copy;
    return SEMBED_OK;
}

static sembed_status read_blob(sqlite3_value *value, struct argument argument,
                               const sembed_poll *poll, struct vector *vector, sembed_error *error)
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
        return copy_values(vector, data, poll, error);
    vector->values = data;
    return SEMBED_OK;
}

/* What vector_read keeps of constant JSON. */
struct parsed {
    size_t count;
    float values[];
};

struct numbers_reader {
    struct parsed *parsed;
    size_t capacity;
};

static bool grow(struct numbers_reader *reader)
{
    size_t capacity = reader->capacity * 2;
    struct parsed *grown =
        sqlite3_realloc64(reader->parsed, sizeof *grown + capacity * sizeof *grown->values);
    if (!grown)
        return false;
    reader->parsed = grown;
    reader->capacity = capacity;
    return true;
}

/* What rounds to infinity is no float32: an overflow of the text's writer. */
static bool take_number(struct json_reader *json, void *state)
{
    struct numbers_reader *reader = state;
    int64_t whole;
    double number;
    const char *start = json->at;
    if (json_reader_integer(json, &whole))
        number = (double)whole; /* -0 is 0, as for Python */
    else if (!json_reader_number(json, &number))
        return false;
    if (isinf((float)number)) {
        json->at = start;
        return false;
    }
    if (reader->parsed->count == reader->capacity && !grow(reader)) {
        json->no_memory = true;
        return false;
    }
    reader->parsed->values[reader->parsed->count++] = (float)number;
    return true;
}

static sembed_status fail_array(const struct json_array_fault *fault, struct argument argument,
                                sembed_error *error)
{
    char found[80];
    if (!fault->found)
        return fail_with(argument, "TEXT that is not JSON", error);
    if (fault->index == JSON_NO_ELEMENT)
        return fail_with(argument, "another kind of JSON", error);
    sqlite3_snprintf(sizeof found, found, "something else at index %lld", (long long)fault->index);
    return fail_with(argument, found, error);
}

static sembed_status parse_json(sqlite3_value *value, struct argument argument,
                                const sembed_poll *poll, struct parsed **parsed,
                                sembed_error *error)
{
    sembed_text text = {0};
    struct json_array_fault fault;
    struct numbers_reader reader = {.capacity = 512};
    sembed_status status = value_text(value, argument, &text, error);
    if (status)
        return status;
    reader.parsed =
        sqlite3_malloc64(sizeof *reader.parsed + reader.capacity * sizeof *reader.parsed->values);
    if (!reader.parsed)
        return error_no_memory(error, "a vector");
    reader.parsed->count = 0;
    status = json_array_read(text.data, text.length, poll, take_number, &reader, &fault);
    if (status == SEMBED_NO_MEMORY)
        status = error_no_memory(error, "a vector");
    else if (status == SEMBED_CANCELED)
        status = error_canceled(error);
    else if (status)
        status = fail_array(&fault, argument, error);
    else if (reader.parsed->count == 0)
        status = fail_with(argument, "an empty array", error);
    if (status)
        sqlite3_free(reader.parsed);
    else
        *parsed = reader.parsed;
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
    status = vector_own(vector, poll, error);
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
        return read_blob(value, argument, poll, vector, error);
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

sembed_status vector_own(struct vector *vector, const sembed_poll *poll, sembed_error *error)
{
    return vector->copy ? SEMBED_OK : copy_values(vector, vector->values, poll, error);
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
