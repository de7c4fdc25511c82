/* bench rerank: one query and 100 documents by a cross-encoder, in one call. */
#include "bench/bench.h"

#include "core/base/memory.h"

#include <stdio.h>

enum { DOCUMENTS = 100 };

static const char query[] = "Does treatment with aspirin reduce the risk of heart disease?";

static sembed_text query_text(void)
{
    return (sembed_text){query, sizeof query - 1};
}

/* Operations and tokens of all pairs. */
static double count_pairs(const sembed_model *model, sembed_context *context, const char *folder,
                          const struct text_list *texts, size_t *tokens)
{
    struct dimensions dimensions = read_dimensions(folder);
    sembed_error error = {0};
    double operations = 0;

    *tokens = 0;
    for (size_t i = 0; i < texts->count; i++) {
        sembed_token *pair = NULL;
        size_t count = 0;

        must(sembed_tokenize_pair(model, context, query_text(), texts->items[i], 0, NULL, &pair,
                                  &count, &error),
             &error);
        sembed_free(pair);
        *tokens += count;
        operations += count_operations(&dimensions, count);
    }
    return operations;
}

int bench_rerank(const struct bench_options *options)
{
    struct text_list all = texts_load(options);
    struct text_list texts = {all.items, all.count < DOCUMENTS ? all.count : DOCUMENTS};
    sembed_registry *registry = NULL;
    const sembed_model *model = NULL;
    sembed_context *context = NULL;
    sembed_model_info info;
    sembed_error error = {0};
    double *times = memory_calloc(options->passes, sizeof *times), operations, median;
    size_t tokens;
    float *scores;

    open_model(options->folder, options->precision, &registry, &model);
    sembed_model_describe(model, &info);
    scores = memory_calloc(texts.count, (info.labels ? info.labels : 1) * sizeof *scores);
    if (!times || !scores)
        die("out of memory");
    must(sembed_context_create(&context, &error), &error);
    must(sembed_context_set_threads(context, options->threads, &error), &error);
    operations = count_pairs(model, context, options->folder, &texts, &tokens);
    for (size_t pass = 0; pass <= options->passes; pass++) { /* the first warms up */
        double start = seconds_now();

        must(sembed_score(model, context, query_text(), texts.items, texts.count, 0, NULL, scores,
                          &error),
             &error);
        if (pass > 0)
            times[pass - 1] = seconds_now() - start;
    }
    median = sort_and_median(times, options->passes);
    printf(options->json ? "{\"precision\": \"%s\", \"documents\": %zu, \"tokens\": %zu, \"ms\": "
                           "%.2f, \"median_ms\": %.2f, \"gflops\": %.2f, \"peak_mb\": %.1f}\n"
                         : "%-4s %zu documents, %zu tokens: %9.1f ms (median %9.1f) %8.1f GFLOP/s  "
                           "peak %.0f MB\n",
           options->precision, texts.count, tokens, times[0] * 1e3, median * 1e3,
           operations / times[0] * 1e-9, peak_megabytes());
    memory_free(times);
    memory_free(scores);
    sembed_context_destroy(context);
    sembed_registry_destroy(registry);
    texts_free(&all);
    return 0;
}
