/*
 * Aggregates that evaluate a model. As SQL's own do, they leave out a row in which an argument is
 * NULL, and give NULL where no row is left.
 */
#include "sqlite/extension.h"

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------------------- correlations */

/* pearson(x, y), spearman(x, y): all pairs so far. */
struct pairs {
    double *x, *y;
    size_t count, capacity;
};

static bool grow(double **numbers, size_t capacity)
{
    double *larger = sqlite3_realloc64(*numbers, capacity * sizeof **numbers);
    if (larger)
        *numbers = larger;
    return larger != NULL;
}

static sembed_status add_pair(struct pairs *pairs, const char *function, sqlite3_value **values,
                              sembed_error *error)
{
    double x = 0, y = 0;
    sembed_status status = value_real(values[0], (struct argument){function, 1, "x"}, &x, error);
    if (!status)
        status = value_real(values[1], (struct argument){function, 2, "y"}, &y, error);
    if (status)
        return status;
    if (pairs->count == pairs->capacity) {
        size_t capacity = pairs->capacity ? 2 * pairs->capacity : 64;
        if (!grow(&pairs->x, capacity) || !grow(&pairs->y, capacity))
            return error_no_memory(error, "the pairs of a correlation");
        pairs->capacity = capacity;
    }
    pairs->x[pairs->count] = x;
    pairs->y[pairs->count++] = y;
    return SEMBED_OK;
}

static void correlation_step(sqlite3_context *context, const char *function, sqlite3_value **values)
{
    if (any_null(2, values))
        return;
    struct pairs *pairs = sqlite3_aggregate_context(context, sizeof *pairs);
    sembed_error error = {0};
    if (!pairs)
        sqlite3_result_error_nomem(context);
    else if (add_pair(pairs, function, values, &error))
        function_fail(context, &error);
}

static sembed_status pearson(const double *x, const double *y, size_t n, double *correlation,
                             sembed_error *error)
{
    (void)error;
    *correlation = sembed_pearson(x, y, n);
    return SEMBED_OK;
}

/* NaN, of fewer than two pairs or of numbers that are all equal, is NULL in SQLite. */
static void correlation_final(sqlite3_context *context,
                              sembed_status (*correlate)(const double *x, const double *y, size_t n,
                                                         double *correlation, sembed_error *error))
{
    struct pairs *pairs = sqlite3_aggregate_context(context, 0);
    sembed_error error = {0};
    double correlation = NAN;
    if (!pairs)
        return;
    if (pairs->count > 1 && correlate(pairs->x, pairs->y, pairs->count, &correlation, &error))
        function_fail(context, &error);
    else
        sqlite3_result_double(context, correlation);
    sqlite3_free(pairs->x);
    sqlite3_free(pairs->y);
}

void pearson_step(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    correlation_step(context, "pearson", values);
}

void spearman_step(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    correlation_step(context, "spearman", values);
}

void pearson_final(sqlite3_context *context)
{
    correlation_final(context, pearson);
}

void spearman_final(sqlite3_context *context)
{
    correlation_final(context, sembed_spearman);
}

/* -------------------------------------------------------------------------------- triplets */

struct triplets {
    sqlite3_int64 right, all;
};

static const struct {
    const char *name;
    double (*measure)(const float *a, const float *b, size_t n);
} metrics[] = {
    {"cosine", sembed_cos_sim},
    {"dot", sembed_dot_score},
    {"euclidean", sembed_euclidean_sim},
    {"manhattan", sembed_manhattan_sim},
};

static sembed_status read_metric(sqlite3_value *value, int *metric, sembed_error *error)
{
    const struct argument argument = {"triplet_accuracy", 4, "metric"};
    const char *name = NULL;
    sembed_status status = value_string(value, argument, &name, error);
    if (status)
        return status;
    for (int i = 0; i < (int)(sizeof metrics / sizeof *metrics); i++)
        if (strcmp(name, metrics[i].name) == 0) {
            *metric = i;
            return SEMBED_OK;
        }
    return argument_fail(argument, error,
                         "expected 'cosine', 'dot', 'euclidean' or 'manhattan', found '%s'", name);
}

/* triplet_accuracy(anchor, positive, negative [, metric]) → REAL: the share of rows in which the anchor
 * is closer to the positive, by the cosine where no metric is named. Source: sentence_transformers' TripletEvaluator. */
void triplet_accuracy_step(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    struct triplets *triplets = sqlite3_aggregate_context(context, sizeof *triplets);
    sembed_error error = {0};
    struct vector anchor = {0}, positive = {0}, negative = {0};
    int metric = 0;
    if (!triplets) {
        sqlite3_result_error_nomem(context);
        return;
    }
    sembed_status status =
        vector_read_pair(NULL, "triplet_accuracy", 0, values, &anchor, &positive, &error);
    if (!status) {
        vector_free(&positive);
        status =
            vector_read_pair(NULL, "triplet_accuracy", 1, values, &positive, &negative, &error);
    }
    if (!status && count > 3)
        status = read_metric(values[3], &metric, &error);
    if (status) {
        function_fail(context, &error);
    } else {
        size_t n = anchor.count;
        triplets->right += metrics[metric].measure(anchor.values, positive.values, n) >
                           metrics[metric].measure(anchor.values, negative.values, n);
        triplets->all++;
    }
    vector_free(&anchor);
    vector_free(&positive);
    vector_free(&negative);
}

void triplet_accuracy_final(sqlite3_context *context)
{
    const struct triplets *triplets = sqlite3_aggregate_context(context, 0);
    if (triplets && triplets->all > 0)
        sqlite3_result_double(context, (double)triplets->right / (double)triplets->all);
}

/* ---------------------------------------------------------------------------- squared errors */

struct errors {
    double sum;
    size_t numbers;
};

/* negative_mse(student, teacher) → REAL: −100 times the mean over rows and dimensions of the squared
 * difference. Source: sentence_transformers' MSEEvaluator. */
void negative_mse_step(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    struct errors *errors = sqlite3_aggregate_context(context, sizeof *errors);
    sembed_error error = {0};
    struct vector student = {0}, teacher = {0};
    if (!errors) {
        sqlite3_result_error_nomem(context);
        return;
    }
    if (vector_read_pair(NULL, "negative_mse", 0, values, &student, &teacher, &error)) {
        function_fail(context, &error);
    } else {
        for (size_t i = 0; i < student.count; i++) {
            double difference = (double)student.values[i] - teacher.values[i];
            errors->sum += difference * difference;
        }
        errors->numbers += student.count;
    }
    vector_free(&student);
    vector_free(&teacher);
}

void negative_mse_final(sqlite3_context *context)
{
    const struct errors *errors = sqlite3_aggregate_context(context, 0);
    if (errors && errors->numbers > 0)
        sqlite3_result_double(context, -100 * errors->sum / (double)errors->numbers);
}
