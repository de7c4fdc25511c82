/* core/vectors and core/statistics: quantising, correlations. Goldens by numpy and scipy. */
#include "core/base/memory.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdlib.h>

static const float vector[9] = {0.5f, -0.5f, 0, 1, -1, 0.0039f, -0.004f, 2, 0.2f};

static void int8_is_rounded_and_clamped(void **state)
{
    (void)state;
    static const int8_t expected[9] = {64, -64, 0, 127, -127, 0, -1, 127, 25};
    int8_t numbers[11];
    sembed_quantize_int8(vector, 9, numbers);
    assert_memory_equal(numbers, expected, 9);
    const float odd[2] = {NAN, -INFINITY};
    sembed_quantize_int8(odd, 2, numbers);
    assert_int_equal(numbers[0], 0);
    assert_int_equal(numbers[1], -127);
}

static void bits_are_signs_in_either_order(void **state)
{
    (void)state;
    uint8_t bits[3] = {0xEE, 0xEE, 0xEE};
    sembed_quantize_binary(vector, 9, SEMBED_FIRST_BIT_HIGH, bits);
    assert_int_equal(bits[0], 0x95);
    assert_int_equal(bits[1], 0x80);
    sembed_quantize_binary(vector, 9, SEMBED_FIRST_BIT_LOW, bits);
    assert_int_equal(bits[0], 0xA9);
    assert_int_equal(bits[1], 0x01);
    assert_int_equal(bits[2], 0xEE);
}

static double pearson_of(const double *a, const double *b, size_t n)
{
    double correlation = 0;
    sembed_error error = {0};
    assert_ok(sembed_pearson(a, b, n, NULL, &correlation, &error), error);
    return correlation;
}

static const double x[7] = {0.3, 0.1, 0.3, 0.9, -2.5, 0.3, 7};
static const double y[7] = {1, 2, 2, 5, 0, 4, 3.5};

static void correlations_are_those_of_scipy(void **state)
{
    (void)state;
    double spearman;
    sembed_error error = {0};
    assert_true(fabs(pearson_of(x, y, 7) - 0.5006209561445362) < 1e-15);
    assert_ok(sembed_spearman(x, y, 7, NULL, &spearman, &error), error);
    assert_true(fabs(spearman - 0.7105597124064275) < 1e-15);
}

static void correlations_of_nothing_are_nan(void **state)
{
    (void)state;
    static const double constant[3] = {2, 2, 2}, with_nan[3] = {1, NAN, 3};
    double spearman = 0;
    sembed_error error = {0};
    assert_true(isnan(pearson_of(x, y, 0)));
    assert_true(isnan(pearson_of(x, y, 1)));
    assert_true(isnan(pearson_of(x, constant, 3)));
    assert_ok(sembed_spearman(x, with_nan, 3, NULL, &spearman, &error), error);
    assert_true(isnan(spearman));
    assert_ok(sembed_spearman(x, y, 0, NULL, &spearman, &error), error);
    assert_true(isnan(spearman));
}

/* Not a neighbour of 1, in whatever order and however many: ranks and means are exact. */
static void equal_series_correlate_with_1(void **state)
{
    (void)state;
    enum { MOST = 200000 }; /* several runs of the sort */
    double *up = calloc(MOST, sizeof *up), *down = calloc(MOST, sizeof *down);
    double *shuffled = calloc(MOST, sizeof *shuffled);
    assert_true(up && down && shuffled);
    for (size_t i = 0; i < MOST; i++) {
        shuffled[i] = (double)((i * 7919 + 13) % MOST / 3) * 0.1; /* in threes, but for the last */
        up[i] = exp(shuffled[i] / MOST);
        down[i] = -up[i];
    }
    for (size_t n = 3; n <= MOST; n += n < 100 ? 1 : n) {
        double spearman;
        sembed_error error = {0};
        assert_ok(sembed_spearman(shuffled, up, n, NULL, &spearman, &error), error);
        assert_true(spearman == 1);
        assert_ok(sembed_spearman(down, up, n, NULL, &spearman, &error), error);
        assert_true(spearman == -1);
        assert_true(pearson_of(up, up, n) == 1);
        assert_true(pearson_of(up, down, n) == -1);
    }
    const double tiny[3] = {1e-200, 2e-200, 4e-200}, large[3] = {1e150, 2e150, 4e150};
    assert_true(fabs(pearson_of(large, large, 3) - 1) < 1e-15); /* their product overflows */
    assert_true(isnan(pearson_of(tiny, large, 3)));             /* the squares vanish */
    free(up);
    free(down);
    free(shuffled);
}

/* Ranks of many numbers, merged from sorted runs, against those counted one by one. */
static void many_numbers_are_ranked_as_few(void **state)
{
    (void)state;
    enum { COUNT = 300000, VALUES = 1000 };
    double *values = calloc(COUNT, sizeof *values), *ranks = calloc(COUNT, sizeof *ranks);
    size_t held[VALUES] = {0}, below[VALUES + 1] = {0};
    assert_true(values && ranks);
    unsigned random = 1;
    for (size_t i = 0; i < COUNT; i++) {
        random = random * 1664525u + 1013904223u;
        values[i] = random >> 16 & 0xFF ? random % VALUES : 7;
        held[(size_t)values[i]]++;
    }
    for (size_t value = 0; value < VALUES; value++)
        below[value + 1] = below[value] + held[value];
    for (size_t i = 0; i < COUNT; i++)
        ranks[i] =
            ((double)below[(size_t)values[i]] + (double)below[(size_t)values[i] + 1] + 1) / 2;
    double correlation;
    sembed_error error = {0};
    /* The ranks of these ranks are the ranks themselves. */
    assert_ok(sembed_spearman(values, ranks, COUNT, NULL, &correlation, &error), error);
    assert_true(correlation == 1);
    for (size_t i = 0; i < COUNT; i++)
        values[i] = (double)i;
    assert_ok(sembed_spearman(values, ranks, COUNT, NULL, &correlation, &error), error);
    assert_true(fabs(correlation - pearson_of(values, ranks, COUNT)) < 1e-12);
    free(values);
    free(ranks);
}

static void ranking_can_be_stopped(void **state)
{
    (void)state;
    enum { COUNT = 300000 };
    double *values = calloc(COUNT, sizeof *values), spearman;
    struct questions questions = {.stop_at = 3};
    const sembed_poll poll = questions_poll(&questions);
    sembed_error error = {0};
    assert_non_null(values);
    assert_fails(sembed_spearman(values, values, COUNT, &poll, &spearman, &error), SEMBED_CANCELED,
                 error, "canceled");
    assert_int_equal(questions.asked, 3);
    free(values);
}

/* Looking for NaN, filling, sorting in 16 runs and 4 rounds of merging, two sums: each asks once in 65536
 * numbers, also where all are equal. Putting ranks at their places asks once in 4096. */
static void every_pass_of_ranking_asks(void **state)
{
    (void)state;
    enum { COUNT = 1 << 20, RUNS = 16, PASSES = 2 * (1 + 1 + 1 + 4 + 16) + 2 };
    double *values = calloc(COUNT, sizeof *values), spearman, pearson;
    struct questions questions = {0};
    const sembed_poll poll = questions_poll(&questions);
    sembed_error error = {0};
    assert_non_null(values);
    assert_ok(sembed_spearman(values, values, COUNT, &poll, &spearman, &error), error);
    /* Equal numbers are looked for as well. */
    assert_true(questions.asked >= (PASSES + 2) * RUNS - 4);
    for (int i = 0; i < COUNT; i++)
        values[i] = (long)i * 7919 % COUNT;
    questions.asked = 0;
    assert_ok(sembed_spearman(values, values, COUNT, &poll, &spearman, &error), error);
    assert_true(questions.asked >= PASSES * RUNS);
    questions.asked = 0;
    assert_ok(sembed_pearson(values, values, COUNT, &poll, &pearson, &error), error);
    assert_int_equal(questions.asked, 2 * RUNS);
    questions = (struct questions){.stop_at = 2 * RUNS};
    assert_fails(sembed_pearson(values, values, COUNT, &poll, &pearson, &error), SEMBED_CANCELED,
                 error, "canceled");
    free(values);
}

static void spearman_without_memory_says_so(void **state)
{
    (void)state;
    for (size_t nth = 1; nth <= 4; nth++) {
        double spearman;
        sembed_error error = {0};
        memory_fail_from(nth);
        sembed_status status = sembed_spearman(x, y, 7, NULL, &spearman, &error);
        memory_fail_from(0);
        assert_fails(status, SEMBED_NO_MEMORY, error, "ranks");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(int8_is_rounded_and_clamped),
        cmocka_unit_test(bits_are_signs_in_either_order),
        cmocka_unit_test(correlations_are_those_of_scipy),
        cmocka_unit_test(correlations_of_nothing_are_nan),
        cmocka_unit_test(equal_series_correlate_with_1),
        cmocka_unit_test(many_numbers_are_ranked_as_few),
        cmocka_unit_test(ranking_can_be_stopped),
        cmocka_unit_test(every_pass_of_ranking_asks),
        cmocka_unit_test(spearman_without_memory_says_so),
    };
    return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
