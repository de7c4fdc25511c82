/* How close two vectors are. NaN, of vectors that hold one, is NULL in SQLite. */
#include "sqlite/extension.h"

typedef double similarity(const float *a, const float *b, size_t n);

/* measure(a, b) → REAL */
static void compare(sqlite3_context *context, const char *function, sqlite3_value **values,
                    similarity *measure)
{
    if (any_null(2, values))
        return;
    sembed_error error = {0};
    struct vector a = {0}, b = {0};
    const sembed_poll poll = connection_poll(sqlite3_user_data(context));
    if (vector_read_pair(context, function, 0, values, &poll, &a, &b, &error))
        function_fail(context, &error);
    else
        sqlite3_result_double(context, measure(a.values, b.values, a.count));
    vector_free(&a);
    vector_free(&b);
}

void function_cos_sim(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    compare(context, "cos_sim", values, sembed_cos_sim);
}

void function_dot_score(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    compare(context, "dot_score", values, sembed_dot_score);
}

void function_euclidean_sim(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    compare(context, "euclidean_sim", values, sembed_euclidean_sim);
}

void function_manhattan_sim(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    compare(context, "manhattan_sim", values, sembed_manhattan_sim);
}

/* similarity(model, a, b) → REAL, by the measure that the model was made for */
void function_similarity(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    sembed_error error = {0};
    const char *name = NULL;
    struct call_model call = {0};
    struct vector a = {0}, b = {0};
    const sembed_poll poll = connection_poll(sqlite3_user_data(context));
    if (value_string(values[0], (struct argument){"similarity", 1, "model"}, &name, &error) ||
        vector_read_pair(context, "similarity", 1, values, &poll, &a, &b, &error) ||
        call_model_begin(context, name, false, &call, &error))
        function_fail(context, &error);
    else
        sqlite3_result_double(context, sembed_similarity(call.model, a.values, b.values, a.count));
    call_model_end(&call);
    vector_free(&a);
    vector_free(&b);
}
