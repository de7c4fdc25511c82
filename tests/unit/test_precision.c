/*
 * bfloat16 and int8: what the engine multiplies, to the bit; that a row does not depend on how many
 * there are; what is said where the processor cannot. Tests that need it say so and are skipped there.
 */
#include "core/base/memory.h"
#include "core/compute/gemm.h"
#include "core/compute/kernels.h"
#include "tests/unit/random_encoder.h"
#include "tests/unit/reference_encoder.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Shapes of all-MiniLM-L6-v2 first; then 12 heads of 26, and awkward ones. */
static const struct {
    size_t outputs, inputs;
} shapes[] = {{1152, 384}, {384, 384},  {1536, 384}, {384, 1536}, {936, 312},
              {312, 1200}, {768, 3072}, {65, 17},    {7, 33},     {3, 1}};
#define SHAPES      (sizeof shapes / sizeof shapes[0])
#define MODELS_OWN  4
#define MOST_ROWS   512
#define ROW_PADDING 16

/* One packed layer in a precision, and an operand for it. */
struct layer {
    enum precision precision;
    size_t outputs, inputs;
    float *weight, *bias, *x;
    struct gemm_weights *weights;
    struct gemm_session *session;
    struct operand operand;
    void *y;
};

static void *room(size_t bytes)
{
    void *memory = memory_aligned(bytes);
    assert_non_null(memory);
    memset(memory, 0, bytes);
    return memory;
}

static void skip_without(enum precision precision)
{
    sembed_error error = {0};
    if (gemm_check_precision(precision, &error) != SEMBED_OK) {
        print_message("skipped: %s\n", error.message);
        skip();
    }
}

static void layer_create(struct layer *layer, enum precision precision, size_t outputs,
                         size_t inputs)
{
    sembed_error error = {0};
    size_t rows = MOST_ROWS + ROW_PADDING;
    const struct gemm_shape shape = {outputs, inputs, ACTIVATION_NONE, precision, false};
    *layer = (struct layer){.precision = precision, .outputs = outputs, .inputs = inputs};
    layer->weight = room(outputs * inputs * sizeof(float));
    layer->bias = room(outputs * sizeof(float));
    layer->x = room(rows * inputs * sizeof(float));
    layer->y = room(rows * outputs * sizeof(float));
    random_fill(layer->weight, outputs * inputs, 0.2f);
    random_fill(layer->bias, outputs, 1);
    random_fill(layer->x, rows * inputs, 1);
    layer->operand =
        (struct operand){precision, inputs, room(rows * inputs * operand_number_size(precision)),
                         room(rows * sizeof(struct row_scale))};
    kernels()->narrow(layer->x, rows, &layer->operand);
    assert_ok(gemm_pack(&shape, layer->weight, layer->bias, &layer->weights, &error), error);
    assert_ok(gemm_session_create(&layer->session, &error), error);
}

static void layer_destroy(struct layer *layer)
{
    gemm_session_destroy(layer->session);
    gemm_weights_destroy(layer->weights);
    memory_free(layer->operand.numbers);
    memory_free(layer->operand.scales);
    memory_free(layer->weight);
    memory_free(layer->bias);
    memory_free(layer->x);
    memory_free(layer->y);
}

static void layer_run(struct layer *layer, size_t rows)
{
    sembed_error error = {0};
    const size_t starts[] = {0, rows};
    assert_ok(gemm_run(layer->weights, layer->session, layer->operand.numbers, starts, 1, layer->y,
                       &error),
              error);
}

/* ------------------------------------------------------------------------------------- products */

/* Sums of uint8 × int8 are whole numbers: they are right or wrong. */
static void int8_sums_are_exact(void **state)
{
    (void)state;
    skip_without(PRECISION_INT8);
    for (size_t s = 0; s < SHAPES; s++) {
        struct layer layer;
        layer_create(&layer, PRECISION_INT8, shapes[s].outputs, shapes[s].inputs);
        size_t inputs = layer.inputs, outputs = layer.outputs;
        int8_t *numbers = room(outputs * inputs);
        float *scales = room(outputs * sizeof *scales), *sums = room(outputs * sizeof *sums);
        kernels()->quantize_weights(layer.weight, outputs, inputs, numbers, scales, sums);
        layer_run(&layer, 3);
        for (size_t row = 0; row < 3; row++) {
            const uint8_t *x = (const uint8_t *)layer.operand.numbers + row * inputs;
            for (size_t i = 0; i < outputs; i++) {
                int32_t sum = 0;
                for (size_t k = 0; k < inputs; k++)
                    sum += x[k] * numbers[i * inputs + k];
                assert_int_equal(((const int32_t *)layer.y)[row * outputs + i], sum);
            }
        }
        memory_free(numbers);
        memory_free(scales);
        memory_free(sums);
        layer_destroy(&layer);
    }
}

/* The numbers that finish makes of a product against the float product, by the size of its row. */
static void check_finished(enum precision precision, double tolerance)
{
    for (size_t s = 0; s < SHAPES; s++) {
        struct layer layer;
        layer_create(&layer, precision, shapes[s].outputs, shapes[s].inputs);
        size_t inputs = layer.inputs, outputs = layer.outputs;
        float *found = room(3 * outputs * sizeof *found);
        layer_run(&layer, 3);
        if (precision == PRECISION_INT8) {
            struct product product = gemm_product(layer.weights, layer.y, layer.operand.scales);
            struct operand floats = {PRECISION_F32, outputs, found, NULL};
            kernels()->finish(ACTIVATION_NONE, &product, 3, &floats);
        } else
            memcpy(found, layer.y, 3 * outputs * sizeof *found);
        for (size_t row = 0; row < 3; row++) {
            double size = 1;
            for (size_t k = 0; k < inputs; k++)
                size += fabs(layer.x[row * inputs + k]) * 0.2;
            for (size_t i = 0; i < outputs; i++) {
                double sum = layer.bias[i];
                for (size_t k = 0; k < inputs; k++)
                    sum += (double)layer.x[row * inputs + k] * layer.weight[i * inputs + k];
                if (!(fabs(found[row * outputs + i] - sum) < tolerance * size))
                    fail_msg("[%zu, %zu]: expected %g, found %g", outputs, inputs, sum,
                             (double)found[row * outputs + i]);
            }
        }
        memory_free(found);
        layer_destroy(&layer);
    }
}

static void products_are_near_those_of_float32(void **state)
{
    (void)state;
    skip_without(PRECISION_BF16);
    check_finished(PRECISION_BF16, 4e-3);
    skip_without(PRECISION_INT8);
    check_finished(PRECISION_INT8, 8e-3);
}

/* On processors without AVX-512 oneDNN's float32 code sums rows up in other ways; the core knows, and
 * multiplies each text by itself there. */
static void skip_where_rows_differ(const struct gemm_weights *weights)
{
    if (gemm_treats_rows_alike(weights))
        return;
    assert_ptr_not_equal(kernels(), kernels_named("avx512"));
    print_message("skipped: the rows of a product differ with their number here\n");
    skip();
}

/* Every number of rows that the engine is ever asked for against the rows of the largest. */
static void check_rows(enum precision precision)
{
    for (size_t s = 0; s < MODELS_OWN; s++) {
        struct layer layer;
        layer_create(&layer, precision, shapes[s].outputs, shapes[s].inputs);
        skip_where_rows_differ(layer.weights);
        size_t bytes = layer.outputs * sizeof(float);
        unsigned char *expected = room(MOST_ROWS * bytes);
        layer_run(&layer, MOST_ROWS);
        memcpy(expected, layer.y, MOST_ROWS * bytes);
        for (size_t rows = 1; rows < MOST_ROWS; rows = gemm_padded_rows(layer.weights, rows) + 1) {
            layer_run(&layer, rows);
            if (memcmp(layer.y, expected, rows * bytes) != 0)
                fail_msg("precision %s, [%zu, %zu]: other bits in a call with %zu rows",
                         precision_name(precision), layer.outputs, layer.inputs, rows);
        }
        memory_free(expected);
        layer_destroy(&layer);
    }
}

static void float32_rows_do_not_depend_on_their_number(void **state)
{
    (void)state;
    if (strncmp(gemm_engine_name(), "oneDNN", 6) != 0)
        skip();
    check_rows(PRECISION_F32);
}

static void bf16_rows_do_not_depend_on_their_number(void **state)
{
    (void)state;
    skip_without(PRECISION_BF16);
    check_rows(PRECISION_BF16);
}

static void int8_rows_do_not_depend_on_their_number(void **state)
{
    (void)state;
    skip_without(PRECISION_INT8);
    check_rows(PRECISION_INT8);
}

static void flat_bytes_keep_every_precision(void **state)
{
    (void)state;
    for (enum precision precision = PRECISION_BF16; precision <= PRECISION_INT8; precision++) {
        struct layer layer;
        sembed_error error = {0};
        skip_without(precision);
        layer_create(&layer, precision, 936, 312);
        const struct gemm_shape shape = {936, 312, ACTIVATION_NONE, precision, false};
        struct flat_writer writer = {0};
        gemm_save(layer.weights, &writer);
        unsigned char *bytes = room(writer.used), *expected = room(30 * 936 * sizeof(float));
        size_t size = writer.used;
        writer = (struct flat_writer){.to = bytes};
        gemm_save(layer.weights, &writer);
        layer_run(&layer, 30);
        memcpy(expected, layer.y, 30 * 936 * sizeof(float));
        struct product before = gemm_product(layer.weights, layer.y, layer.operand.scales);
        float scale = precision == PRECISION_INT8 ? before.weight_scales[935] : 0;
        gemm_weights_destroy(layer.weights);
        struct flat_reader reader = {bytes, size, 0};
        assert_ok(gemm_open(&shape, &reader, &layer.weights, &error), error);
        assert_int_equal(reader.used, size);
        layer_run(&layer, 30);
        assert_memory_equal(layer.y, expected, 30 * 936 * sizeof(float));
        struct product after = gemm_product(layer.weights, layer.y, layer.operand.scales);
        if (precision == PRECISION_INT8)
            assert_true(after.weight_scales[935] == scale);
        layer_destroy(&layer);
        memory_free(bytes);
        memory_free(expected);
    }
}

/* ------------------------------------------------------------------------------- what is refused */

static void refuses(enum precision precision, const char *sentence)
{
    sembed_error error = {0};
    struct gemm_weights *weights;
    float number = 1;
    const struct gemm_shape shape = {1, 1, ACTIVATION_NONE, precision, false};
    assert_fails(gemm_check_precision(precision, &error), SEMBED_UNSUPPORTED, error, sentence);
    assert_fails(gemm_pack(&shape, &number, NULL, &weights, &error), SEMBED_UNSUPPORTED, error,
                 sentence);
    assert_null(weights);
}

static void openblas_has_float32_alone(void **state)
{
    (void)state;
    sembed_error error = {0};
    assert_int_equal(setenv("SEMBED_ENGINE", "openblas", 1), 0);
    refuses(PRECISION_BF16, "precision bf16 needs oneDNN");
    refuses(PRECISION_INT8, "precision int8 needs oneDNN");
    assert_ok(gemm_check_precision(PRECISION_F32, &error), error);
    unsetenv("SEMBED_ENGINE");
}

static void our_own_cap_is_kept(void **state)
{
    (void)state;
    const char *before = getenv("SEMBED_ISA");
    sembed_error error = {0};
    if (before || strncmp(gemm_engine_name(), "oneDNN", 6) != 0)
        skip();
    assert_int_equal(setenv("SEMBED_ISA", "avx2", 1), 0);
    refuses(PRECISION_BF16, "precision bf16 needs a processor with AVX-512 BF16");
    refuses(PRECISION_INT8, "SEMBED_ISA forbids");
    assert_ok(gemm_check_precision(PRECISION_F32, &error), error);
    unsetenv("SEMBED_ISA");
}

/* oneDNN reads its cap once, so another process asks; it must be the first that asks at all. */
static void the_engines_cap_is_kept(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        sembed_error error = {0};
        setenv("DNNL_MAX_CPU_ISA", "AVX512_CORE", 1);
        setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE", 1);
        bool right = true;
        for (enum precision precision = PRECISION_BF16; precision <= PRECISION_INT8; precision++)
            right &= gemm_check_precision(precision, &error) == SEMBED_UNSUPPORTED &&
                     (strstr(error.message, "AVX-512") || strstr(error.message, "needs oneDNN"));
        right &= gemm_check_precision(PRECISION_F32, &error) == SEMBED_OK;
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_engines_cap_is_kept),
        cmocka_unit_test(openblas_has_float32_alone),
        cmocka_unit_test(our_own_cap_is_kept),
        cmocka_unit_test(int8_sums_are_exact),
        cmocka_unit_test(products_are_near_those_of_float32),
        cmocka_unit_test(float32_rows_do_not_depend_on_their_number),
        cmocka_unit_test(bf16_rows_do_not_depend_on_their_number),
        cmocka_unit_test(int8_rows_do_not_depend_on_their_number),
        cmocka_unit_test(flat_bytes_keep_every_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
