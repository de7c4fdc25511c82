/*
 * Every folder of tests/fixtures that has a golden.jsonl against what sentence-transformers computed
 * with it: ids, embeddings (cut in dimensions and layers, with prompts), scores of pairs; with each
 * engine, one text at a time and all of them at once.
 */
#include "tests/unit/folder.h"
#include "tests/unit/golden.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_FOLDERS   128
#define MAX_RELATIVE  1e-5 /* of the largest component */
#define MIN_COSINE    0.999999
#define MAX_SCORE     5e-6
#define MAX_DIMENSION 1024
#define MAX_LABELS    8

/* A fixture, loaded. */
struct subject {
    const char *name;
    char where[128]; /* name and engine, for messages */
    sembed_registry *registry;
    const sembed_model *model;
    sembed_model_info info;
    sembed_context *context;
    struct deviation worst;
};

static void subject_load(struct subject *subject, const char *name, const char *engine)
{
    sembed_error error = {0};
    char folder[512];
    *subject = (struct subject){.name = name, .worst = DEVIATION_NONE};
    snprintf(subject->where, sizeof subject->where, "%s with %s", name, engine);
    snprintf(folder, sizeof folder, "%s/%s", fixtures_folder(), name);
    assert_ok(sembed_registry_create(NULL, &subject->registry, &error), error);
    assert_ok(sembed_registry_load(subject->registry, name, folder, NULL, &error), error);
    assert_ok(sembed_registry_acquire(subject->registry, name, NULL, &subject->model, &error),
              error);
    assert_ok(sembed_context_create(&subject->context, &error), error);
    sembed_model_describe(subject->model, &subject->info);
}

static void subject_free(struct subject *subject)
{
    sembed_context_destroy(subject->context);
    sembed_registry_destroy(subject->registry);
}

static void check_ids(const struct subject *subject, const json_t *line)
{
    sembed_error error = {0};
    sembed_token *tokens;
    size_t count;
    assert_ok(sembed_tokenize(subject->model, subject->context, golden_text(line, "text"), 0, NULL,
                              &tokens, &count, &error),
              error);
    golden_check_tokens(subject->where, line, tokens, count);
    sembed_free(tokens);
}

/* vector[dimensions] gets what the line's text becomes. */
static void embed_line(const struct subject *subject, const json_t *line, float *vector,
                       size_t *dimensions)
{
    sembed_error error = {0};
    sembed_text text = golden_text(line, "text");
    sembed_options options = golden_options(line);
    assert_ok(sembed_dimensions(subject->model, &options, dimensions, &error), error);
    assert_true(*dimensions <= MAX_DIMENSION);
    assert_ok(
        sembed_embed(subject->model, subject->context, &text, 1, &options, NULL, vector, &error),
        error);
}

static void check_embedding(struct subject *subject, const json_t *line)
{
    float vector[MAX_DIMENSION];
    size_t dimensions;
    const json_t *recorded = json_object_get(line, "embedding");
    embed_line(subject, line, vector, &dimensions);
    assert_int_equal(dimensions, json_array_size(recorded));
    struct deviation deviation = golden_deviation(vector, recorded);
    if (deviation.relative > MAX_RELATIVE || !(deviation.cosine >= MIN_COSINE))
        fail_msg("%s: off by %.2e of the largest component, cosine %.9f: %.300s", subject->where,
                 deviation.relative, deviation.cosine, json_dumps(line, JSON_COMPACT));
    subject->worst = deviation_worse(subject->worst, deviation);
}

static void check_score(struct subject *subject, const json_t *line, const char *key, int flags)
{
    sembed_error error = {0};
    float scores[MAX_LABELS];
    sembed_text document = golden_text(line, "document");
    const json_t *recorded = json_object_get(line, key);
    assert_int_equal(subject->info.labels, json_array_size(recorded));
    assert_true(subject->info.labels <= MAX_LABELS);
    assert_ok(sembed_score(subject->model, subject->context, golden_text(line, "query"), &document,
                           1, flags, NULL, scores, &error),
              error);
    struct deviation deviation = golden_deviation(scores, recorded);
    if (!(deviation.absolute <= MAX_SCORE))
        fail_msg("%s: %s off by %.2e: %.300s", subject->where, key, deviation.absolute,
                 json_dumps(line, JSON_COMPACT));
    subject->worst.absolute = fmax(subject->worst.absolute, deviation.absolute);
}

static void check_pair(struct subject *subject, const json_t *line)
{
    sembed_error error = {0};
    sembed_token *tokens;
    size_t count;
    assert_ok(sembed_tokenize_pair(subject->model, subject->context, golden_text(line, "query"),
                                   golden_text(line, "document"), 0, NULL, &tokens, &count, &error),
              error);
    golden_check_tokens(subject->where, line, tokens, count);
    sembed_free(tokens);
    check_score(subject, line, "logits", SEMBED_SCORE_RAW);
    check_score(subject, line, "scores", 0);
}

static bool is_plain(const json_t *line)
{
    return json_object_get(line, "ids") && json_object_get(line, "embedding") &&
           json_object_size(line) == 3;
}

/* All texts without options at once give the same bits as one by one. */
static void check_batch(const struct subject *subject, const json_t *lines)
{
    sembed_error error = {0};
    size_t index, count = 0, dimensions = subject->info.dimensions;
    const json_t *line;
    sembed_text *texts = calloc(json_array_size(lines), sizeof *texts);
    json_array_foreach(lines, index, line)
    {
        if (is_plain(line))
            texts[count++] = golden_text(line, "text");
    }
    float *vectors = calloc(count * dimensions + 1, sizeof *vectors);
    assert_ok(
        sembed_embed(subject->model, subject->context, texts, count, NULL, NULL, vectors, &error),
        error);
    const float *row = vectors;
    json_array_foreach(lines, index, line)
    {
        float vector[MAX_DIMENSION];
        if (!is_plain(line))
            continue;
        embed_line(subject, line, vector, &dimensions);
        assert_memory_equal(row, vector, dimensions * sizeof *vector);
        row += dimensions;
    }
    free(vectors);
    free(texts);
}

static void check_folder(const char *name, const char *engine)
{
    struct subject subject;
    char path[512];
    snprintf(path, sizeof path, "%s/%s/golden.jsonl", fixtures_folder(), name);
    json_t *lines = golden_read(path);
    subject_load(&subject, name, engine);
    size_t index;
    const json_t *line;
    json_array_foreach(lines, index, line)
    {
        if (json_object_get(line, "query"))
            check_pair(&subject, line);
        else if (json_object_get(line, "ids"))
            check_ids(&subject, line);
        if (json_object_get(line, "embedding"))
            check_embedding(&subject, line);
    }
    if (subject.info.dimensions > 0)
        check_batch(&subject, lines);
    print_message("%s: %zu lines, off by %.1e at most (%.1e of the largest component)\n",
                  subject.where, json_array_size(lines), subject.worst.absolute,
                  subject.worst.relative);
    subject_free(&subject);
    json_decref(lines);
}

static void test_folder(void **state)
{
    size_t tried = 0;
    for (size_t i = 0; i < 2; i++) {
        if (golden_select_engine(golden_engines[i])) {
            check_folder(*state, golden_engines[i]);
            tried++;
        }
    }
    assert_int_not_equal(tried, 0);
}

static int has_golden(const struct dirent *entry)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s/golden.jsonl", fixtures_folder(), entry->d_name);
    return access(path, R_OK) == 0;
}

int main(void)
{
    struct dirent **folders;
    struct CMUnitTest tests[MAX_FOLDERS];
    int count = scandir(fixtures_folder(), &folders, has_golden, alphasort);
    if (count <= 0 || count > MAX_FOLDERS) {
        fprintf(stderr, "%s: expected 1 to %d folders, found %d\n", fixtures_folder(), MAX_FOLDERS,
                count);
        return 1;
    }
    for (int i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){.name = folders[i]->d_name,
                                       .test_func = test_folder,
                                       .initial_state = folders[i]->d_name};
    int failed = _cmocka_run_group_tests("golden", tests, (size_t)count, NULL, NULL);
    for (int i = 0; i < count; i++)
        free(folders[i]);
    free(folders);
    return failed;
}
