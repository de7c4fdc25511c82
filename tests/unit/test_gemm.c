/* Both engines: right, and the same bits for a group of rows whatever the others. */
#include "core/base/memory.h"
#include "core/compute/gemm.h"
#include "tests/unit/random_encoder.h"
#include "tests/unit/reference_encoder.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

/* Shapes of all-MiniLM-L6-v2, of 12 heads of 26, and awkward ones. */
static const struct {
    size_t outputs, inputs;
} shapes[] = {{1152, 384}, {384, 1536}, {312, 312}, {936, 312}, {312, 1200},
              {1, 384},    {7, 33},     {3, 1},     {65, 17}};
#define SHAPES (sizeof shapes / sizeof shapes[0])

#define MOST_ROWS 230
#define CANARY    12345.5f

/* One packed layer and room for its rows. */
struct layer {
    struct linear_weights stored;
    struct gemm_weights *weights;
    struct gemm_session *session;
    size_t outputs, inputs, room;
    float *x, *y;
};

static float *floats(size_t count)
{
    float *numbers = memory_calloc(count, sizeof *numbers);
    assert_non_null(numbers);
    return numbers;
}

static void layer_create(struct layer *layer, const char *engine, size_t outputs, size_t inputs,
                         bool biased, enum activation activation)
{
    sembed_error error = {0};
    assert_int_equal(setenv("SEMBED_ENGINE", engine, 1), 0);
    *layer = (struct layer){.outputs = outputs, .inputs = inputs};
    float *weight = floats(outputs * inputs), *bias = floats(outputs);
    random_fill(weight, outputs * inputs, 0.2f);
    random_fill(bias, outputs, 1);
    layer->stored.weight = (struct tensor){weight, NUMBER_F32, outputs, inputs, NULL};
    if (biased)
        layer->stored.bias = (struct tensor){bias, NUMBER_F32, 1, outputs, NULL};
    const struct gemm_shape shape = {outputs, inputs, activation, PRECISION_F32, false};
    assert_ok(gemm_pack(&shape, weight, biased ? bias : NULL, &layer->weights, &error), error);
    if (!biased)
        memory_free(bias);
    assert_ok(gemm_session_create(&layer->session, &error), error);
    assert_int_equal(gemm_inputs(layer->weights), inputs);
    assert_int_equal(gemm_outputs(layer->weights), outputs);
    layer->room = gemm_padded_rows(layer->weights, MOST_ROWS);
    layer->x = floats(layer->room * inputs);
    layer->y = floats(layer->room * outputs + 1);
    random_fill(layer->x, layer->room * inputs, 1);
}

static void layer_destroy(struct layer *layer)
{
    gemm_session_destroy(layer->session);
    gemm_weights_destroy(layer->weights);
    memory_free((void *)layer->stored.weight.data);
    memory_free((void *)layer->stored.bias.data);
    memory_free(layer->x);
    memory_free(layer->y);
}

/* The first rows, as one group. */
static void layer_run(struct layer *layer, size_t rows)
{
    sembed_error error = {0};
    size_t starts[] = {0, rows};
    assert_ok(gemm_run(layer->weights, layer->session, layer->x, starts, 1, layer->y, &error),
              error);
}

typedef void check(const char *engine);

static void with_every_engine(check *check_engine)
{
    size_t engines = 0;
    while (gemm_engine_choice(engines))
        check_engine(gemm_engine_choice(engines++));
    assert_true(engines >= 1);
    unsetenv("SEMBED_ENGINE");
}

static void check_results(const char *engine)
{
    for (size_t s = 0; s < SHAPES; s++) {
        for (unsigned dress = 0; dress < 4; dress++) {
            struct layer layer;
            enum activation activation = dress < 2 ? ACTIVATION_NONE : ACTIVATION_GELU;
            layer_create(&layer, engine, shapes[s].outputs, shapes[s].inputs, dress % 2,
                         activation);
            size_t rows = 3, numbers = rows * layer.outputs;
            double *x = malloc(rows * layer.inputs * sizeof *x);
            double *expected = malloc(numbers * sizeof *expected);
            assert_true(x && expected);
            for (size_t i = 0; i < rows * layer.inputs; i++)
                x[i] = layer.x[i];
            reference_linear(&layer.stored, activation, x, rows, expected);
            layer_run(&layer, rows);
            for (size_t i = 0; i < numbers; i++) {
                if (!(fabs(layer.y[i] - expected[i]) < 1e-5))
                    fail_msg("%s [%zu, %zu]: expected %.9g, found %.9g", engine, layer.outputs,
                             layer.inputs, expected[i], layer.y[i]);
            }
            free(x);
            free(expected);
            layer_destroy(&layer);
        }
    }
}

static void products_are_right(void **state)
{
    (void)state;
    with_every_engine(check_results);
}

/* Groups of 1, 2, 3 … rows and then of 1 again, all in one call, against each alone, at the front
 * of x. */
static void check_groups(const char *engine)
{
    enum { GROUPS = 21 };
    size_t starts[GROUPS + 1] = {0};
    for (size_t i = 0; i < GROUPS; i++)
        starts[i + 1] = starts[i] + (i == GROUPS - 1 ? 1 : i + 1);
    for (size_t s = 0; s < SHAPES; s++) {
        struct layer layer;
        sembed_error error = {0};
        layer_create(&layer, engine, shapes[s].outputs, shapes[s].inputs, true,
                     s % 2 ? ACTIVATION_GELU : ACTIVATION_NONE);
        size_t inputs = layer.inputs, outputs = layer.outputs;
        float *together = floats(layer.room * outputs);
        for (size_t groups = 1; groups <= GROUPS; groups++) {
            size_t rows = starts[groups], padded = gemm_padded_rows(layer.weights, rows);
            layer.y[padded * outputs] = CANARY;
            assert_ok(
                gemm_run(layer.weights, layer.session, layer.x, starts, groups, layer.y, &error),
                error);
            assert_true(layer.y[padded * outputs] == CANARY);
        }
        memcpy(together, layer.y, layer.room * outputs * sizeof *together);
        for (size_t i = 0; i < GROUPS; i++) {
            size_t rows = starts[i + 1] - starts[i];
            memmove(layer.x, layer.x + starts[i] * inputs, rows * inputs * sizeof *layer.x);
            layer_run(&layer, rows);
            if (memcmp(layer.y, together + starts[i] * outputs, rows * outputs * sizeof(float)))
                fail_msg("%s [%zu, %zu]: group %zu has other bits among others", engine, outputs,
                         inputs, i);
            /* What was moved to the front is not needed again; what comes next still is. */
        }
        memory_free(together);
        layer_destroy(&layer);
    }
}

static void bits_do_not_depend_on_other_groups(void **state)
{
    (void)state;
    with_every_engine(check_groups);
}

/* The same group in every place of a call. */
static void check_places(const char *engine)
{
    struct layer layer;
    sembed_error error = {0};
    size_t starts[MOST_ROWS / 5 + 1];
    layer_create(&layer, engine, 312, 312, true, ACTIVATION_NONE);
    size_t groups = MOST_ROWS / 5, outputs = 5 * layer.outputs, inputs = 5 * layer.inputs;
    for (size_t i = 0; i <= groups; i++)
        starts[i] = 5 * i;
    for (size_t i = 1; i < groups; i++)
        memcpy(layer.x + i * inputs, layer.x, inputs * sizeof *layer.x);
    assert_ok(gemm_run(layer.weights, layer.session, layer.x, starts, groups, layer.y, &error),
              error);
    for (size_t i = 1; i < groups; i++)
        assert_memory_equal(layer.y, layer.y + i * outputs, outputs * sizeof *layer.y);
    layer_destroy(&layer);
}

static void bits_do_not_depend_on_the_place(void **state)
{
    (void)state;
    with_every_engine(check_places);
}

static void check_steady(const char *engine)
{
    struct layer layer;
    layer_create(&layer, engine, 65, 17, true, ACTIVATION_GELU);
    for (size_t rows = 1; rows <= MOST_ROWS; rows++)
        layer_run(&layer, rows);
    size_t before = memory_allocation_count();
    for (size_t rows = 1; rows <= MOST_ROWS; rows++)
        layer_run(&layer, rows);
    assert_int_equal(memory_allocation_count(), before);
    layer_destroy(&layer);
}

static void nothing_is_allocated_twice(void **state)
{
    (void)state;
    with_every_engine(check_steady);
}

/* More shapes than a session keeps products for: old ones give way, results stay right. */
static void check_many_shapes(const char *engine)
{
    enum { COUNT = 40, NUMBERS = 8 };
    static const size_t rows[NUMBERS] = {1, 5, 16, 40, 90, 150, 200, 230};
    struct layer layers[COUNT];
    struct gemm_session *session;
    sembed_error error = {0};
    float *kept[COUNT][NUMBERS];
    assert_ok(gemm_session_create(&session, &error), error);
    for (size_t i = 0; i < COUNT; i++)
        layer_create(&layers[i], engine, 8 + i, 16, true, ACTIVATION_NONE);
    for (size_t round = 0; round < 2; round++) {
        for (size_t r = 0; r < NUMBERS; r++) {
            for (size_t i = 0; i < COUNT; i++) {
                struct layer *layer = &layers[i];
                size_t starts[] = {0, rows[r]};
                assert_ok(gemm_run(layer->weights, session, layer->x, starts, 1, layer->y, &error),
                          error);
                size_t last = (rows[r] - 1) * layer->outputs;
                if (round == 0) {
                    kept[i][r] = floats(layer->outputs);
                    memcpy(kept[i][r], layer->y + last, layer->outputs * sizeof *layer->y);
                }
                assert_memory_equal(kept[i][r], layer->y + last, layer->outputs * sizeof *layer->y);
            }
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        layer_destroy(&layers[i]);
        for (size_t r = 0; r < NUMBERS; r++)
            memory_free(kept[i][r]);
    }
    gemm_session_destroy(session);
}

static void a_session_outlives_what_it_keeps(void **state)
{
    (void)state;
    with_every_engine(check_many_shapes);
}

static void *run_in_thread(void *argument)
{
    struct layer *layer = argument;
    struct gemm_session *session;
    sembed_error error = {0};
    float *y = malloc(layer->room * layer->outputs * sizeof *y);
    bool same = y && gemm_session_create(&session, &error) == SEMBED_OK;
    for (size_t round = 0; same && round < 30; round++) {
        size_t starts[] = {0, 37};
        same = gemm_run(layer->weights, session, layer->x, starts, 1, y, &error) == SEMBED_OK &&
               memcmp(y, layer->y, starts[1] * layer->outputs * sizeof *y) == 0;
    }
    if (y)
        gemm_session_destroy(session);
    free(y);
    return same ? layer : NULL;
}

static void check_threads(const char *engine)
{
    enum { THREADS = 4 };
    struct layer layer;
    pthread_t threads[THREADS];
    layer_create(&layer, engine, 312, 312, true, ACTIVATION_GELU);
    layer_run(&layer, 37);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, &layer), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_ptr_equal(result, &layer);
    }
    layer_destroy(&layer);
}

static void weights_are_shared_by_threads(void **state)
{
    (void)state;
    with_every_engine(check_threads);
}

#ifdef __linux__
#include <dirent.h>

static size_t threads_of_process(void)
{
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

extern int omp_get_max_threads(void) __attribute__((weak));
extern void omp_set_num_threads(int threads) __attribute__((weak));

/* The serial OpenBLAS starts no thread when it is loaded; other builds do. */
static void check_one_thread(const char *engine)
{
    struct layer layer;
    size_t before = threads_of_process();
    layer_create(&layer, engine, 1152, 384, true, ACTIVATION_GELU);
    layer_run(&layer, MOST_ROWS);
    assert_int_equal(threads_of_process(), before);
    /* An emulator has a thread of its own (scripts/portability says that there is one). */
    if (strcmp(engine, "openblas") == 0 && !strstr(gemm_engine_name(), "threaded build") &&
        !is_emulated())
        assert_int_equal(before, 1);
    layer_destroy(&layer);
}

/* No thread is started, and a host's own OpenMP setting stays. */
static void one_thread_is_enough(void **state)
{
    (void)state;
    if (omp_set_num_threads)
        omp_set_num_threads(3);
    with_every_engine(check_one_thread);
    if (omp_get_max_threads)
        assert_int_equal(omp_get_max_threads(), 3);
}
#endif

/* Saves weights into aligned memory of the caller's, which memory_free gives back. */
static unsigned char *save(const struct gemm_weights *weights, size_t *size)
{
    struct flat_writer writer = {0};
    gemm_save(weights, &writer);
    *size = writer.used;
    unsigned char *bytes = memory_aligned(writer.used);
    assert_non_null(bytes);
    memset(bytes, 0xee, writer.used);
    writer = (struct flat_writer){.to = bytes};
    gemm_save(weights, &writer);
    assert_int_equal(writer.used, *size);
    return bytes;
}

/* Packed → bytes → opened at another address, the packed ones gone: the same bits, and no room for the
 * weights is taken. */
static void check_flat(const char *engine)
{
    for (size_t s = 0; s < SHAPES; s++) {
        struct layer layer;
        sembed_error error = {0};
        size_t size, again;
        layer_create(&layer, engine, shapes[s].outputs, shapes[s].inputs, true, ACTIVATION_GELU);
        const struct gemm_shape shape = {layer.outputs, layer.inputs, ACTIVATION_GELU,
                                         PRECISION_F32, false};
        layer_run(&layer, 30);
        float *expected = floats(30 * layer.outputs);
        memcpy(expected, layer.y, 30 * layer.outputs * sizeof *expected);
        unsigned char *bytes = save(layer.weights, &size);
        gemm_weights_destroy(layer.weights);

        struct flat_reader reader = {bytes, size, 0};
        assert_ok(gemm_open(&shape, &reader, &layer.weights, &error), error);
        assert_int_equal(reader.used, size);
        layer_run(&layer, 30);
        assert_memory_equal(layer.y, expected, 30 * layer.outputs * sizeof *expected);
        unsigned char *copy = save(layer.weights, &again);
        assert_int_equal(again, size);
        assert_memory_equal(copy, bytes, size);
        layer_destroy(&layer);
        memory_free(copy);
        memory_free(bytes);
        memory_free(expected);
    }
}

static void flat_bytes_give_the_same_bits(void **state)
{
    (void)state;
    with_every_engine(check_flat);
}

static void refuses_bytes(const struct gemm_shape *shape, const unsigned char *bytes, size_t size,
                          sembed_status status, const char *sentence)
{
    struct flat_reader reader = {bytes, size, 0};
    struct gemm_weights *weights;
    sembed_error error = {0};
    assert_fails(gemm_open(shape, &reader, &weights, &error), status, error, sentence);
    assert_null(weights);
}

/* Cut short at any piece, of another shape, by another engine. */
static void check_foreign_bytes(const char *engine)
{
    struct layer layer;
    size_t size;
    layer_create(&layer, engine, 65, 17, true, ACTIVATION_NONE);
    unsigned char *bytes = save(layer.weights, &size);
    const struct gemm_shape shape = {65, 17, ACTIVATION_NONE, PRECISION_F32, false};
    struct gemm_shape other = shape;
    for (size_t cut = 0; cut < size; cut += 64)
        refuses_bytes(&shape, bytes, cut, SEMBED_MALFORMED, "bytes, found");
    other.inputs = 18;
    refuses_bytes(&other, bytes, size, SEMBED_MALFORMED, "expected [65, 18]");
    bytes[0]++;
    refuses_bytes(&shape, bytes, size, SEMBED_UNSUPPORTED, "of engine");
    bytes[0]--;
    if (strcmp(engine, "onednn") == 0) {
        bytes[64 + 320 + 8]++; /* behind the record and the bias: the layout */
        refuses_bytes(&shape, bytes, size, SEMBED_UNSUPPORTED, "layout");
    }
    layer_destroy(&layer);
    memory_free(bytes);
}

static void foreign_bytes_are_refused(void **state)
{
    (void)state;
    with_every_engine(check_foreign_bytes);
}

static void check_fingerprint(const char *engine)
{
    char text[GEMM_FINGERPRINT], other[GEMM_FINGERPRINT];
    assert_int_equal(setenv("SEMBED_ENGINE", engine, 1), 0);
    gemm_fingerprint(PRECISION_F32, text);
    gemm_fingerprint(PRECISION_INT8, other);
    assert_string_not_equal(text, other);
    assert_non_null(strstr(text, gemm_engine_name()));
    assert_int_equal(strstr(text, "instructions") != NULL, strcmp(engine, "onednn") == 0);
}

static void fingerprints_tell_packings_apart(void **state)
{
    (void)state;
    with_every_engine(check_fingerprint);
}

static void an_unknown_engine_is_an_error(void **state)
{
    (void)state;
    sembed_error error = {0};
    float number = 1;
    struct gemm_weights *weights;
    assert_int_equal(setenv("SEMBED_ENGINE", "abacus", 1), 0);
    const struct gemm_shape shape = {1, 1, ACTIVATION_NONE, PRECISION_F32, false};
    assert_fails(gemm_pack(&shape, &number, NULL, &weights, &error), SEMBED_INVALID_ARGUMENT, error,
                 "openblas, found 'abacus'");
    assert_null(weights);
    unsetenv("SEMBED_ENGINE");
}

static void engines_have_names(void **state)
{
    (void)state;
    assert_int_equal(setenv("SEMBED_ENGINE", "openblas", 1), 0);
    assert_memory_equal(gemm_engine_name(), "OpenBLAS 0.", 11);
    unsetenv("SEMBED_ENGINE");
    if (strcmp(gemm_engine_choice(0), "onednn") == 0)
        assert_memory_equal(gemm_engine_name(), "oneDNN ", 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef __linux__
        cmocka_unit_test(one_thread_is_enough),
#endif
        cmocka_unit_test(products_are_right),
        cmocka_unit_test(bits_do_not_depend_on_other_groups),
        cmocka_unit_test(bits_do_not_depend_on_the_place),
        cmocka_unit_test(nothing_is_allocated_twice),
        cmocka_unit_test(a_session_outlives_what_it_keeps),
        cmocka_unit_test(weights_are_shared_by_threads),
        cmocka_unit_test(flat_bytes_give_the_same_bits),
        cmocka_unit_test(foreign_bytes_are_refused),
        cmocka_unit_test(fingerprints_tell_packings_apart),
        cmocka_unit_test(an_unknown_engine_is_an_error),
        cmocka_unit_test(engines_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
