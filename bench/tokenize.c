/* bench tokenize: how fast texts become token ids, in processor time: a pass takes so little of it
 * that a machine with other work would show that work. */
#include "bench/bench.h"

#include "core/base/memory.h"
#include "core/text/tokenizer.h"

#include <stdio.h>
#include <string.h>

/* All texts, whole, without offsets; returns the number of tokens. */
static size_t tokenize_all(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                           const struct text_list *texts, struct encoding *encoding)
{
    sembed_error error = {0};
    size_t tokens = 0;

    for (size_t i = 0; i < texts->count; i++) {
        must(tokenizer_encode(tokenizer, scratch, texts->items[i], SIZE_MAX, false, NULL, encoding,
                              &error),
             &error);
        tokens += encoding->count;
    }
    return tokens;
}

static void print_result(const struct bench_options *options, size_t texts, size_t tokens,
                         double load, double best, double median)
{
    double microseconds = best / (double)texts * 1e6;

    if (options->json)
        printf("{\"folder\": \"%s\", \"kind\": \"%s\", \"texts\": %zu, \"tokens\": %zu, "
               "\"us_per_text\": %.3f, \"median_us_per_text\": %.3f, \"load_ms\": %.2f}\n",
               options->folder, options->kind, texts, tokens, microseconds,
               median / (double)texts * 1e6, load * 1e3);
    else
        printf("%-8s %6zu texts of %5.1f tokens: %8.2f us/text (median %8.2f) %11.0f tokens/s  "
               "load %.1f ms  %s\n",
               options->kind, texts, (double)tokens / (double)texts, microseconds,
               median / (double)texts * 1e6, (double)tokens / best, load * 1e3, options->folder);
}

int bench_tokenize(const struct bench_options *options)
{
    struct text_list texts = texts_load(options);
    struct tokenizer *tokenizer = NULL;
    struct tokenizer_scratch *scratch = NULL;
    struct encoding encoding = {0};
    sembed_error error = {0};
    double *times = memory_calloc(options->passes, sizeof *times), start = seconds_now(), load;
    size_t tokens;

    if (!times)
        die("out of memory");
    must(tokenizer_open(options->folder, NULL, &tokenizer, &error), &error);
    load = seconds_now() - start;
    must(tokenizer_scratch_create(&scratch, &error), &error);
    tokens = tokenize_all(tokenizer, scratch, &texts, &encoding); /* warms up, too */
    for (size_t pass = 0; pass < options->passes; pass++) {
        start = processor_seconds();
        tokenize_all(tokenizer, scratch, &texts, &encoding);
        times[pass] = processor_seconds() - start;
    }
    double median = sort_and_median(times, options->passes);
    print_result(options, texts.count, tokens, load, times[0], median);
    memory_free(times);
    encoding_free(&encoding);
    tokenizer_scratch_destroy(scratch);
    tokenizer_close(tokenizer);
    texts_free(&texts);
    return 0;
}
