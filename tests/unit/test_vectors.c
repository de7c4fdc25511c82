/* core/vectors and core/statistics: quantising, correlations. Goldens by numpy and scipy. */
#include "core/base/memory.h"
#include "tests/unit/unit.h"

#include <math.h>

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

static const double x[7] = {0.3, 0.1, 0.3, 0.9, -2.5, 0.3, 7};
static const double y[7] = {1, 2, 2, 5, 0, 4, 3.5};

static void correlations_are_those_of_scipy(void **state)
{
    (void)state;
    double spearman;
    sembed_error error = {0};
    assert_true(fabs(sembed_pearson(x, y, 7) - 0.5006209561445362) < 1e-15);
    assert_ok(sembed_spearman(x, y, 7, &spearman, &error), error);
    assert_true(fabs(spearman - 0.7105597124064275) < 1e-15);
}

static void correlations_of_nothing_are_nan(void **state)
{
    (void)state;
    static const double constant[3] = {2, 2, 2}, with_nan[3] = {1, NAN, 3};
    double spearman = 0;
    sembed_error error = {0};
    assert_true(isnan(sembed_pearson(x, y, 0)));
    assert_true(isnan(sembed_pearson(x, y, 1)));
    assert_true(isnan(sembed_pearson(x, constant, 3)));
    assert_ok(sembed_spearman(x, with_nan, 3, &spearman, &error), error);
    assert_true(isnan(spearman));
    assert_ok(sembed_spearman(x, y, 0, &spearman, &error), error);
    assert_true(isnan(spearman));
}

static void spearman_without_memory_says_so(void **state)
{
    (void)state;
    for (size_t nth = 1; nth <= 3; nth++) {
        double spearman;
        sembed_error error = {0};
        memory_fail_from(nth);
        sembed_status status = sembed_spearman(x, y, 7, &spearman, &error);
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
        cmocka_unit_test(spearman_without_memory_says_so),
    };
    return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
