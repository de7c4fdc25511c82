/* Pooling: the numbers are those of sentence_transformers' Pooling module on the same hidden
 * states. */
#include "core/compute/pooling.h"
#include "tests/unit/unit.h"

#include <math.h>

static const float hidden[5][3] = {{-1.25f, 0, 1.25f},
                                   {0.625f, -0.875f, 0.375f},
                                   {-0.25f, 1, -0.5f},
                                   {1.625f, 0.125f, 1.375f},
                                   {0.75f, -0.75f, 0.5f}};

static const struct {
    enum pooling_mode mode;
    size_t skip;
    float vector[3];
} goldens[] = {
    {POOLING_CLS, 0, {-1.25f, 0, 1.25f}},
    {POOLING_MAX, 0, {1.625f, 1, 1.375f}},
    {POOLING_MEAN, 0, {0.30000001f, -0.10000000f, 0.60000002f}},
    {POOLING_MEAN_SQRT_LENGTH, 0, {0.67082036f, -0.22360680f, 1.34164071f}},
    {POOLING_WEIGHTED_MEAN, 0, {0.63333333f, -0.13333334f, 0.56666666f}},
    {POOLING_LAST_TOKEN, 0, {0.75f, -0.75f, 0.5f}},
    {POOLING_CLS, 2, {-0.25f, 1, -0.5f}},
    {POOLING_MAX, 2, {1.625f, 1, 1.375f}},
    {POOLING_MEAN, 2, {0.70833331f, 0.125f, 0.45833334f}},
    {POOLING_MEAN_SQRT_LENGTH, 2, {1.22686934f, 0.21650636f, 0.79385662f}},
    {POOLING_WEIGHTED_MEAN, 2, {0.79166669f, -0.02083333f, 0.54166669f}},
    {POOLING_LAST_TOKEN, 2, {0.75f, -0.75f, 0.5f}},
};

static void vectors_are_those_of_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goldens / sizeof goldens[0]; i++) {
        float vector[4] = {[3] = 77};
        pool(goldens[i].mode, hidden[0], 5, 3, goldens[i].skip, vector);
        for (size_t j = 0; j < 3; j++)
            assert_true(fabsf(vector[j] - goldens[i].vector[j]) < 2e-7f);
        assert_true(vector[3] == 77);
    }
}

static void one_token_is_its_own_pool(void **state)
{
    (void)state;
    for (enum pooling_mode mode = POOLING_CLS; mode < POOLING_MODE_COUNT; mode++) {
        float vector[3];
        pool(mode, hidden[1], 1, 3, 0, vector);
        assert_memory_equal(vector, hidden[1], sizeof vector);
        /* The last token of five, the others skipped. */
        pool(mode, hidden[0], 5, 3, 4, vector);
        assert_memory_equal(vector, hidden[4], sizeof vector);
    }
}

static void normalizing_gives_length_one(void **state)
{
    (void)state;
    float vector[5] = {3, 0, -4, 0, 0};
    normalize_vector(vector, 5);
    static const float expected[5] = {0.6f, 0, -0.8f, 0, 0};
    for (size_t i = 0; i < 5; i++)
        assert_true(vector[i] == expected[i]);
}

/* torch.nn.functional.normalize divides by 1e-12 at least. */
static void normalizing_bears_zero_and_tiny_vectors(void **state)
{
    (void)state;
    float zero[3] = {0}, tiny[2] = {1e-20f, 0}, large[2] = {3e30f, 4e30f};
    normalize_vector(zero, 3);
    normalize_vector(tiny, 2);
    normalize_vector(large, 2);
    assert_true(zero[0] == 0 && zero[1] == 0 && zero[2] == 0);
    assert_true(fabsf(tiny[0] - 1e-8f) < 1e-14f && tiny[1] == 0);
    assert_true(fabsf(large[0] - 0.6f) < 1e-7f && fabsf(large[1] - 0.8f) < 1e-7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_those_of_the_reference),
        cmocka_unit_test(one_token_is_its_own_pool),
        cmocka_unit_test(normalizing_gives_length_one),
        cmocka_unit_test(normalizing_bears_zero_and_tiny_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
