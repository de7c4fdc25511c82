/* The dense layer outside the encoder. */
#include "core/base/memory.h"
#include "core/compute/gemm.h"
#include "core/compute/linear.h"
#include "tests/unit/random_encoder.h"
#include "tests/unit/reference_encoder.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdlib.h>

#define CANARY 12345.5f

static void check_layer(enum activation activation, enum number_type type, size_t outputs,
                        size_t inputs, bool biased)
{
    enum { ROWS = 5 };
    struct linear_weights weights = {.weight = random_tensor(type, outputs, inputs, 0.3f)};
    if (biased)
        weights.bias = random_tensor(type, 1, outputs, 1);
    struct linear *linear;
    struct encoder_session *session;
    sembed_error error = {0};
    float *x = malloc(ROWS * inputs * sizeof *x), *y = malloc((ROWS * outputs + 1) * sizeof *y);
    double *wide = malloc(ROWS * inputs * sizeof *wide);
    double *expected = malloc(ROWS * outputs * sizeof *expected);
    assert_true(x && y && wide && expected);
    random_fill(x, ROWS * inputs, 1);
    for (size_t i = 0; i < ROWS * inputs; i++)
        wide[i] = x[i];
    reference_linear(&weights, activation, wide, ROWS, expected);
    assert_ok(linear_create(&weights, activation, &linear, &error), error);
    assert_ok(encoder_session_create(&session, &error), error);
    tensor_free(&weights.weight);
    tensor_free(&weights.bias);
    for (size_t rows = 0; rows <= ROWS; rows++) {
        y[rows * outputs] = CANARY;
        assert_ok(linear_run(linear, session, x, rows, y, &error), error);
        assert_true(y[rows * outputs] == CANARY);
        for (size_t i = 0; i < rows * outputs; i++)
            assert_true(fabs(y[i] - expected[i]) < 2e-5);
    }
    linear_destroy(linear);
    encoder_session_destroy(session);
    free(x);
    free(y);
    free(wide);
    free(expected);
}

static void layers_are_those_of_the_reference(void **state)
{
    (void)state;
    for (size_t e = 0; gemm_engine_choice(e); e++) {
        assert_int_equal(setenv("SEMBED_ENGINE", gemm_engine_choice(e), 1), 0);
        for (enum activation a = ACTIVATION_NONE; a <= ACTIVATION_SIGMOID; a++)
            check_layer(a, (enum number_type)(a % 3), 1 + 17 * a, 40, a % 2);
    }
    unsetenv("SEMBED_ENGINE");
}

static void shapes_that_do_not_fit(void **state)
{
    (void)state;
    struct linear *linear;
    sembed_error error = {0};
    struct linear_weights weights = {.weight = random_tensor(NUMBER_F32, 3, 4, 1),
                                     .bias = random_tensor(NUMBER_F32, 1, 4, 1)};
    assert_fails(linear_create(&weights, ACTIVATION_NONE, &linear, &error), SEMBED_MALFORMED, error,
                 "dense layer: expected [1, 3], found [1, 4]");
    assert_null(linear);
    tensor_free(&weights.weight);
    assert_int_not_equal(linear_create(&weights, ACTIVATION_NONE, &linear, &error), SEMBED_OK);
    tensor_free(&weights.bias);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct linear_weights weights = {.weight = random_tensor(NUMBER_F32, 3, 4, 1)};
    float x[4] = {1, 2, 3, 4}, y[3];
    sembed_status status = SEMBED_NO_MEMORY;
    size_t nth = 0;
    while (status != SEMBED_OK) {
        struct linear *linear = NULL;
        struct encoder_session *session = NULL;
        sembed_error error = {0};
        memory_fail_from(++nth);
        status = linear_create(&weights, ACTIVATION_TANH, &linear, &error);
        if (status == SEMBED_OK)
            status = encoder_session_create(&session, &error);
        if (status == SEMBED_OK)
            status = linear_run(linear, session, x, 1, y, &error);
        memory_fail_from(0);
        if (status != SEMBED_OK)
            assert_int_equal(error.code, SEMBED_NO_MEMORY);
        linear_destroy(linear);
        encoder_session_destroy(session);
    }
    assert_true(nth > 5);
    tensor_free(&weights.weight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_are_those_of_the_reference),
        cmocka_unit_test(shapes_that_do_not_fit),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
