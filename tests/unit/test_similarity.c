/* Similarities: the numbers are those of sentence_transformers.util in double precision. */
#include "tests/unit/unit.h"

#include <math.h>

static const float a[3] = {1, 2, 3}, b[3] = {4, -5, 6};
static const float zero[3] = {0}, broken[3] = {1, NAN, 2};

static void similarities_are_those_of_the_reference(void **state)
{
    (void)state;
    assert_true(fabs(sembed_cos_sim(a, b, 3) - 0.36548694232390355) < 1e-15);
    assert_true(sembed_dot_score(a, b, 3) == 12);
    assert_true(fabs(sembed_euclidean_sim(a, b, 3) + 8.18535277187245) < 1e-14);
    assert_true(sembed_manhattan_sim(a, b, 3) == -13);
}

static void cosine_of_a_vector_with_itself_is_one(void **state)
{
    (void)state;
    static const float vectors[][3] = {
        {1, 2, 3}, {1e-30f, 0, 0}, {1e-40f, 1e-40f, 0}, {3e38f, -3e38f, 3e38f}, {0.1f, 0.7f, 0.3f}};
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        float opposite[3] = {-vectors[i][0], -vectors[i][1], -vectors[i][2]};
        double self = sembed_cos_sim(vectors[i], vectors[i], 3);
        assert_true(self <= 1 && self > 1 - 1e-15);
        assert_true(sembed_cos_sim(vectors[i], opposite, 3) == -self);
    }
}

static void zero_has_no_direction(void **state)
{
    (void)state;
    assert_true(sembed_cos_sim(zero, a, 3) == 0);
    assert_true(sembed_cos_sim(a, zero, 3) == 0);
    assert_true(sembed_cos_sim(zero, zero, 3) == 0);
    assert_true(sembed_cos_sim(a, b, 0) == 0);
}

static void a_prepared_vector_gives_the_same_cosine(void **state)
{
    (void)state;
    static const float vectors[][3] = {
        {1, 2, 3}, {0.1f, -0.7f, 0.3f}, {0}, {3e38f, -3e38f, 1e-40f}};
    const size_t count = sizeof vectors / sizeof vectors[0];
    for (size_t i = 0; i < count; i++) {
        double numbers[3], length = sembed_cos_sim_prepare(vectors[i], 3, numbers);
        for (size_t j = 0; j < count; j++) {
            double cosine = sembed_cos_sim_prepared(numbers, length, vectors[j], 3);
            assert_true(cosine == sembed_cos_sim(vectors[i], vectors[j], 3));
            assert_true(cosine == sembed_cos_sim(vectors[j], vectors[i], 3));
        }
        assert_true(isnan(sembed_cos_sim_prepared(numbers, length, broken, 3)));
    }
}

static void equal_vectors_are_no_distance_apart(void **state)
{
    (void)state;
    assert_true(sembed_euclidean_sim(a, a, 3) == 0 && !signbit(sembed_euclidean_sim(a, a, 3)));
    assert_true(sembed_manhattan_sim(a, a, 3) == 0 && !signbit(sembed_manhattan_sim(a, a, 3)));
}

static void not_a_number_stays_one(void **state)
{
    (void)state;
    assert_true(isnan(sembed_cos_sim(a, broken, 3)));
    assert_true(isnan(sembed_cos_sim(broken, a, 3)));
    assert_true(isnan(sembed_dot_score(a, broken, 3)));
    assert_true(isnan(sembed_euclidean_sim(broken, a, 3)));
    assert_true(isnan(sembed_manhattan_sim(broken, a, 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(similarities_are_those_of_the_reference),
        cmocka_unit_test(cosine_of_a_vector_with_itself_is_one),
        cmocka_unit_test(zero_has_no_direction),
        cmocka_unit_test(a_prepared_vector_gives_the_same_cosine),
        cmocka_unit_test(equal_vectors_are_no_distance_apart),
        cmocka_unit_test(not_a_number_stays_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
