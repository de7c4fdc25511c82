/*
 * Correlations, for evaluating a model in SQL.
 *
 * Spearman's is Pearson's of the ranks, where equal numbers share the mean of the ranks they take up:
 *
 *     x      0.3  0.1  0.3  0.9
 *     ranks  2.5   1   2.5   4
 */
#include "core/base/error.h"
#include "core/base/memory.h"

#include <math.h>
#include <stdlib.h>

double sembed_pearson(const double *x, const double *y, size_t n)
{
    double mean_x = 0, mean_y = 0, xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < n; i++) {
        mean_x += x[i] / (double)n;
        mean_y += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        double dx = x[i] - mean_x, dy = y[i] - mean_y;
        xy += dx * dy;
        xx += dx * dx;
        yy += dy * dy;
    }
    if (n < 2 || !(xx > 0) || !(yy > 0))
        return NAN;
    double r = xy / (sqrt(xx) * sqrt(yy));
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

struct ranked {
    double value;
    size_t place;
};

static int compare_values(const void *a, const void *b)
{
    double first = ((const struct ranked *)a)->value, second = ((const struct ranked *)b)->value;
    return (first > second) - (first < second);
}

/* values[n] → ranks[n], from 1; order[n] is scratch. */
static void rank_values(const double *values, size_t n, struct ranked *order, double *ranks)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (struct ranked){values[i], i};
    qsort(order, n, sizeof *order, compare_values);
    for (size_t first = 0, stop; first < n; first = stop) {
        for (stop = first + 1; stop < n && order[stop].value == order[first].value;)
            stop++;
        double shared = ((double)first + (double)stop + 1) / 2;
        for (size_t i = first; i < stop; i++)
            ranks[order[i].place] = shared;
    }
}

sembed_status sembed_spearman(const double *x, const double *y, size_t n, double *correlation,
                              sembed_error *error)
{
    sembed_status status = SEMBED_OK;
    struct ranked *order = memory_calloc(n, sizeof *order);
    double *ranks_x = memory_calloc(n, sizeof *ranks_x);
    double *ranks_y = memory_calloc(n, sizeof *ranks_y);
    *correlation = NAN;
    if (!order || !ranks_x || !ranks_y) {
        status = error_no_memory(error, "the ranks");
        goto cleanup;
    }
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i]) || isnan(y[i]))
            goto cleanup; /* as the reference: a NaN has no rank */
    }
    rank_values(x, n, order, ranks_x);
    rank_values(y, n, order, ranks_y);
    *correlation = sembed_pearson(ranks_x, ranks_y, n);
cleanup:
    memory_free(ranks_y);
    memory_free(ranks_x);
    memory_free(order);
    return status;
}
