/*
 * Aggregates that evaluate a model. As SQL's own do, they leave out a row in which an argument is
 * NULL, and give NULL where no row is left.
 *
 * They are window functions, too. SQLite then calls …_value for the frame as it stands, and …_inverse
 * with the arguments of the row that leaves it, which is always the one that has been in it longest.
 */
#include "sqlite/extension.h"

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------------------- correlations */

/* pearson(x, y), spearman(x, y): the pairs [first, stop). */
struct pairs {
    double *x, *y;
    size_t first, stop, capacity;
};

static bool grow(double **numbers, size_t capacity)
{
    double *larger = sqlite3_realloc64(*numbers, capacity * sizeof **numbers);
    if (larger)
        *numbers = larger;
    return larger != NULL;
}

/* Room for one more: where pairs have left at the front, or in a larger array. */
static bool reserve_pair(struct pairs *pairs)
{
    if (pairs->stop < pairs->capacity)
        return true;
    if (pairs->first > pairs->capacity / 2) {
        pairs->stop -= pairs->first;
        memmove(pairs->x, pairs->x + pairs->first, pairs->stop * sizeof *pairs->x);
        memmove(pairs->y, pairs->y + pairs->first, pairs->stop * sizeof *pairs->y);
        pairs->first = 0;
        return true;
    }
    size_t capacity = pairs->capacity ? 2 * pairs->capacity : 64;
    if (!grow(&pairs->x, capacity) || !grow(&pairs->y, capacity))
        return false;
    pairs->capacity = capacity;
    return true;
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
    if (!reserve_pair(pairs))
        return error_no_memory(error, "the pairs of a correlation");
    pairs->x[pairs->stop] = x;
    pairs->y[pairs->stop++] = y;
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

void correlation_inverse(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct pairs *pairs = sqlite3_aggregate_context(context, 0);
    if (pairs && pairs->first < pairs->stop && !any_null(count, values))
        pairs->first++;
}

typedef sembed_status correlation_function(const double *x, const double *y, size_t n,
                                           const sembed_poll *poll, double *correlation,
                                           sembed_error *error);

/* NaN, of fewer than two pairs or of numbers that are all equal, is NULL in SQLite. */
static void correlation_value(sqlite3_context *context, correlation_function *correlate)
{
    const struct pairs *pairs = sqlite3_aggregate_context(context, 0);
    struct connection *connection = sqlite3_user_data(context);
    sembed_poll poll = connection_poll(connection);
    sembed_error error = {0};
    double correlation = NAN;
    if (pairs && pairs->stop - pairs->first > 1 &&
        correlate(pairs->x + pairs->first, pairs->y + pairs->first, pairs->stop - pairs->first,
                  &poll, &correlation, &error))
        function_fail(context, &error);
    else
        sqlite3_result_double(context, correlation);
}

static void correlation_final(sqlite3_context *context, correlation_function *correlate)
{
    struct pairs *pairs = sqlite3_aggregate_context(context, 0);
    correlation_value(context, correlate);
    if (!pairs)
        return;
    sqlite3_free(pairs->x);
    sqlite3_free(pairs->y);
    *pairs = (struct pairs){0};
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

void pearson_value(sqlite3_context *context)
{
    correlation_value(context, sembed_pearson);
}

void spearman_value(sqlite3_context *context)
{
    correlation_value(context, sembed_spearman);
}

void pearson_final(sqlite3_context *context)
{
    correlation_final(context, sembed_pearson);
}

void spearman_final(sqlite3_context *context)
{
    correlation_final(context, sembed_spearman);
}

/* -------------------------------------------------------------------------------- means */

/*
 * A mean of numbers that come and go: their sum, with what rounding lost of it, and how many. So the
 * large numbers that a window leaves behind do not blur the small ones in it. Source: A. Neumaier,
 * 1974, as SQLite's own sum().
 */
struct mean {
    double sum, lost;
    sqlite3_int64 count;
};

static void mean_add(struct mean *mean, double sum, sqlite3_int64 count)
{
    double total = mean->sum + sum;
    mean->lost +=
        fabs(mean->sum) >= fabs(sum) ? (mean->sum - total) + sum : (sum - total) + mean->sum;
    mean->sum = total;
    mean->count += count;
}

static void mean_result(sqlite3_context *context, double factor)
{
    const struct mean *mean = sqlite3_aggregate_context(context, 0);
    if (!mean || mean->count == 0)
        return;
    /* What was lost of an infinite sum is no number. */
    double sum = isfinite(mean->sum) ? mean->sum + mean->lost : mean->sum;
    sqlite3_result_double(context, 0 + factor * (sum / (double)mean->count)); /* 0, not -0 */
}

/* What a row adds to a mean. */
typedef sembed_status term_function(int count, sqlite3_value **values, const sembed_poll *poll,
                                    double *sum, sqlite3_int64 *numbers, sembed_error *error);

/* sign −1: the row leaves. */
static void mean_step(sqlite3_context *context, int count, sqlite3_value **values,
                      term_function *term, int sign)
{
    double sum = 0;
    sqlite3_int64 numbers = 0;
    sembed_error error = {0};
    if (any_null(count, values))
        return;
    const sembed_poll poll = connection_poll(sqlite3_user_data(context));
    struct mean *mean = sqlite3_aggregate_context(context, sizeof *mean);
    if (!mean)
        sqlite3_result_error_nomem(context);
    else if (term(count, values, &poll, &sum, &numbers, &error))
        function_fail(context, &error);
    else
        mean_add(mean, sign * sum, sign * numbers);
}

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

/* 1 or 0 of one triplet. */
static sembed_status triplet_term(int count, sqlite3_value **values, const sembed_poll *poll,
                                  double *sum, sqlite3_int64 *numbers, sembed_error *error)
{
    struct vector anchor = {0}, positive = {0}, negative = {0};
    int metric = 0;
    sembed_status status =
        vector_read_pair(NULL, "triplet_accuracy", 0, values, poll, &anchor, &positive, error);
    if (!status) {
        vector_free(&positive);
        status = vector_read_pair(NULL, "triplet_accuracy", 1, values, poll, &positive, &negative,
                                  error);
    }
    if (!status && count > 3)
        status = read_metric(values[3], &metric, error);
    if (!status) {
        *sum = metrics[metric].measure(anchor.values, positive.values, anchor.count) >
               metrics[metric].measure(anchor.values, negative.values, anchor.count);
        *numbers = 1;
    }
    vector_free(&anchor);
    vector_free(&positive);
    vector_free(&negative);
    return status;
}

/* The squares of the differences of two vectors' numbers. */
static sembed_status squares_term(int count, sqlite3_value **values, const sembed_poll *poll,
                                  double *sum, sqlite3_int64 *numbers, sembed_error *error)
{
    (void)count;
    struct vector student = {0}, teacher = {0};
    sembed_status status =
        vector_read_pair(NULL, "negative_mse", 0, values, poll, &student, &teacher, error);
    for (size_t i = 0; !status && i < student.count; i++) {
        double difference = (double)student.values[i] - teacher.values[i];
        *sum += difference * difference;
    }
    *numbers = (sqlite3_int64)student.count;
    vector_free(&student);
    vector_free(&teacher);
    return status;
}

/* triplet_accuracy(anchor, positive, negative [, metric]) → REAL: the share of rows in which the anchor
 * is closer to the positive, by the cosine where no metric is named. Source: sentence_transformers'
 * TripletEvaluator. */
void triplet_accuracy_step(sqlite3_context *context, int count, sqlite3_value **values)
{
    mean_step(context, count, values, triplet_term, 1);
}

void triplet_accuracy_inverse(sqlite3_context *context, int count, sqlite3_value **values)
{
    mean_step(context, count, values, triplet_term, -1);
}

void triplet_accuracy_value(sqlite3_context *context)
{
    mean_result(context, 1);
}

/* negative_mse(student, teacher) → REAL: −100 times the mean over rows and dimensions of the squared
 * difference. Source: sentence_transformers' MSEEvaluator. */
void negative_mse_step(sqlite3_context *context, int count, sqlite3_value **values)
{
    mean_step(context, count, values, squares_term, 1);
}

void negative_mse_inverse(sqlite3_context *context, int count, sqlite3_value **values)
{
    mean_step(context, count, values, squares_term, -1);
}

void negative_mse_value(sqlite3_context *context)
{
    mean_result(context, -100);
}
