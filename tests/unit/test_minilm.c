/*
 * all-MiniLM-L6-v2, the real model, against 201 texts by sentence-transformers: ids identical, every
 * component within 5e-6, with each engine; in bf16 and int8 by their cosines, where the processor has
 * them. Skipped where the model or the answers are not there. Every tenth of them with SEMBED_TEST_EMULATED.
 *
 *     SEMBED_TEST_MODEL    the model's folder, else models/all-MiniLM-L6-v2
 *     SEMBED_TEST_GOLDEN   the answers, else ../shared/reference/minilm_golden.jsonl
 */
#include "tests/unit/golden.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DIMENSIONS   384
#define MAX_ABSOLUTE 5e-6
#define MIN_COSINE   0.999999

static const char *from_environment(const char *variable, const char *otherwise)
{
    const char *value = getenv(variable);
    return value && *value ? value : otherwise;
}

static const char *there_or_skip(const char *path)
{
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    return path;
}

static json_t *read_lines(const char *path)
{
    json_t *lines = golden_read(path);
    for (size_t i = json_array_size(lines); i-- > 0;)
        if (is_emulated() && i % 10 != 0)
            json_array_remove(lines, i);
    return lines;
}

/* vectors[count, DIMENSIONS] of all the lines in one call. */
static float *embed_all(const sembed_model *model, sembed_context *context, const json_t *lines)
{
    sembed_error error = {0};
    size_t count = json_array_size(lines);
    sembed_text *texts = calloc(count, sizeof *texts);
    float *vectors = calloc(count * DIMENSIONS, sizeof *vectors);
    for (size_t i = 0; i < count; i++)
        texts[i] = golden_text(json_array_get(lines, i), "text");
    assert_ok(sembed_embed(model, context, texts, count, NULL, NULL, vectors, &error), error);
    free(texts);
    return vectors;
}

static void check_line(const sembed_model *model, sembed_context *context, const json_t *line,
                       const float *vector, struct deviation *worst)
{
    sembed_error error = {0};
    sembed_token *tokens;
    size_t count;
    assert_ok(sembed_tokenize(model, context, golden_text(line, "text"), 0, NULL, &tokens, &count,
                              &error),
              error);
    golden_check_tokens("all-MiniLM-L6-v2", line, tokens, count);
    sembed_free(tokens);
    const json_t *recorded = json_object_get(line, "embedding");
    assert_int_equal(json_array_size(recorded), DIMENSIONS);
    struct deviation deviation = golden_deviation(vector, recorded);
    if (deviation.absolute > MAX_ABSOLUTE || !(deviation.cosine >= MIN_COSINE))
        fail_msg("off by %.2e, cosine %.9f: %.300s", deviation.absolute, deviation.cosine,
                 json_dumps(line, JSON_COMPACT));
    *worst = deviation_worse(*worst, deviation);
}

static void test_engine(void **state)
{
    const char *engine = *state;
    const char *folder =
        there_or_skip(from_environment("SEMBED_TEST_MODEL", "models/all-MiniLM-L6-v2"));
    const char *golden = there_or_skip(
        from_environment("SEMBED_TEST_GOLDEN", "../shared/reference/minilm_golden.jsonl"));
    if (!golden_select_engine(engine)) {
        print_message("skipped: built without %s\n", engine);
        skip();
    }
    sembed_error error = {0};
    sembed_registry *registry;
    sembed_context *context;
    const sembed_model *model;
    struct deviation worst = DEVIATION_NONE;
    assert_ok(sembed_registry_create(NULL, &registry, &error), error);
    assert_ok(sembed_registry_load(registry, "minilm", folder, NULL, &error), error);
    assert_ok(sembed_registry_acquire(registry, "minilm", NULL, &model, &error), error);
    assert_ok(sembed_context_create(&context, &error), error);
    json_t *lines = read_lines(golden), *line;
    float *vectors = embed_all(model, context, lines);
    size_t index;
    json_array_foreach(lines, index, line)
        check_line(model, context, line, vectors + index * DIMENSIONS, &worst);
    print_message("%s: %zu texts, off by %.2e at most, cosine %.9f at least\n", sembed_engine(),
                  json_array_size(lines), worst.absolute, worst.cosine);
    free(vectors);
    json_decref(lines);
    sembed_context_destroy(context);
    sembed_registry_destroy(registry);
}

/* The least cosines that a precision may have: of any text and on average. */
static const struct precision_case {
    const char *name;
    double least, mean;
} precision_cases[] = {{"minilm@bf16", 0.9995, 0.9999}, {"minilm@int8", 0.99, 0.998}};

static void test_precision(void **state)
{
    const struct precision_case *expected = *state;
    const char *folder =
        there_or_skip(from_environment("SEMBED_TEST_MODEL", "models/all-MiniLM-L6-v2"));
    const char *golden = there_or_skip(
        from_environment("SEMBED_TEST_GOLDEN", "../shared/reference/minilm_golden.jsonl"));
    sembed_error error = {0};
    sembed_registry *registry;
    sembed_context *context;
    const sembed_model *model;
    unsetenv("SEMBED_ENGINE");
    assert_ok(sembed_registry_create(NULL, &registry, &error), error);
    sembed_status status = sembed_registry_load(registry, expected->name, folder, NULL, &error);
    if (status == SEMBED_UNSUPPORTED) {
        print_message("skipped: %s\n", error.message);
        sembed_registry_destroy(registry);
        skip();
    }
    assert_ok(status, error);
    assert_ok(sembed_registry_acquire(registry, expected->name, NULL, &model, &error), error);
    assert_ok(sembed_context_create(&context, &error), error);
    json_t *lines = read_lines(golden), *line;
    float *vectors = embed_all(model, context, lines);
    size_t index;
    double least = 1, mean = 0;
    json_array_foreach(lines, index, line)
    {
        struct deviation deviation =
            golden_deviation(vectors + index * DIMENSIONS, json_object_get(line, "embedding"));
        least = deviation.cosine < least ? deviation.cosine : least;
        mean += deviation.cosine / (double)json_array_size(lines);
    }
    print_message("%s: cosine %.6f at least, %.6f on average\n", expected->name, least, mean);
    assert_true(least >= expected->least && mean >= expected->mean);
    free(vectors);
    json_decref(lines);
    sembed_context_destroy(context);
    sembed_registry_destroy(registry);
}

int main(void)
{
    struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_engine, (void *)golden_engines[0]),
        cmocka_unit_test_prestate(test_engine, (void *)golden_engines[1]),
        cmocka_unit_test_prestate(test_precision, (void *)&precision_cases[0]),
        cmocka_unit_test_prestate(test_precision, (void *)&precision_cases[1]),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
