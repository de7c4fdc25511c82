/*
 * bench matmuls: the matrix products of a model's layers and nothing else, each layer with weights of its
 * own, on as many tokens as the texts have, in processor time. What an encoder takes beyond this is its
 * own doing: attention, norms, activations, tokenising.
 */
#include "bench/bench.h"

#include "core/base/memory.h"
#include "core/compute/gemm.h"

#include <stdio.h>
#include <string.h>

enum { PRODUCTS = 4, GROUP_TOKENS = 480 };

struct matmuls {
    struct gemm_session *session;
    struct gemm_weights **weights; /* [layers, PRODUCTS] */
    size_t layers;
    size_t *starts; /* [groups + 1]: tokens that are multiplied together */
    size_t groups;
    void *x, *y;
};

static void *room(size_t bytes)
{
    void *memory = memory_aligned(bytes);

    if (!memory)
        die("out of memory");
    memset(memory, 0, bytes);
    return memory;
}

/* Numbers between -1 and 1, the same at every run. */
static void fill(float *numbers, size_t count)
{
    uint32_t state = 1;

    for (size_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        numbers[i] = (float)(int32_t)state / 2147483648.0f;
    }
}

/* The query, key and value of a layer as one product, attention's output, and the two of the feed-forward
 * part, its activation fused where that is how it is computed. */
static void pack(struct matmuls *matmuls, const struct dimensions *dimensions,
                 enum precision precision)
{
    const size_t h = dimensions->hidden, i = dimensions->intermediate;
    enum activation activation = precision == PRECISION_F32 ? ACTIVATION_GELU : ACTIVATION_NONE;
    const struct gemm_shape shapes[PRODUCTS] = {{3 * h, h, ACTIVATION_NONE, precision, false},
                                                {h, h, ACTIVATION_NONE, precision, false},
                                                {i, h, activation, precision, false},
                                                {h, i, ACTIVATION_NONE, precision, false}};
    float *weight = room((3 * h > i ? 3 * h : i) * h * sizeof *weight);
    float *bias = room((3 * h > i ? 3 * h : i) * sizeof *bias);
    sembed_error error = {0};

    fill(weight, (3 * h > i ? 3 * h : i) * h);
    matmuls->layers = dimensions->layers;
    matmuls->weights = room(matmuls->layers * PRODUCTS * sizeof(*matmuls->weights));
    for (size_t w = 0; w < matmuls->layers * PRODUCTS; w++)
        must(gemm_pack(&shapes[w % PRODUCTS], weight, bias, &matmuls->weights[w], &error), &error);
    memory_free(weight);
    memory_free(bias);
}

/* Texts are laid together up to GROUP_TOKENS tokens, or each for itself; *tokens becomes their sum. */
static void group(struct matmuls *matmuls, const struct text_list *texts, const size_t *counts,
                  bool one_by_one, size_t *tokens, size_t *largest)
{
    size_t in_group = 0;

    matmuls->starts = room((texts->count + 1) * sizeof *matmuls->starts);
    *tokens = *largest = 0;
    for (size_t i = 0; i < texts->count; i++) {
        if (i > 0 && (one_by_one || in_group + counts[i] > GROUP_TOKENS)) {
            matmuls->starts[++matmuls->groups] = *tokens;
            in_group = 0;
        }
        in_group += counts[i];
        *tokens += counts[i];
        *largest = in_group > *largest ? in_group : *largest;
    }
    matmuls->starts[++matmuls->groups] = *tokens;
}

static void multiply_all(const struct matmuls *matmuls)
{
    sembed_error error = {0};

    for (size_t g = 0; g < matmuls->groups; g++) {
        const size_t rows[] = {0, matmuls->starts[g + 1] - matmuls->starts[g]};

        for (size_t w = 0; w < matmuls->layers * PRODUCTS; w++)
            must(gemm_run(matmuls->weights[w], matmuls->session, matmuls->x, rows, 1, matmuls->y,
                          &error),
                 &error);
    }
}

/* tokens of each text; the caller's to free. */
static size_t *count_tokens(const struct bench_options *options, const struct text_list *texts)
{
    size_t *counts = room(texts->count * sizeof *counts);
    sembed_registry *registry = NULL;
    const sembed_model *model = NULL;
    sembed_context *context = NULL;
    sembed_error error = {0};

    open_model(options->folder, "f32", &registry, &model);
    must(sembed_context_create(&context, &error), &error);
    for (size_t i = 0; i < texts->count; i++) {
        sembed_token *tokens = NULL;

        must(sembed_tokenize(model, context, texts->items[i], 0, NULL, &tokens, &counts[i], &error),
             &error);
        sembed_free(tokens);
    }
    sembed_context_destroy(context);
    sembed_registry_destroy(registry);
    return counts;
}

static enum precision precision_of(const struct bench_options *options)
{
    enum precision precision;

    if (!precision_from_name(options->precision, strlen(options->precision), &precision))
        die("--precision is f32, bf16 or int8, not '%s'", options->precision);
    return precision;
}

int bench_matmuls(const struct bench_options *options)
{
    struct dimensions dimensions = read_dimensions(options->folder);
    struct text_list texts = texts_load(options);
    size_t *counts = count_tokens(options, &texts), tokens, largest;
    struct matmuls matmuls = {0};
    double *times = room(options->passes * sizeof *times), median;
    sembed_error error = {0};

    group(&matmuls, &texts, counts, strcmp(options->kind, "one") == 0, &tokens, &largest);
    pack(&matmuls, &dimensions, precision_of(options));
    must(gemm_session_create(&matmuls.session, &error), &error);
    size_t widest = dimensions.intermediate > 3 * dimensions.hidden ? dimensions.intermediate
                                                                    : 3 * dimensions.hidden;
    matmuls.x = room((largest + GEMM_PADDING) * widest * sizeof(float));
    matmuls.y = room((largest + GEMM_PADDING) * widest * sizeof(float));
    multiply_all(&matmuls);
    for (size_t pass = 0; pass < options->passes; pass++) {
        double start = processor_seconds();

        multiply_all(&matmuls);
        times[pass] = processor_seconds() - start;
    }
    median = sort_and_median(times, options->passes);
    printf(options->json
               ? "{\"kind\": \"%s\", \"precision\": \"%s\", \"processor_ms_per_text\": %.5f, "
                 "\"median_processor_ms_per_text\": %.5f, \"gflops\": %.2f}\n"
               : "%-8s %-4s matrix products alone: %8.3f ms/text (median %8.3f) %8.1f "
                 "GFLOP/s\n",
           options->kind, options->precision, times[0] / (double)texts.count * 1e3,
           median / (double)texts.count * 1e3,
           layer_operations(&dimensions, tokens) / times[0] * 1e-9);
    for (size_t w = 0; w < matmuls.layers * PRODUCTS; w++)
        gemm_weights_destroy(matmuls.weights[w]);
    gemm_session_destroy(matmuls.session);
    memory_free(matmuls.weights);
    memory_free(matmuls.starts);
    memory_free(matmuls.x);
    memory_free(matmuls.y);
    memory_free(counts);
    memory_free(times);
    texts_free(&texts);
    return 0;
}
