/*
 * The encoder: token ids → hidden states, for the BERT family in all its dress.
 *
 * One description drives it. All members are post-norm transformers that differ in what is added up
 * at the bottom, in a bias on the attention scores and in names:
 *
 *                        ids [tokens]
 *                          │ word + position (+ token type) embeddings, layer norm
 *                          │ (projection to hidden, where the embedding is narrower: ELECTRA)
 *            ┌─────────────┤
 *            │   query, key, value = x·Wᵀ + b      one matrix product, [tokens, 3·hidden]
 *            │   softmax(query·keyᵀ/√head + relative bias)·value       per text and head
 *            │   layer norm(x + context·Wᵀ + b)
 *   layers × │   layer norm(x + W₂·activation(W₁·x))
 *            └─────────────┤
 *                        hidden states [tokens, hidden]
 *
 * Texts of all lengths lie one behind the other in one [tokens, width] matrix; nothing is padded,
 * and attention runs within each text. Source: Devlin et al. 2018 (arXiv 1810.04805); the reference
 * is transformers' modeling_bert.py and its siblings.
 */
#ifndef SEMBED_COMPUTE_ENCODER_H
#define SEMBED_COMPUTE_ENCODER_H

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/flat.h"
#include "core/compute/precision.h"
#include "core/compute/tensor.h"

struct norm_weights {
    struct tensor scale, shift; /* [1, width] */
};

struct layer_weights {
    struct linear_weights query, key, value; /* [hidden, hidden] */
    struct linear_weights attention_output;  /* [hidden, hidden] */
    struct norm_weights attention_norm;
    struct linear_weights intermediate; /* [intermediate, hidden] */
    struct linear_weights output;       /* [hidden, intermediate] */
    struct norm_weights output_norm;
};

struct encoder_config {
    size_t hidden_size;
    size_t embedding_size; /* hidden_size, but for ELECTRA */
    size_t layers;
    size_t heads; /* divides hidden_size; any head size */
    size_t intermediate_size;
    size_t max_tokens; /* of one text: rows of positions less position_offset */
    /* Row of the first token: 0; in RoBERTa and MPNet the padding token's id + 1. They count positions
     * over the tokens that are not that one, which takes the row of its own id wherever a text spells
     * it ("<pad>"). Source: create_position_ids_from_input_ids in modeling_roberta.py. */
    size_t position_offset;
    float norm_epsilon;
    enum activation activation;
    enum precision precision;
    size_t relative_buckets;      /* MPNet: 32; 0: no relative position bias */
    size_t relative_max_distance; /* MPNet: 128 */
};

struct encoder_weights {
    struct tensor words; /* [vocabulary, embedding_size], read in place as long as the encoder */
    struct tensor positions;   /* [max_tokens + position_offset, embedding_size], likewise */
    struct tensor token_types; /* [types, embedding_size], likewise; absent: DistilBERT, MPNet */
    struct norm_weights embedding_norm;
    struct linear_weights embedding_projection; /* ELECTRA; absent otherwise */
    struct tensor relative_bias;                /* MPNet: [relative_buckets, heads] */
    const struct layer_weights *layers;         /* [config.layers] */
};

struct encoder;         /* immutable: packed weights, shared by threads */
struct encoder_session; /* what one thread needs to run encoders: engine state and scratch */

/*
 * Checks every shape against the config (SEMBED_MALFORMED names nothing here: the caller has named
 * the tensors), packs the matrices for the engine, copies the vectors. Tensors marked "read in
 * place" must stay valid and unchanged until encoder_destroy; the others may go.
 */
SEMBED_MUST_CHECK sembed_status encoder_create(const struct encoder_config *config,
                                               const struct encoder_weights *weights,
                                               const sembed_poll *poll, struct encoder **encoder,
                                               sembed_error *error);
void encoder_destroy(struct encoder *encoder); /* NULL is allowed */

/*
 * What encoder_create makes, as flat bytes (core/base/flat.h) for a compiled image of the model:
 *
 *     encoder_compile   packs as encoder_create does and writes norms, relative bias and packed
 *                       matrices; not the config and not the tensors that are read in place, which an
 *                       image holds in its own way. Never more than two layers are in memory.
 *     encoder_open      makes the same encoder of them: nothing is copied but the structs that point,
 *                       and hidden states have the same bits. The flat bytes, and the tensors read in
 *                       place, must stay until encoder_destroy.
 *
 * Of `weights` encoder_open reads only words, positions and token_types. An image made by another engine
 * or on another CPU is told apart by gemm_fingerprint(config.precision), which should be compared first;
 * encoder_open refuses what does not fit (SEMBED_MALFORMED, SEMBED_UNSUPPORTED: see gemm_open), and
 * checks every size, but believes the numbers themselves.
 */
SEMBED_MUST_CHECK sembed_status encoder_compile(const struct encoder_config *config,
                                                const struct encoder_weights *weights,
                                                const sembed_poll *poll, struct flat_writer *writer,
                                                sembed_error *error);
SEMBED_MUST_CHECK sembed_status encoder_open(const struct encoder_config *config,
                                             const struct encoder_weights *weights,
                                             struct flat_reader *reader, struct encoder **encoder,
                                             sembed_error *error);

SEMBED_MUST_CHECK sembed_status encoder_session_create(struct encoder_session **session,
                                                       sembed_error *error);
void encoder_session_destroy(struct encoder_session *session); /* NULL is allowed */
void encoder_session_trim(struct encoder_session *session);    /* gives large scratch back */

/* Texts laid one behind the other. */
struct packed_texts {
    const uint32_t *ids;  /* [tokens], each below the rows of words */
    const uint8_t *types; /* [tokens], each below the rows of token_types */
    const size_t *starts; /* [texts + 1]: text i is tokens starts[i] … starts[i + 1] − 1, at least
                             one and at most config.max_tokens of them; starts[texts] = tokens */
    size_t texts;
};

/*
 * The hidden states after `layers` layers (0: all; fewer cost as much less): *hidden becomes
 * [tokens, hidden_size], in the session's scratch, valid until its next use. Ids and lengths out of
 * range are SEMBED_INVALID_ARGUMENT. Row for row the same bits for a text whatever it is packed
 * with.
 */
SEMBED_MUST_CHECK sembed_status encoder_run(const struct encoder *encoder,
                                            struct encoder_session *session,
                                            const struct packed_texts *texts, size_t layers,
                                            const sembed_poll *poll, const float **hidden,
                                            sembed_error *error);

#endif
