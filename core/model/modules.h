/*
 * modules.json → what follows the encoder: pooling, then any number of Dense and Normalize modules.
 * Without the file a folder is a plain transformer, and its hidden states are averaged, as
 * sentence-transformers does. Types are honoured in both spellings, that of the models published
 * until 2025 (sentence_transformers.models.Pooling) and that of sentence-transformers 6
 * (sentence_transformers.sentence_transformer.modules.pooling.Pooling): the last word decides.
 */
#ifndef SEMBED_MODEL_MODULES_H
#define SEMBED_MODEL_MODULES_H

#include "core/base/archive.h"
#include "core/compute/linear.h"
#include "core/compute/pooling.h"

#include <stdbool.h>

enum module_kind { MODULE_DENSE, MODULE_NORMALIZE };

struct module {
    enum module_kind kind;
    /* The others are of a MODULE_DENSE. */
    struct linear *linear; /* owned */
    size_t inputs, outputs;
    enum activation activation;
};

struct modules {
    char *transformer_folder; /* where config.json, the weights and the tokenizer are */
    bool listed;              /* modules.json was there */
    bool pooled;              /* false: a cross-encoder that lists its transformer alone */
    enum pooling_mode pooling[POOLING_MODE_COUNT]; /* concatenated in this order */
    size_t pooling_count;
    bool include_prompt;  /* false: a prompt's tokens are left out of the pooling */
    struct module *chain; /* after the pooling, in order */
    size_t chain_count;
    size_t dimensions;   /* of the final vector */
    size_t widest;       /* of the vectors on the way */
    bool normalized;     /* the last module is Normalize */
    uint64_t parameters; /* of the Dense modules */
};

/* Finds the transformer's folder: reads modules.json only. Free with modules_free. */
SEMBED_MUST_CHECK sembed_status modules_locate(const char *folder, struct modules *modules,
                                               sembed_error *error);

/* Reads the modules themselves, for an encoder of that hidden size; an unknown type is
 * SEMBED_UNSUPPORTED and named. */
SEMBED_MUST_CHECK sembed_status modules_read(const char *folder, size_t hidden_size,
                                             struct modules *modules, sembed_error *error);

/* To and from an image; the weights apart, in the order of the chain. */
void modules_store(struct archive *archive, struct modules *modules);

/* Whether the widths that an image names are those of its modules; dimensions may be 0 (a
 * cross-encoder). */
bool modules_are_sound(const struct modules *modules, size_t hidden_size);
void modules_save_weights(const struct modules *modules, struct flat_writer *writer);
SEMBED_MUST_CHECK sembed_status modules_open_weights(struct modules *modules,
                                                     struct flat_reader *reader,
                                                     sembed_error *error);

void modules_free(struct modules *modules); /* a zeroed one is allowed */

#endif
