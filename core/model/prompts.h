/*
 * config_sentence_transformers.json: the prompts that a model was trained with, its similarity, the
 * size to which it cuts its vectors, a cross-encoder's activation. Source: sentence_transformers'
 * base/model.py, _parse_model_config and _resolve_prompt.
 */
#ifndef SEMBED_MODEL_PROMPTS_H
#define SEMBED_MODEL_PROMPTS_H

#include "core/base/archive.h"

#include <stdbool.h>

struct prompt {
    char *name;
    char *text;
};

struct prompts {
    struct prompt *items;
    size_t count;
    const char *default_text; /* NULL: none; one of items */
    char *similarity;    /* "cosine", "dot", "euclidean" or "manhattan"; never NULL once read */
    size_t truncate_dim; /* 0: vectors are not cut */
    char *activation;    /* of the scores, as a torch class; NULL: not said */
};

/* Reads the file where the folder has it; without it there are no prompts, and cosine. listed: the
 * folder has a modules.json; sentence-transformers reads the file only then. */
SEMBED_MUST_CHECK sembed_status prompts_read(const char *folder, bool listed,
                                             struct prompts *prompts, sembed_error *error);
/* To and from an image. */
void prompts_store(struct archive *archive, struct prompts *prompts);
void prompts_free(struct prompts *prompts); /* a zeroed one is allowed */

/* The text of a prompt; NULL where the model has none of that name. Every model has the prompts query
 * and document, empty where the folder does not say otherwise. */
const char *prompts_find(const struct prompts *prompts, const char *name);

#endif
