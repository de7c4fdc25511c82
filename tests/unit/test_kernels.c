/* core/compute/simd: every kernel of every instruction set against plain double precision. */
#include "core/compute/kernels.h"
#include "tests/unit/random_encoder.h"
#include "tests/unit/reference_encoder.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdlib.h>

#define MOST   700
#define CANARY 12345.5f

static const char *const set_names[] = {"baseline", "avx2", "avx512", "amx"};

/* Widths below, at and beyond multiples of every vector; a head of 26, hidden sizes 312 and 384. */
static const size_t widths[] = {1,  2,  3,  4,  5,  7,  8,  9,   15, 16,
                                17, 26, 31, 33, 63, 64, 65, 312, 384};
#define WIDTHS (sizeof widths / sizeof widths[0])

typedef void check(const struct kernels *set);

static void in_every_set(check *check_set)
{
    size_t found = 0;
    for (size_t i = 0; i < sizeof set_names / sizeof set_names[0]; i++) {
        const struct kernels *set = kernels_named(set_names[i]);
        if (!set)
            continue;
        assert_string_equal(set->name, set_names[i]);
        random_restart(); /* the same numbers for each, whatever sets there are */
        check_set(set);
        found++;
    }
    assert_true(found >= 1);
    assert_null(kernels_named("avx3"));
}

static void assert_near(double found, double expected, double tolerance, const char *set,
                        const char *what)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%s, %s: expected %.9g, found %.9g", set, what, expected, found);
}

/* -------------------------------------------------------------------------------------- widening */

static void check_widen(const struct kernels *set)
{
    static uint16_t shorts[65536];
    static float wide[65536];
    for (size_t i = 0; i < 65536; i++)
        shorts[i] = (uint16_t)i;
    for (enum number_type type = NUMBER_F16; type <= NUMBER_BF16; type++) {
        struct tensor tensor = {shorts, type, 1, 65536, NULL};
        set->widen(type, shorts, 65536, wide);
        for (size_t i = 0; i < 65536; i++) {
            double expected = reference_number(&tensor, i);
            if (isnan(expected))
                assert_true(isnan(wide[i]));
            else if (wide[i] != expected || !signbit(wide[i]) != !signbit(expected))
                fail_msg("%s, bits %zx: expected %g, found %g", set->name, i, expected, wide[i]);
        }
    }
}

static void widening_is_exact_for_all_bits(void **state)
{
    (void)state;
    in_every_set(check_widen);
}

static void check_widen_ends(const struct kernels *set)
{
    for (enum number_type type = NUMBER_F32; type <= NUMBER_BF16; type++) {
        for (size_t count = 0; count < 70; count++) {
            struct tensor tensor = random_tensor(type, 1, count ? count : 1, 1);
            float wide[80];
            for (size_t i = 0; i < 80; i++)
                wide[i] = CANARY;
            set->widen(type, tensor.data, count, wide);
            for (size_t i = 0; i < 80; i++)
                assert_true(wide[i] == (i < count ? reference_number(&tensor, i) : CANARY));
            tensor_free(&tensor);
        }
    }
}

static void widening_takes_any_count_and_address(void **state)
{
    (void)state;
    in_every_set(check_widen_ends);
}

/* ---------------------------------------------------------------------------------- layer norm */

static void reference_norm(const struct norm *norm, const double *x, double *y)
{
    double mean = 0, variance = 0;
    for (size_t i = 0; i < norm->width; i++)
        mean += x[i] / (double)norm->width;
    for (size_t i = 0; i < norm->width; i++)
        variance += (x[i] - mean) * (x[i] - mean) / (double)norm->width;
    for (size_t i = 0; i < norm->width; i++)
        y[i] = (x[i] - mean) / sqrt(variance + norm->epsilon) * norm->scale[i] + norm->shift[i];
}

/* Rows far from 0, so that a variance from sums of squares would be wrong. */
static void check_add_norm(const struct kernels *set)
{
    float scale[MOST], shift[MOST], x[3 * MOST + 1], y[3 * MOST];
    double sum[MOST], expected[3 * MOST];
    random_fill(scale, MOST, 1);
    random_fill(shift, MOST, 1);
    for (size_t w = 0; w < WIDTHS; w++) {
        size_t width = widths[w];
        struct norm norm = {scale, shift, width, 1e-5f};
        random_fill(x, 3 * width, 1);
        random_fill(y, 3 * width, 1);
        for (size_t i = 0; i < 3 * width; i++)
            x[i] += 100;
        for (size_t row = 0; row < 3; row++) {
            for (size_t i = 0; i < width; i++)
                sum[i] = (double)(x[row * width + i] + y[row * width + i]);
            reference_norm(&norm, sum, expected + row * width);
        }
        x[3 * width] = CANARY;
        set->add_norm(&norm, &(struct product){.width = width, .numbers = y}, 3, x, NULL);
        assert_true(x[3 * width] == CANARY);
        for (size_t i = 0; i < 3 * width; i++)
            assert_near(x[i], expected[i], 5e-5, set->name, "add_norm");
    }
}

static void add_norm_is_that_of_the_paper(void **state)
{
    (void)state;
    in_every_set(check_add_norm);
}

/* Around 0, where only rounding is left. */
static void check_norm_accuracy(const struct kernels *set)
{
    float scale[384], shift[384], x[384], y[384];
    double sum[384], expected[384];
    for (size_t i = 0; i < 384; i++)
        scale[i] = 1, shift[i] = 0;
    struct norm norm = {scale, shift, 384, 1e-12f};
    for (size_t round = 0; round < 100; round++) {
        random_fill(x, 384, 1);
        random_fill(y, 384, 1);
        for (size_t i = 0; i < 384; i++)
            sum[i] = (double)(x[i] + y[i]);
        reference_norm(&norm, sum, expected);
        set->add_norm(&norm, &(struct product){.width = 384, .numbers = y}, 1, x, NULL);
        for (size_t i = 0; i < 384; i++)
            assert_near(x[i], expected[i], 4e-7, set->name, "accuracy of add_norm");
    }
}

static void add_norm_is_accurate(void **state)
{
    (void)state;
    in_every_set(check_norm_accuracy);
}

static void check_embed_norm(const struct kernels *set)
{
    float scale[MOST], shift[MOST], y[MOST];
    double sum[MOST], expected[MOST];
    random_fill(scale, MOST, 1);
    random_fill(shift, MOST, 1);
    for (size_t w = 0; w < WIDTHS; w++) {
        size_t width = widths[w];
        for (unsigned dress = 0; dress < 12; dress++) {
            struct norm norm = {scale, shift, width, 1e-5f};
            size_t rows[] = {5, 1, 3};
            struct tensor tables[] = {random_tensor((enum number_type)(dress % 3), 6, width, 1),
                                      random_tensor((enum number_type)(dress / 2 % 3), 2, width, 1),
                                      random_tensor((enum number_type)(dress / 4), 4, width, 1)};
            if (dress % 2)
                tensor_free(&tables[EMBEDDING_TOKEN_TYPE]);
            for (size_t i = 0; i < width; i++) {
                sum[i] = 0;
                for (size_t t = 0; t < EMBEDDING_TABLES; t++)
                    sum[i] +=
                        tables[t].data ? reference_number(&tables[t], rows[t] * width + i) : 0;
            }
            reference_norm(&norm, sum, expected);
            y[width] = CANARY;
            set->embed_norm(tables, rows, &norm, y);
            assert_true(y[width] == CANARY);
            for (size_t i = 0; i < width; i++)
                assert_near(y[i], expected[i], 2e-5, set->name, "embed_norm");
            for (size_t t = 0; t < EMBEDDING_TABLES; t++)
                tensor_free(&tables[t]);
        }
    }
}

static void embed_norm_sums_the_tables(void **state)
{
    (void)state;
    in_every_set(check_embed_norm);
}

/* ------------------------------------------------------------------------------------ activations */

/* Absolute where results are around 1, relative where they are large: float has 24 bits. */
static void check_activations(const struct kernels *set)
{
    enum { COUNT = 40001 };
    static float y[COUNT];
    for (enum activation a = ACTIVATION_NONE; a <= ACTIVATION_SIGMOID; a++) {
        double worst = 0;
        for (size_t i = 0; i < COUNT; i++)
            y[i] = ((float)i - 20000) * 0.001f;
        set->bias_activate(a, NULL, 1, COUNT, y);
        for (size_t i = 0; i < COUNT; i++) {
            double x = ((float)i - 20000) * 0.001f;
            double error = fabs(y[i] - reference_activation(a, x)) / fmax(1, fabs(x));
            worst = fmax(worst, error);
        }
        if (!(worst < 1.5e-7))
            fail_msg("%s, activation %d: off by %.3g", set->name, (int)a, worst);
    }
}

static void activations_are_accurate(void **state)
{
    (void)state;
    in_every_set(check_activations);
}

/* A tail of the normal distribution that is 1 − erf in single precision would be lost. */
static void check_small_results(const struct kernels *set)
{
    float y[] = {-4, -3, -2, -1e-3f, 1e-6f, -1e-6f};
    size_t count = sizeof y / sizeof y[0];
    float x[sizeof y / sizeof y[0]];
    memcpy(x, y, sizeof y);
    set->bias_activate(ACTIVATION_GELU, NULL, 1, count, y);
    for (size_t i = 0; i < count; i++) {
        double expected = reference_activation(ACTIVATION_GELU, x[i]);
        assert_near(y[i], expected, fabs(expected) * 1e-3, set->name, "gelu");
    }
    memcpy(y, x, sizeof y);
    set->bias_activate(ACTIVATION_TANH, NULL, 1, count, y);
    for (size_t i = 0; i < count; i++)
        assert_near(y[i], tanh(x[i]), fabs(tanh(x[i])) * 3e-7, set->name, "tanh");
}

static void activations_keep_small_results(void **state)
{
    (void)state;
    in_every_set(check_small_results);
}

static void check_extremes(const struct kernels *set)
{
    static const float extremes[] = {0, -0.0f, 1e-40f, 100, -100, 1e30f, -1e30f, 3e38f, -3e38f};
    size_t count = sizeof extremes / sizeof extremes[0];
    float y[sizeof extremes / sizeof extremes[0]];
    for (enum activation a = ACTIVATION_NONE; a <= ACTIVATION_SIGMOID; a++) {
        if (a == ACTIVATION_GELU_TANH)
            count -= 4; /* its cube of 1e30 is infinite in the reference too */
        memcpy(y, extremes, count * sizeof *y);
        set->bias_activate(a, NULL, 1, count, y);
        for (size_t i = 0; i < count; i++) {
            double expected = reference_activation(a, extremes[i]);
            assert_near(y[i], expected, fabs(expected) * 1e-6 + 1e-30, set->name, "extremes");
        }
        count = sizeof extremes / sizeof extremes[0];
    }
    float bad = NAN;
    set->bias_activate(ACTIVATION_GELU, NULL, 1, 1, &bad);
    assert_true(isnan(bad));
}

static void activations_bear_extremes(void **state)
{
    (void)state;
    in_every_set(check_extremes);
}

static void check_bias(const struct kernels *set)
{
    float bias[MOST], y[3 * MOST + 1], x[3 * MOST];
    random_fill(bias, MOST, 1);
    for (size_t w = 0; w < WIDTHS; w++) {
        size_t width = widths[w];
        for (enum activation a = ACTIVATION_NONE; a <= ACTIVATION_SIGMOID; a++) {
            random_fill(x, 3 * width, 2);
            memcpy(y, x, 3 * width * sizeof *y);
            y[3 * width] = CANARY;
            set->bias_activate(a, bias, 3, width, y);
            assert_true(y[3 * width] == CANARY);
            for (size_t i = 0; i < 3 * width; i++) {
                double expected = reference_activation(a, x[i] + bias[i % width]);
                assert_near(y[i], expected, fmax(1, fabs(expected)) * 2e-7, set->name, "bias");
            }
        }
    }
}

static void bias_is_added_to_every_row(void **state)
{
    (void)state;
    in_every_set(check_bias);
}

/* ---------------------------------------------------------------------------- pooling, similarity */

static void check_pools(const struct kernels *set)
{
    float hidden[5 * MOST], vector[MOST + 1];
    for (size_t w = 0; w < WIDTHS; w++) {
        size_t width = widths[w];
        for (size_t tokens = 1; tokens <= 5; tokens++) {
            random_fill(hidden, tokens * width, 1);
            vector[width] = CANARY;
            set->pool_sum(hidden, tokens, width, 3, 2, 7, vector);
            for (size_t i = 0; i < width; i++) {
                double sum = 0;
                for (size_t t = 0; t < tokens; t++)
                    sum += (3 + 2 * (double)t) * hidden[t * width + i];
                assert_near(vector[i], sum / 7, 5e-7, set->name, "pool_sum");
            }
            set->pool_max(hidden, tokens, width, vector);
            for (size_t i = 0; i < width; i++) {
                float most = hidden[i];
                for (size_t t = 1; t < tokens; t++)
                    most = fmaxf(most, hidden[t * width + i]);
                assert_true(vector[i] == most);
            }
            assert_true(vector[width] == CANARY);
        }
    }
}

static void pools_run_over_tokens(void **state)
{
    (void)state;
    in_every_set(check_pools);
}

static void check_similarities(const struct kernels *set)
{
    float a[MOST], b[MOST];
    for (size_t n = 0; n < 100; n++) {
        double products[3], ab = 0, aa = 0, bb = 0, square = 0, absolute = 0;
        random_fill(a, n, 1);
        random_fill(b, n, 1);
        for (size_t i = 0; i < n; i++) {
            double x = a[i], y = b[i];
            ab += x * y;
            aa += x * x;
            bb += y * y;
            square += (x - y) * (x - y);
            absolute += fabs(x - y);
        }
        set->dot_three(a, b, n, products);
        assert_near(products[0], ab, 1e-13, set->name, "a·b");
        assert_near(products[1], aa, 1e-13, set->name, "a·a");
        assert_near(products[2], bb, 1e-13, set->name, "b·b");
        double widened[MOST], both[2];
        for (size_t i = 0; i < n; i++)
            widened[i] = a[i];
        set->dot_two(widened, b, n, both);
        assert_true(both[0] == products[0] && both[1] == products[2]);
        assert_near(set->dot(a, b, n), ab, 1e-13, set->name, "dot");
        assert_near(set->squared_distance(a, b, n), square, 1e-13, set->name, "squared distance");
        assert_near(set->absolute_distance(a, b, n), absolute, 1e-13, set->name, "distance");
    }
}

static void similarities_sum_in_double(void **state)
{
    (void)state;
    in_every_set(check_similarities);
}

static void the_best_set_is_picked(void **state)
{
    (void)state;
    const struct kernels *best = NULL;
    for (size_t i = 0; i < sizeof set_names / sizeof set_names[0]; i++) {
        if (kernels_named(set_names[i]))
            best = kernels_named(set_names[i]);
    }
    const char *cap = getenv("SEMBED_ISA");
    if (cap && kernels_named(cap))
        best = kernels_named(cap);
    assert_ptr_equal(kernels(), best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widening_is_exact_for_all_bits),
        cmocka_unit_test(widening_takes_any_count_and_address),
        cmocka_unit_test(add_norm_is_that_of_the_paper),
        cmocka_unit_test(add_norm_is_accurate),
        cmocka_unit_test(embed_norm_sums_the_tables),
        cmocka_unit_test(activations_are_accurate),
        cmocka_unit_test(activations_keep_small_results),
        cmocka_unit_test(activations_bear_extremes),
        cmocka_unit_test(bias_is_added_to_every_row),
        cmocka_unit_test(pools_run_over_tokens),
        cmocka_unit_test(similarities_sum_in_double),
        cmocka_unit_test(the_best_set_is_picked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
