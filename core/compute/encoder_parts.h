/* What an encoder is made of: encoder_make.c makes, saves and opens it, encoder.c runs it. */
#ifndef SEMBED_COMPUTE_ENCODER_PARTS_H
#define SEMBED_COMPUTE_ENCODER_PARTS_H

#include "core/compute/attention.h"
#include "core/compute/encoder.h"
#include "core/compute/gemm.h"
#include "core/compute/kernels.h"

struct encoder_layer {
    struct gemm_weights *query_key_value; /* hidden → 3·hidden */
    struct gemm_weights *attention_output;
    struct gemm_weights *intermediate; /* with the activation */
    struct gemm_weights *output;
    struct norm attention_norm, output_norm;
};

struct encoder {
    struct encoder_config config;
    struct tensor tables[EMBEDDING_TABLES]; /* read in place */
    struct norm embedding_norm;
    struct gemm_weights *embedding_projection; /* NULL: none */
    struct relative_bias relative_bias;
    struct encoder_layer *layers;
    const struct kernels *tiles; /* whose attention_tiles it uses; NULL: attention in float32 */
    bool borrows;                /* norms and relative bias lie in flat bytes of the caller's */
};

#endif
