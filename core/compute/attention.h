/* Relative position bias, and attention over texts laid one behind the other. */
#ifndef SEMBED_COMPUTE_ATTENTION_H
#define SEMBED_COMPUTE_ATTENTION_H

#include "core/compute/encoder.h"
#include "core/compute/kernels.h"

/*
 * MPNet's bias on the scores, spread out from buckets to distances: values[h·stride + center +
 * (i − j)] is added to what head h makes of the query at i and the key at j.
 */
struct relative_bias {
    const float *values; /* [heads, stride] and a vector more; NULL: the model has none */
    size_t stride;       /* 2·max_tokens − 1 */
    size_t center;       /* max_tokens − 1 */
};

/* From the table [relative_buckets, heads]. Free its values with memory_free. */
SEMBED_MUST_CHECK sembed_status relative_bias_create(const struct encoder_config *config,
                                                     const struct tensor *table,
                                                     struct relative_bias *bias,
                                                     sembed_error *error);

/* The bytes of its values, and the same bias over values that lie in flat bytes. */
size_t relative_bias_bytes(const struct encoder_config *config, const struct relative_bias *bias);
SEMBED_MUST_CHECK sembed_status relative_bias_open(const struct encoder_config *config,
                                                   struct flat_reader *reader,
                                                   struct relative_bias *bias, sembed_error *error);

/* The bucket of a query at i and a key at j by their distance i − j. Source:
 * relative_position_bucket in transformers' modeling_mpnet.py. */
size_t relative_bucket(long distance, size_t buckets, size_t max_distance);

/* The floats of scratch that attend_texts needs for these texts; SIZE_MAX on overflow. */
size_t attend_scratch(const struct encoder_config *config, const struct kernels *tiles,
                      size_t longest_text);

/*
 * states[tokens, 3·hidden] (query, key, value side by side) → context[tokens, hidden], text by text.
 * Polls between texts, and in long ones, now and then. On tiles, states are bfloat16 and context is
 * bfloat16 or float32; without (NULL) both are float32, and states readable for 64 bytes past their end.
 */
SEMBED_MUST_CHECK sembed_status attend_texts(
    const struct encoder_config *config, const struct relative_bias *bias,
    const struct kernels *tiles, const struct packed_texts *texts, const struct operand *states,
    const struct operand *context, float *scratch, const sembed_poll *poll, sembed_error *error);

#endif
