/*
 * A model: everything that one folder says, loaded. Immutable afterwards, so that any number of
 * threads may use it, each with a context of its own.
 */
#ifndef SEMBED_MODEL_MODEL_H
#define SEMBED_MODEL_MODEL_H

#include "core/compute/encoder.h"
#include "core/compute/linear.h"
#include "core/model/architecture.h"
#include "core/model/modules.h"
#include "core/model/prompts.h"
#include "core/model/safetensors.h"
#include "core/text/tokenizer.h"

struct sembed_model {
    char *name;
    char *folder;
    char *architecture_name; /* config.json's model_type */
    struct tokenizer *tokenizer;
    struct safetensors weights; /* mapped: the embedding tables are read in place */
    struct encoder *encoder;
    struct architecture architecture;
    struct modules modules;
    struct prompts prompts;
    size_t max_tokens;
    uint64_t parameters;
    /* Of a cross-encoder: labels = head_output(head_dense(first token)). */
    struct linear *head_dense;
    struct linear *head_output;
    enum activation score_activation;
};

static inline bool model_is_cross_encoder(const struct sembed_model *model)
{
    return model->head_output != NULL;
}

/* Loads a folder under a name. Free with model_free. */
SEMBED_MUST_CHECK sembed_status model_load(const char *name, const char *folder,
                                           const sembed_poll *poll, struct sembed_model **model,
                                           sembed_error *error);
void model_free(struct sembed_model *model); /* NULL is allowed */

#endif
