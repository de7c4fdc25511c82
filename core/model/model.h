/*
 * A model: everything that one folder says, loaded. Immutable afterwards, so that any number of
 * threads may use it, each with a context of its own.
 */
#ifndef SEMBED_MODEL_MODEL_H
#define SEMBED_MODEL_MODEL_H

#include "core/compute/encoder.h"
#include "core/compute/linear.h"
#include "core/image/image.h"
#include "core/model/architecture.h"
#include "core/model/modules.h"
#include "core/model/prompts.h"
#include "core/model/safetensors.h"
#include "core/text/tokenizer.h"

/* The embedding tables. */
enum model_table { MODEL_WORDS, MODEL_POSITIONS, MODEL_TOKEN_TYPES, MODEL_TABLES };

struct sembed_model {
    char *name;
    char *folder;
    char *architecture_name; /* config.json's model_type */
    struct tokenizer *tokenizer;
    struct safetensors weights; /* the folder's, open between model_read and model_pack */
    struct image image;         /* mapped, and read in place */
    struct tensor tables[MODEL_TABLES];
    void *table_memory[MODEL_TABLES]; /* owned; what they are in where there is no image */
    struct encoder *encoder;          /* NULL between model_read and model_pack */
    struct encoder_weights unpacked;  /* the tensors that it is made of, until then */
    struct architecture architecture;
    struct modules modules;
    struct prompts prompts;
    size_t max_tokens;
    uint64_t parameters;
    /* Of a cross-encoder: labels = head_output(head_dense(first token)). */
    struct linear *head_dense;
    struct linear *head_output;
    enum activation score_activation;
    /* What loading it took. */
    char *identity; /* of the folder when it was read, see identity.h; NULL: not asked for */
    size_t private_bytes;
    double load_milliseconds;
    uint64_t serial; /* the registry's, another one for each load */
};

static inline bool model_is_cross_encoder(const struct sembed_model *model)
{
    return model->head_output != NULL;
}

/*
 * Loads a folder under a name, in two steps: model_read checks and reads everything, and model_pack
 * makes the encoder, its matrices in that precision. In between, the encoder can be compiled instead,
 * from model->unpacked. Free with model_free.
 */
SEMBED_MUST_CHECK sembed_status model_read(const char *name, const char *folder,
                                           enum precision precision, const sembed_poll *poll,
                                           struct sembed_model **model, sembed_error *error);
SEMBED_MUST_CHECK sembed_status model_pack(struct sembed_model *model, const sembed_poll *poll,
                                           sembed_error *error);

/* SIZE_MAX on overflow, which no tensor of a file has. */
size_t table_bytes(const struct tensor *table);

/* A model with a name and a folder and nothing else. */
SEMBED_MUST_CHECK sembed_status model_create(const char *name, const char *folder,
                                             struct sembed_model **model, sembed_error *error);
void model_free(struct sembed_model *model); /* NULL is allowed */

#endif
