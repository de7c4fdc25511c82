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
#include <stdbool.h>
#include <stdlib.h>

/* Equal series give 1 and not a neighbour of it, for √(s · s) is s, while √s · √s may not be. */
static double root_of_product(double xx, double yy)
{
    double product = xx * yy;
    return isnormal(product) ? sqrt(product) : sqrt(xx) * sqrt(yy);
}

/* Sums are divided last, so that the mean of ranks in any order is exact: reversed series give −1. */
sembed_status sembed_pearson(const double *x, const double *y, size_t n, const sembed_poll *poll,
                             double *correlation, sembed_error *error)
{
    double sum_x = 0, sum_y = 0, xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < n; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        sum_x += x[i];
        sum_y += y[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        double dx = x[i] - sum_x / (double)n, dy = y[i] - sum_y / (double)n;
        xy += dx * dy;
        xx += dx * dx;
        yy += dy * dy;
    }
    double r = n < 2 || !(xx > 0) || !(yy > 0) ? NAN : xy / root_of_product(xx, yy);
    *correlation = r > 1 ? 1 : r < -1 ? -1 : r;
    return SEMBED_OK;
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

/* Numbers that are sorted, merged or ranked without asking whether to stop: milliseconds of work. */
enum { RUN = 1 << 16 };

/* The same for numbers that go to places all over memory, each perhaps on a page that was never touched. */
enum { SCATTERED = 1 << 12 };

/* What ranking takes: [n] each. */
struct ranking {
    size_t n;
    struct ranked *order, *merged;
    double *x, *y; /* the ranks */
    const sembed_poll *poll;
};

/* Merges order[first, middle) and order[middle, stop), each sorted, into merged[first, stop). */
static sembed_status merge(struct ranking *ranking, size_t first, size_t middle, size_t stop,
                           sembed_error *error)
{
    size_t left = first, right = middle;
    for (size_t i = first; i < stop; i++) {
        bool takes_right = left == middle || (right < stop && ranking->order[right].value <
                                                                  ranking->order[left].value);
        if (i % RUN == 0 && poll_wants_stop(ranking->poll))
            return error_canceled(error);
        ranking->merged[i] = ranking->order[takes_right ? right++ : left++];
    }
    return SEMBED_OK;
}

/* Sorts order[n]: runs by qsort, which cannot be stopped, then pairs of runs, pairs of pairs … */
static sembed_status sort(struct ranking *ranking, sembed_error *error)
{
    const size_t n = ranking->n;
    for (size_t first = 0; first < n; first += RUN) {
        if (poll_wants_stop(ranking->poll))
            return error_canceled(error);
        qsort(ranking->order + first, n - first < RUN ? n - first : RUN, sizeof *ranking->order,
              compare_values);
    }
    for (size_t length = RUN; length < n; length *= 2) {
        for (size_t first = 0; first < n; first += 2 * length) {
            size_t middle = n - first < length ? n : first + length;
            size_t stop = n - middle < length ? n : middle + length;
            sembed_status status = merge(ranking, first, middle, stop, error);
            if (status != SEMBED_OK)
                return status;
        }
        struct ranked *sorted = ranking->merged;
        ranking->merged = ranking->order;
        ranking->order = sorted;
    }
    return SEMBED_OK;
}

/* values[n] → ranks[n], from 1. */
static sembed_status rank_values(struct ranking *ranking, const double *values, double *ranks,
                                 sembed_error *error)
{
    for (size_t i = 0; i < ranking->n; i++) {
        if (poll_wants_stop_at(ranking->poll, i))
            return error_canceled(error);
        ranking->order[i] = (struct ranked){values[i], i};
    }
    sembed_status status = sort(ranking, error);
    if (status != SEMBED_OK)
        return status;
    const struct ranked *order = ranking->order;
    for (size_t first = 0, stop; first < ranking->n; first = stop) {
        for (stop = first + 1; stop < ranking->n && order[stop].value == order[first].value; stop++)
            if (poll_wants_stop_at(ranking->poll, stop))
                return error_canceled(error);
        double shared = ((double)first + (double)stop + 1) / 2;
        for (size_t i = first; i < stop; i++) {
            if (poll_wants_stop_every(ranking->poll, i, SCATTERED))
                return error_canceled(error);
            ranks[order[i].place] = shared;
        }
    }
    return SEMBED_OK;
}

/* The first number that is NaN, or that poll stopped before; n: there is none. */
static size_t find_nan(const double *numbers, size_t n, const sembed_poll *poll, bool *canceled)
{
    size_t i = 0;
    for (; i < n && !isnan(numbers[i]) && !*canceled; i++)
        *canceled = poll_wants_stop_at(poll, i);
    return i;
}

sembed_status sembed_spearman(const double *x, const double *y, size_t n, const sembed_poll *poll,
                              double *correlation, sembed_error *error)
{
    struct ranking ranking = {.n = n, .poll = poll};
    sembed_status status = SEMBED_OK;
    bool canceled = false;
    *correlation = NAN;
    bool ranks = find_nan(x, n, poll, &canceled) == n && find_nan(y, n, poll, &canceled) == n;
    if (canceled)
        return error_canceled(error);
    if (!ranks)
        return SEMBED_OK; /* as the reference: a NaN has no rank */
    ranking.order = memory_calloc(n, sizeof *ranking.order);
    ranking.merged = memory_calloc(n, sizeof *ranking.merged);
    ranking.x = memory_calloc(n, sizeof *ranking.x);
    ranking.y = memory_calloc(n, sizeof *ranking.y);
    if (!ranking.order || !ranking.merged || !ranking.x || !ranking.y) {
        status = error_no_memory(error, "the ranks");
        goto cleanup;
    }
    status = rank_values(&ranking, x, ranking.x, error);
    if (status == SEMBED_OK)
        status = rank_values(&ranking, y, ranking.y, error);
    if (status == SEMBED_OK)
        status = sembed_pearson(ranking.x, ranking.y, n, poll, correlation, error);
cleanup:
    memory_free(ranking.y);
    memory_free(ranking.x);
    memory_free(ranking.merged);
    memory_free(ranking.order);
    return status;
}
