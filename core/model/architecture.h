/*
 * config.json → what the encoder is, and how its tensors are called.
 *
 * The families of the BERT kind are the same encoder under other names. A family is a row of a table:
 * the model types it answers to, its keys in config.json, its tensors' names, how it counts
 * positions. A new family of this kind is a new row.
 */
#ifndef SEMBED_MODEL_ARCHITECTURE_H
#define SEMBED_MODEL_ARCHITECTURE_H

#include "core/base/archive.h"
#include "core/base/json.h"
#include "core/compute/encoder.h"

/* Keys of config.json that differ between families. */
struct config_keys {
    const char *hidden_size, *layers, *heads, *intermediate_size, *activation;
};

/* Names of tensors, without ".weight" and ".bias". NULL: the family has none. */
struct tensor_names {
    const char *layer_prefix; /* then the layer's number, a dot, and one of these: */
    const char *query, *key, *value, *attention_output, *attention_norm;
    const char *intermediate, *output, *output_norm;
    const char *token_types;
    const char *embedding_projection;
    const char *relative_bias;
    const char *head_dense, *head_output; /* of *ForSequenceClassification */
};

struct family {
    const char *model_types[4]; /* up to NULL */
    const char *tensor_prefix;  /* "bert.": the encoder's tensors come with or without it */
    const struct config_keys *keys;
    const struct tensor_names *names;
    enum activation head_activation; /* between head_dense and head_output */
    bool pooler_in_encoder;          /* BERT: head_dense carries the encoder's prefix */
    bool positions_after_padding;    /* positions begin at pad_token_id + 1 */
    bool reads_token_types;          /* a pair's second text is type 1; others read 0 throughout */
};

struct architecture {
    const struct family *family;
    struct encoder_config encoder;
    size_t vocabulary_size; /* rows of the word embeddings */
    size_t position_rows;   /* of the position embeddings */
    size_t labels;          /* of a *ForSequenceClassification; 0: an embedding model */
};

/* Reads an open config.json. An unknown model_type, activation or kind of positions is
 * SEMBED_UNSUPPORTED and named; sizes that do not fit one another are SEMBED_MALFORMED. */
SEMBED_MUST_CHECK sembed_status architecture_read(const struct json_file *config,
                                                  struct architecture *architecture,
                                                  sembed_error *error);

/* To and from an image. */
void architecture_store(struct archive *archive, struct architecture *architecture);

/* transformers' names of activations, "gelu_new"; false for an unknown one. */
bool activation_from_name(const char *name, enum activation *activation);

/* torch's, "torch.nn.modules.activation.Tanh"; false for an unknown one. */
bool activation_from_torch(const char *path, enum activation *activation);

#endif
