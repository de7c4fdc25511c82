/*
 * What is not a matrix product: normalisation, activations, attention, pooling, similarity, in
 * vector code. core/compute/simd/ is compiled once for each instruction set into one table of these
 * functions; kernels() gives the best that this CPU runs.
 *
 * No pointer need be aligned beyond its type. Widths and counts may be any number; where one is not
 * a multiple of the vector, the rest is handled without touching what lies behind, but for the
 * reading that struct attention_input names. Results are the same for a row wherever it stands.
 */
#ifndef SEMBED_COMPUTE_KERNELS_H
#define SEMBED_COMPUTE_KERNELS_H

#include "core/compute/product.h"
#include "core/compute/tensor.h"

/* Layer normalisation over rows of `width`: (x − mean)/√(variance + epsilon)·scale + shift, the
 * variance that of the row itself (divided by width). Source: torch.nn.LayerNorm. */
struct norm {
    const float *scale, *shift; /* [width] */
    size_t width;
    float epsilon;
};

/* The three tables that are summed up under the first layer, in the order of the sum. */
enum { EMBEDDING_WORD, EMBEDDING_TOKEN_TYPE, EMBEDDING_POSITION, EMBEDDING_TABLES };

/* Of the queries of a text, those that are done at once begin at a multiple of this. */
#define ATTENTION_STEP 64

/* What is to be done of a text's attention: heads [head, head_stop), queries [query, query_stop). */
struct attention_part {
    size_t head, head_stop;
    size_t query, query_stop;
};

/* One text's attention: query, key, value [tokens, heads·head_size], rows `stride` apart. */
struct attention_input {
    const void *query, *key, *value; /* float, value readable for a vector (64 bytes) past its end;
                                        or bfloat16 for attention_tiles, none read past its end */
    size_t stride;
    size_t tokens, heads, head_size;
    struct attention_part part;
    float scale; /* of query·key: 1/√head_size */

    /* Added to the scaled product of the query at i and the key at j: bias[h·bias_stride + i − j],
     * where i − j goes from −(tokens − 1) to tokens − 1. NULL: nothing. Readable for a vector past
     * its end. */
    const float *bias;
    size_t bias_stride;
};

struct kernels {
    const char *name; /* "baseline", "avx2", "avx512", "amx" */
    size_t lanes;     /* floats in a vector */

    /* from[count] numbers of a type → to[count]. */
    void (*widen)(enum number_type type, const void *from, size_t count, float *to);

    /* y[width] = norm(Σ tables[t] row rows[t]); a table with data NULL is left out. */
    void (*embed_norm)(const struct tensor tables[EMBEDDING_TABLES],
                       const size_t rows[EMBEDDING_TABLES], const struct norm *norm, float *y);

    /* x[rows, width] becomes norm(x + y) row by row, and `to` the same in y's precision (float32:
     * nothing, to may be NULL); y[rows, width]. */
    void (*add_norm)(const struct norm *norm, const struct product *y, size_t rows, float *x,
                     const struct operand *to);

    /* to[rows, width] = activation(y): bfloat16 from bfloat16, any from int8. y is used
     * up. Within 1e-4 of the activation. */
    void (*finish)(enum activation activation, const struct product *y, size_t rows,
                   const struct operand *to);

    /* to[rows, width] = x in to's precision. */
    void (*narrow)(const float *x, size_t rows, const struct operand *to);

    /* weight[outputs, inputs] → numbers[outputs, inputs] in −127 … 127, scales[outputs] and
     * sums[outputs]: Σ numbers·scale of each output. */
    void (*quantize_weights)(const float *weight, size_t outputs, size_t inputs, int8_t *numbers,
                             float *scales, float *sums);

    /* y[rows, width] becomes activation(y + bias) in place; bias[width] or NULL. */
    void (*bias_activate)(enum activation activation, const float *bias, size_t rows, size_t width,
                          float *y);

    /* softmax(query·keyᵀ·scale + bias)·value for every head → context[tokens, heads·head_size].
     * scratch: attention_scratch floats. */
    void (*attention)(const struct attention_input *input, float *context, float *scratch);
    size_t (*attention_scratch)(size_t tokens, size_t head_size);

    /* The same from bfloat16, with weights rounded to bfloat16 too; context[tokens, heads·head_size]
     * bfloat16 or float32. NULL but in "amx", and for those alone whom kernels_with_tiles allows. */
    void (*attention_tiles)(const struct attention_input *input, const struct operand *context,
                            float *scratch);
    size_t (*attention_tiles_scratch)(size_t tokens, size_t head_size);

    /* vector[width] = Σ (first_weight + t) · hidden[t] / divisor, summed in double; constant_weight:
     * every weight is 1. hidden[tokens, width]. */
    void (*pool_sum)(const float *hidden, size_t tokens, size_t width, double first_weight,
                     double weight_step, double divisor, float *vector);
    void (*pool_max)(const float *hidden, size_t tokens, size_t width, float *vector);

    /* Sums over a[n] and b[n] in double: products[3] = {a·b, a·a, b·b}; |a − b|² and Σ|a − b|. */
    double (*dot)(const float *a, const float *b, size_t n);
    void (*dot_three)(const float *a, const float *b, size_t n, double products[3]);
    /* products[2] = {a·b, b·b} of a[n] that are floats widened: to the bit those of dot_three. */
    void (*dot_two)(const double *a, const float *b, size_t n, double products[2]);
    double (*squared_distance)(const float *a, const float *b, size_t n);
    double (*absolute_distance)(const float *a, const float *b, size_t n);
};

/* The best table that this CPU runs and SEMBED_ISA (baseline, avx2, avx512 or amx) does not forbid. */
const struct kernels *kernels(void);

/* That table where it has attention_tiles and the system lets the process use tiles, which it is asked
 * for at the first call (oneDNN asks the same); else NULL. */
const struct kernels *kernels_with_tiles(void);

/* The table of that name; NULL where this build or CPU has none. */
const struct kernels *kernels_named(const char *name);

#endif
