#include "core/compute/attention.h"

#include "core/base/memory.h"
#include "core/compute/kernels.h"
#include "core/compute/pack.h"

#include <math.h>
#include <stdlib.h>

size_t relative_bucket(long distance, size_t buckets, size_t max_distance)
{
    /* Half the buckets are for keys behind the query, half for those at or before it; of each half
     * the lower half counts distances one by one, the upper one by their logarithm. */
    size_t half = buckets / 2;
    size_t base = distance < 0 ? half : 0;
    size_t length = (size_t)labs(distance);
    size_t exact = half / 2;
    if (length < exact)
        return base + length;
    /* In single precision and in this order, as the reference: it decides where buckets end. */
    float steps = logf((float)length / (float)exact) /
                  (float)log((double)max_distance / (double)exact) * (float)(half - exact);
    size_t bucket = exact + (size_t)steps;
    return base + (bucket < half - 1 ? bucket : half - 1);
}

/* Floats that a kernel may read behind the values. */
#define BEHIND_VALUES (MEMORY_ALIGNMENT / sizeof(float))

static struct relative_bias empty_bias(const struct encoder_config *config)
{
    return (struct relative_bias){.stride = 2 * config->max_tokens - 1,
                                  .center = config->max_tokens - 1};
}

static void spread_buckets(const struct encoder_config *config, const float *table,
                           const struct relative_bias *bias, float *values)
{
    for (size_t place = 0; place < bias->stride; place++) {
        size_t bucket = relative_bucket((long)place - (long)bias->center, config->relative_buckets,
                                        config->relative_max_distance);
        for (size_t head = 0; head < config->heads; head++)
            values[head * bias->stride + place] = table[bucket * config->heads + head];
    }
}

sembed_status relative_bias_create(const struct encoder_config *config, const struct tensor *table,
                                   struct relative_bias *bias, sembed_error *error)
{
    const char *what = "relative position bias";
    size_t numbers, entries;
    float *buckets, *values;
    sembed_status status = check_shape(table, config->relative_buckets, config->heads, what, error);
    if (status != SEMBED_OK)
        return status;
    *bias = empty_bias(config);
    if (!size_multiply(bias->stride, config->heads, &numbers) ||
        !size_multiply(config->relative_buckets, config->heads, &entries))
        return error_no_memory(error, what);
    buckets = memory_calloc(entries, sizeof *buckets);
    values = memory_calloc(numbers + BEHIND_VALUES, sizeof *values);
    bias->values = values;
    if (!buckets || !values) {
        memory_free(buckets);
        return error_no_memory(error, what);
    }
    status = widen_tensor(table, entries, buckets, error);
    if (status == SEMBED_OK)
        spread_buckets(config, buckets, bias, values);
    memory_free(buckets);
    return status;
}

size_t relative_bias_bytes(const struct encoder_config *config, const struct relative_bias *bias)
{
    return (bias->stride * config->heads + BEHIND_VALUES) * sizeof *bias->values;
}

sembed_status relative_bias_open(const struct encoder_config *config, struct flat_reader *reader,
                                 struct relative_bias *bias, sembed_error *error)
{
    const void *values;
    *bias = empty_bias(config);
    sembed_status status = flat_read(reader, relative_bias_bytes(config, bias),
                                     "relative position bias", &values, error);
    if (status == SEMBED_OK)
        bias->values = values;
    return status;
}

size_t attend_scratch(const struct encoder_config *config, const struct kernels *tiles,
                      size_t longest_text)
{
    size_t head_size = config->hidden_size / config->heads;
    return tiles ? tiles->attention_tiles_scratch(longest_text, head_size)
                 : kernels()->attention_scratch(longest_text, head_size);
}

/* Scores between two calls of the poll: some milliseconds of work. */
#define SCORES_BETWEEN_POLLS ((size_t)1 << 24)

/* How many heads and queries are done at once: all, but of a text of thousands of tokens one head, and as
 * many queries as make so many scores. */
static struct attention_part first_part(const struct attention_input *input)
{
    size_t tokens = input->tokens;
    struct attention_part part = {.head_stop = input->heads, .query_stop = tokens};
    if (tokens * tokens * input->heads <= SCORES_BETWEEN_POLLS)
        return part;
    part.head_stop = 1;
    if (tokens * tokens > SCORES_BETWEEN_POLLS)
        part.query_stop =
            ATTENTION_STEP + SCORES_BETWEEN_POLLS / tokens / ATTENTION_STEP * ATTENTION_STEP;
    if (part.query_stop > tokens)
        part.query_stop = tokens;
    return part;
}

/* The part behind, of as many heads or queries; false where all is done. */
static bool next_part(const struct attention_input *input, const struct attention_part *first,
                      struct attention_part *part)
{
    part->query = part->query_stop;
    if (part->query == input->tokens) {
        part->query = 0;
        part->head = part->head_stop;
        part->head_stop += first->head_stop;
    }
    part->query_stop = part->query + first->query_stop;
    if (part->query_stop > input->tokens)
        part->query_stop = input->tokens;
    return part->head < input->heads;
}

/* One text's rows, from `start` on. *scores grows by those that were made since poll was asked. */
static sembed_status attend_text(const struct kernels *tiles, struct attention_input *input,
                                 const struct operand *states, size_t start,
                                 const struct operand *context, float *scratch, size_t *scores,
                                 const sembed_poll *poll, sembed_error *error)
{
    const struct operand query = operand_from(states, start), to = operand_from(context, start);
    size_t hidden = context->width * operand_number_size(states->precision);
    input->query = query.numbers;
    input->key = (const char *)query.numbers + hidden;
    input->value = (const char *)query.numbers + 2 * hidden;
    const struct attention_part first = first_part(input);
    input->part = first;
    do {
        if (tiles)
            tiles->attention_tiles(input, &to, scratch);
        else
            kernels()->attention(input, to.numbers, scratch);
        *scores += (input->part.query_stop - input->part.query) * input->tokens *
                   (input->part.head_stop - input->part.head);
        if (*scores > SCORES_BETWEEN_POLLS) {
            *scores = 0;
            if (poll_wants_stop(poll))
                return error_canceled(error);
        }
    } while (next_part(input, &first, &input->part));
    return SEMBED_OK;
}

sembed_status attend_texts(const struct encoder_config *config, const struct relative_bias *bias,
                           const struct kernels *tiles, const struct packed_texts *texts,
                           const struct operand *states, const struct operand *context,
                           float *scratch, const sembed_poll *poll, sembed_error *error)
{
    size_t head_size = config->hidden_size / config->heads;
    size_t scores = 0;
    struct attention_input input = {
        .stride = states->width,
        .heads = config->heads,
        .head_size = head_size,
        .scale = (float)(1.0 / sqrt((double)head_size)),
        .bias = bias->values ? bias->values + bias->center : NULL,
        .bias_stride = bias->stride,
    };
    sembed_status status = SEMBED_OK;
    for (size_t text = 0; status == SEMBED_OK && text < texts->texts; text++) {
        size_t start = texts->starts[text];
        input.tokens = texts->starts[text + 1] - start;
        status = attend_text(tiles, &input, states, start, context, scratch, &scores, poll, error);
    }
    return status;
}
