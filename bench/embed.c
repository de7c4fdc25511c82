/* bench embed: how fast texts become vectors. */
#include "bench/bench.h"

#include "core/base/memory.h"

#include <stdio.h>
#include <string.h>

struct embed_result {
    size_t texts;
    uint64_t tokens;     /* of all texts, special tokens included */
    double operations;   /* floating-point operations of the matrix products of one pass */
    double load;         /* seconds */
    double best, median; /* seconds of a pass */
    double processor;    /* seconds of processor time of a pass, the least */
    const char *engine;
};

static void count_work(const struct bench_options *options, const sembed_model *model,
                       sembed_context *context, const struct text_list *texts,
                       struct embed_result *result)
{
    struct dimensions dimensions = read_dimensions(options->folder);
    sembed_error error = {0};

    for (size_t i = 0; i < texts->count; i++) {
        sembed_token *tokens = NULL;
        size_t count = 0;

        must(sembed_tokenize(model, context, texts->items[i], 0, NULL, &tokens, &count, &error),
             &error);
        sembed_free(tokens);
        result->tokens += count;
        result->operations += count_operations(&dimensions, count);
    }
}

/* --------------------------------------------------------------------------------- timing */

/* All texts once: in one call, or, for the kind "one", each in a call of its own, as a function of
 * SQL gets them. */
static void embed_all(const sembed_model *model, sembed_context *context,
                      const struct text_list *texts, bool one_by_one, size_t dimensions,
                      float *vectors)
{
    sembed_error error = {0};

    if (!one_by_one) {
        must(sembed_embed(model, context, texts->items, texts->count, NULL, NULL, vectors, &error),
             &error);
        return;
    }
    for (size_t i = 0; i < texts->count; i++)
        must(sembed_embed(model, context, &texts->items[i], 1, NULL, NULL, vectors + i * dimensions,
                          &error),
             &error);
}

/* The vectors one behind the other, as float32. */
static void write_vectors(const char *path, const float *vectors, size_t count)
{
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(vectors, sizeof *vectors, count, file) != count || fclose(file) != 0)
        die("cannot write %s", path);
}

static void time_passes(const struct bench_options *options, const sembed_model *model,
                        sembed_context *context, const struct text_list *texts,
                        struct embed_result *result)
{
    bool one_by_one = strcmp(options->kind, "one") == 0;
    struct text_list first = {texts->items, texts->count < 64 ? texts->count : 64};
    sembed_model_info info;
    float *vectors;
    double *times = memory_calloc(options->passes, sizeof *times);

    sembed_model_describe(model, &info);
    vectors = memory_calloc(texts->count, info.dimensions * sizeof *vectors);
    if (!vectors || !times)
        die("out of memory for the vectors");
    embed_all(model, context, &first, one_by_one, info.dimensions, vectors);
    for (size_t pass = 0; pass < options->passes; pass++) {
        double start = seconds_now(), processor_start = processor_seconds(), processor;

        embed_all(model, context, texts, one_by_one, info.dimensions, vectors);
        times[pass] = seconds_now() - start;
        processor = processor_seconds() - processor_start;
        if (pass == 0 || processor < result->processor)
            result->processor = processor;
    }
    result->median = sort_and_median(times, options->passes);
    result->best = times[0];
    if (options->vectors_path)
        write_vectors(options->vectors_path, vectors, texts->count * info.dimensions);
    memory_free(vectors);
    memory_free(times);
}

static void print_result(const struct bench_options *options, const struct embed_result *result)
{
    double texts = (double)result->texts, tokens = (double)result->tokens;

    if (options->json) {
        printf("{\"kind\": \"%s\", \"precision\": \"%s\", \"texts\": %zu, \"tokens\": %llu, "
               "\"texts_per_second\": %.2f, \"median_texts_per_second\": %.2f, "
               "\"ms_per_text\": %.5f, \"processor_ms_per_text\": %.5f, \"tokens_per_second\": "
               "%.1f, \"gflops\": %.2f, "
               "\"load_ms\": %.2f, \"peak_mb\": %.1f, \"version\": \"%s\", \"engine\": \"%s\", "
               "\"processor\": \"%s\"}\n",
               options->kind, options->precision, result->texts, (unsigned long long)result->tokens,
               texts / result->best, texts / result->median, result->best / texts * 1e3,
               result->processor / texts * 1e3, tokens / result->best,
               result->operations / result->best * 1e-9, result->load * 1e3, peak_megabytes(),
               sembed_version(), result->engine, processor_name());
        return;
    }
    printf("%-8s %-4s %6zu texts of %5.1f tokens: %9.1f texts/s (median %9.1f) %8.3f ms/text "
           "(%.3f of processor) %9.0f tokens/s %6.1f GFLOP/s  load %.0f ms  peak %.0f MB  %s\n",
           options->kind, options->precision, result->texts, tokens / texts, texts / result->best,
           texts / result->median, result->best / texts * 1e3, result->processor / texts * 1e3,
           tokens / result->best, result->operations / result->best * 1e-9, result->load * 1e3,
           peak_megabytes(), result->engine);
}

int bench_embed(const struct bench_options *options)
{
    struct text_list texts = texts_load(options);
    struct embed_result result = {.texts = texts.count};
    sembed_registry *registry = NULL;
    const sembed_model *model = NULL;
    sembed_context *context = NULL;
    sembed_error error = {0};
    double start = seconds_now();

    open_model(options->folder, options->precision, &registry, &model);
    result.load = seconds_now() - start;
    result.engine = sembed_engine();
    must(sembed_context_create(&context, &error), &error);
    must(sembed_context_set_threads(context, options->threads, &error), &error);
    count_work(options, model, context, &texts, &result);
    time_passes(options, model, context, &texts, &result);
    print_result(options, &result);
    sembed_context_destroy(context);
    sembed_registry_destroy(registry);
    texts_free(&texts);
    return 0;
}
