/* Vectors made from vectors. */
#include "sqlite/extension.h"

/* truncate_dim(v, n) → BLOB of float32: the first n numbers, as they are */
void function_truncate_dim(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    sembed_error error = {0};
    struct vector vector = {0};
    const sembed_poll poll = connection_poll(sqlite3_user_data(context));
    struct argument size = {"truncate_dim", 2, "dimensions"};
    size_t wanted = 0;
    sembed_status status = vector_read(
        context, values[0], (struct argument){"truncate_dim", 1, "vector"}, &poll, &vector, &error);
    if (!status)
        status = value_size(values[1], size, &wanted, &error);
    if (!status && (wanted < 1 || wanted > vector.count))
        status = argument_fail(size, &error, "expected 1 to %zu, found %zu", vector.count, wanted);
    if (status)
        function_fail(context, &error);
    else
        vector_result(context, vector.values, wanted);
    vector_free(&vector);
}

/* l2_normalize(v) → BLOB of float32: of length 1; zeros stay zeros */
void function_l2_normalize(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    sembed_error error = {0};
    struct vector vector = {0};
    const sembed_poll poll = connection_poll(sqlite3_user_data(context));
    if (vector_read(context, values[0], (struct argument){"l2_normalize", 1, "vector"}, &poll,
                    &vector, &error) ||
        vector_own(&vector, &poll, &error)) {
        function_fail(context, &error);
    } else {
        sembed_normalize_vector(vector.copy, vector.count);
        vector_result(context, vector.copy, vector.count);
    }
    vector_free(&vector);
}

/* quantize_int8(v) → BLOB of int8, one byte for each number */
void function_quantize_int8(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    sembed_error error = {0};
    struct vector vector = {0};
    const sembed_poll poll = connection_poll(sqlite3_user_data(context));
    if (vector_read(context, values[0], (struct argument){"quantize_int8", 1, "vector"}, &poll,
                    &vector, &error)) {
        function_fail(context, &error);
        return;
    }
    int8_t *numbers = sqlite3_malloc64(vector.count);
    if (numbers) {
        sembed_quantize_int8(vector.values, vector.count, numbers);
        sqlite3_result_blob64(context, numbers, vector.count, sqlite3_free);
        sqlite3_result_subtype(context, SUBTYPE_INT8);
    } else {
        sqlite3_result_error_nomem(context);
    }
    vector_free(&vector);
}

/* quantize_binary(v) → BLOB of bits in sqlite-vec's order, which counts whole bytes alone */
void function_quantize_binary(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    sembed_error error = {0};
    struct vector vector = {0};
    const sembed_poll poll = connection_poll(sqlite3_user_data(context));
    struct argument argument = {"quantize_binary", 1, "vector"};
    sembed_status status = vector_read(context, values[0], argument, &poll, &vector, &error);
    if (!status && vector.count % 8)
        status = argument_fail(argument, &error, "expected a multiple of 8 dimensions, found %zu",
                               vector.count);
    if (status) {
        function_fail(context, &error);
        vector_free(&vector);
        return;
    }
    uint8_t *bits = sqlite3_malloc64(vector.count / 8);
    if (bits) {
        sembed_quantize_binary(vector.values, vector.count, SEMBED_FIRST_BIT_LOW, bits);
        sqlite3_result_blob64(context, bits, vector.count / 8, sqlite3_free);
        sqlite3_result_subtype(context, SUBTYPE_BINARY);
    } else {
        sqlite3_result_error_nomem(context);
    }
    vector_free(&vector);
}
