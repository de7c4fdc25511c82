#include "sqlite/extension.h"

/* cos_sim(a, b) → REAL in −1 … 1. NaN, of vectors that hold one, is NULL in SQLite. */
void function_cos_sim(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    sembed_error error = {0};
    struct vector a = {0}, b = {0};

    if (vector_read(context, values[0], (struct argument){"cos_sim", 1, "vector"}, &a, &error) ||
        vector_read(context, values[1], (struct argument){"cos_sim", 2, "vector"}, &b, &error)) {
        function_fail(context, &error);
    } else if (a.count != b.count) {
        error_set(&error, SEMBED_INVALID_ARGUMENT,
                  "cos_sim: vectors of different sizes: %zu and %zu dimensions", a.count, b.count);
        function_fail(context, &error);
    } else {
        sqlite3_result_double(context, sembed_cos_sim(a.values, b.values, a.count));
    }
    vector_free(&a);
    vector_free(&b);
}
