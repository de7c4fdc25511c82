/*
 * The aggregates by which a model is measured: spearman, negative_mse, triplet_accuracy.
 *
 * What they aggregate is mostly cos_sim(embed(a), embed(b)) and its like, and PostgreSQL computes an
 * aggregate's arguments in parallel workers only where partial results can be combined. So all of
 * them have combine functions.
 */
#include "host.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

/* Where the state of an aggregate lives; raises an error outside of one. */
static MemoryContext aggregate_memory(FunctionCallInfo fcinfo)
{
    MemoryContext memory;

    if (!AggCheckCallContext(fcinfo, &memory))
        elog(ERROR, "this function is a part of an aggregate and cannot be called by itself");
    return memory;
}

/* ------------------------------------------------------------------------- spearman(x, y) */

/* Ranks need all numbers at hand: 16 bytes for each pair, 48 more while they are ranked. */
struct pairs {
    double *x, *y; /* [count] */
    size_t count, capacity;
};

static struct pairs *pairs_create(MemoryContext memory, size_t capacity)
{
    struct pairs *pairs = MemoryContextAlloc(memory, sizeof(*pairs));

    *pairs = (struct pairs){.capacity = capacity};
    pairs->x = MemoryContextAllocHuge(memory, mul_size(capacity, sizeof(double)));
    pairs->y = MemoryContextAllocHuge(memory, mul_size(capacity, sizeof(double)));
    return pairs;
}

static void pairs_append(struct pairs *pairs, const double *x, const double *y, size_t count)
{
    size_t wanted = add_size(pairs->count, count);

    if (wanted > pairs->capacity) {
        size_t capacity = Max(wanted, mul_size(2, pairs->capacity));

        pairs->x = repalloc_huge(pairs->x, mul_size(capacity, sizeof(double)));
        pairs->y = repalloc_huge(pairs->y, mul_size(capacity, sizeof(double)));
        pairs->capacity = capacity;
    }
    memcpy(pairs->x + pairs->count, x, count * sizeof(double));
    memcpy(pairs->y + pairs->count, y, count * sizeof(double));
    pairs->count = wanted;
}

static struct pairs *pairs_argument(FunctionCallInfo fcinfo, int at)
{
    return PG_ARGISNULL(at) ? NULL : (struct pairs *)PG_GETARG_POINTER(at);
}

PG_FUNCTION_INFO_V1(sembed_sql_spearman_add);
PG_FUNCTION_INFO_V1(sembed_sql_spearman_combine);
PG_FUNCTION_INFO_V1(sembed_sql_spearman_serialize);
PG_FUNCTION_INFO_V1(sembed_sql_spearman_deserialize);
PG_FUNCTION_INFO_V1(sembed_sql_spearman_result);

/* (pairs, x, y) → pairs; a pair with a NULL is passed over */
Datum sembed_sql_spearman_add(PG_FUNCTION_ARGS)
{
    MemoryContext memory = aggregate_memory(fcinfo);
    struct pairs *pairs = pairs_argument(fcinfo, 0);

    if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2)) {
        double x = PG_GETARG_FLOAT8(1), y = PG_GETARG_FLOAT8(2);

        if (!pairs)
            pairs = pairs_create(memory, 64);
        pairs_append(pairs, &x, &y, 1);
    }
    if (!pairs)
        PG_RETURN_NULL();
    PG_RETURN_POINTER(pairs);
}

/* (pairs, pairs) → pairs */
Datum sembed_sql_spearman_combine(PG_FUNCTION_ARGS)
{
    MemoryContext memory = aggregate_memory(fcinfo);
    struct pairs *pairs = pairs_argument(fcinfo, 0);
    const struct pairs *others = pairs_argument(fcinfo, 1);

    if (others) {
        if (!pairs)
            pairs = pairs_create(memory, Max(others->count, 1));
        pairs_append(pairs, others->x, others->y, others->count);
    }
    if (!pairs)
        PG_RETURN_NULL();
    PG_RETURN_POINTER(pairs);
}

/* pairs → bytea: all x, then all y, for another process of this server */
Datum sembed_sql_spearman_serialize(PG_FUNCTION_ARGS)
{
    const struct pairs *pairs;
    size_t column, size;
    bytea *bytes;

    aggregate_memory(fcinfo);
    pairs = (const struct pairs *)PG_GETARG_POINTER(0);
    column = pairs->count * sizeof(double);
    size = add_size(VARHDRSZ, mul_size(2, column));
    bytes = palloc(size);
    SET_VARSIZE(bytes, size);
    memcpy(VARDATA(bytes), pairs->x, column);
    memcpy(VARDATA(bytes) + column, pairs->y, column);
    PG_RETURN_BYTEA_P(bytes);
}

Datum sembed_sql_spearman_deserialize(PG_FUNCTION_ARGS)
{
    const bytea *bytes;
    size_t column;
    struct pairs *pairs;

    aggregate_memory(fcinfo);
    bytes = PG_GETARG_BYTEA_PP(0);
    column = VARSIZE_ANY_EXHDR(bytes) / 2;
    pairs = pairs_create(CurrentMemoryContext, Max(column / sizeof(double), 1));
    pairs->count = column / sizeof(double);
    memcpy(pairs->x, VARDATA_ANY(bytes), column);
    memcpy(pairs->y, VARDATA_ANY(bytes) + column, column);
    PG_RETURN_POINTER(pairs);
}

static bool any_nan(const double *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (isnan(numbers[i]))
            return true;
    return false;
}

/* pairs → double precision. As corr: NULL for fewer than two pairs and where a side is constant, NaN
 * where a number is. */
Datum sembed_sql_spearman_result(PG_FUNCTION_ARGS)
{
    const struct pairs *pairs;
    double correlation;
    struct call call;
    sembed_status status;

    aggregate_memory(fcinfo);
    pairs = pairs_argument(fcinfo, 0);
    if (!pairs)
        PG_RETURN_NULL();
    call_begin(&call);
    do
        status = sembed_spearman(pairs->x, pairs->y, pairs->count, &call.poll, &correlation,
                                 &call.error);
    while (call_again(&call, status));
    call_check(&call, status, NULL);
    if (isnan(correlation) && !any_nan(pairs->x, pairs->count) && !any_nan(pairs->y, pairs->count))
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(correlation);
}

/* ----------------------------------------- negative_mse(student, teacher), triplet_accuracy */

/* The state of a mean: double precision[2], the sum and what it is to be divided by. */
static double *mean_state(FunctionCallInfo fcinfo, int at)
{
    ArrayType *state = PG_GETARG_ARRAYTYPE_P(at);

    if (ARR_NDIM(state) != 1 || ARR_DIMS(state)[0] != 2 || ARR_HASNULL(state) ||
        ARR_ELEMTYPE(state) != FLOAT8OID)
        elog(ERROR, "the state of a mean is an array of two numbers");
    return (double *)ARR_DATA_PTR(state);
}

/* Adds to the state in argument 0, which is the aggregate's own to change, and returns it. */
static Datum mean_add(FunctionCallInfo fcinfo, double sum, double count)
{
    double *state;

    aggregate_memory(fcinfo);
    state = mean_state(fcinfo, 0);
    state[0] += sum;
    state[1] += count;
    PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

PG_FUNCTION_INFO_V1(sembed_sql_mean_combine);
PG_FUNCTION_INFO_V1(sembed_sql_mean_result);
PG_FUNCTION_INFO_V1(sembed_sql_negative_mse_add);
PG_FUNCTION_INFO_V1(sembed_sql_negative_mse_result);
PG_FUNCTION_INFO_V1(sembed_sql_triplet_accuracy_add);

/* (state, state) → state */
Datum sembed_sql_mean_combine(PG_FUNCTION_ARGS)
{
    const double *other = mean_state(fcinfo, 1);

    return mean_add(fcinfo, other[0], other[1]);
}

static Datum mean_result(FunctionCallInfo fcinfo, double factor)
{
    const double *state = mean_state(fcinfo, 0);

    if (state[1] == 0)
        PG_RETURN_NULL();
    PG_RETURN_FLOAT8(0 + factor * (state[0] / state[1])); /* 0, not -0 */
}

/* state → double precision */
Datum sembed_sql_mean_result(PG_FUNCTION_ARGS)
{
    return mean_result(fcinfo, 1);
}

/* (state, student, teacher) → state: the squares of the differences of their numbers */
Datum sembed_sql_negative_mse_add(PG_FUNCTION_ARGS)
{
    ArrayType *student = PG_GETARG_ARRAYTYPE_P(1);
    ArrayType *teacher = PG_GETARG_ARRAYTYPE_P(2);
    int dimensions = vector_check_pair(student, teacher);
    const float *a = vector_elements(student), *b = vector_elements(teacher);
    double sum = 0;

    for (int i = 0; i < dimensions; i++)
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return mean_add(fcinfo, sum, dimensions);
}

/* state → double precision. Source: sentence_transformers' MSEEvaluator, negative_mse: percent, and
 * negative so that more is better. */
Datum sembed_sql_negative_mse_result(PG_FUNCTION_ARGS)
{
    return mean_result(fcinfo, -100);
}

typedef double (*metric_function)(const float *a, const float *b, size_t n);

static metric_function metric_of(const text *value)
{
    static const struct {
        const char *name;
        metric_function function;
    } metrics[] = {{"cosine", sembed_cos_sim},
                   {"dot", sembed_dot_score},
                   {"euclidean", sembed_euclidean_sim},
                   {"manhattan", sembed_manhattan_sim}};
    const char *name = VARDATA_ANY(value);
    int length = VARSIZE_ANY_EXHDR(value);

    for (int i = 0; i < lengthof(metrics); i++)
        if (strlen(metrics[i].name) == length && memcmp(metrics[i].name, name, length) == 0)
            return metrics[i].function;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
             errmsg("metric: expected 'cosine', 'dot', 'euclidean' or 'manhattan', found '%.*s'",
                    length, name)));
}

/* (state, anchor, positive, negative [, metric]) → state: whether the anchor is closer to the
 * positive. Source: sentence_transformers' TripletEvaluator. */
Datum sembed_sql_triplet_accuracy_add(PG_FUNCTION_ARGS)
{
    ArrayType *anchor = PG_GETARG_ARRAYTYPE_P(1);
    ArrayType *positive = PG_GETARG_ARRAYTYPE_P(2);
    ArrayType *negative = PG_GETARG_ARRAYTYPE_P(3);
    metric_function metric = PG_NARGS() > 4 ? metric_of(PG_GETARG_TEXT_PP(4)) : sembed_cos_sim;
    int dimensions = vector_check_pair(anchor, positive);
    const float *from = vector_elements(anchor);

    vector_check_pair(anchor, negative);
    return mean_add(fcinfo,
                    metric(from, vector_elements(positive), dimensions) >
                        metric(from, vector_elements(negative), dimensions),
                    1);
}
