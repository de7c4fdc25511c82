/*
 * Attention within one text: for each head, softmax(query·keyᵀ·scale + bias)·value.
 *
 * The lanes of a vector are queries. Take a text of 5 tokens, a head of size 2 and vectors of 4
 * lanes. The queries go through in blocks of lanes, here tokens 0 to 3, then token 4 and three
 * lanes of zeros whose results nobody reads:
 *
 *   1. The block is transposed and scaled: queries[c] holds component c of each of its queries.
 *
 *          queries[0] = q₀₀ q₁₀ q₂₀ q₃₀         queries[1] = q₀₁ q₁₁ q₂₁ q₃₁
 *
 *   2. scores[j] = k_j₀ · queries[0] + k_j₁ · queries[1]: what key j is to each query. A component
 *      of a key is one number that all lanes are multiplied by, so keys are read where they lie.
 *      The largest score of each lane is kept on the way.
 *
 *          scores[0] = s₀₀ s₁₀ s₂₀ s₃₀      …      scores[4] = s₀₄ s₁₄ s₂₄ s₃₄
 *
 *   3. softmax runs down the lanes: exp(scores[j] − largest), summed up as a vector. No sum across
 *      lanes, no remainder, whatever the number of tokens.
 *
 *   4. context_i = Σ_j scores[j][i] · value_j / sum_i. Here the lanes are components of the values,
 *      read where they lie too, and the score is the one number.
 *
 * Only the queries are ever moved. Steps 2 and 4 are small matrix products and hold a block of the
 * result in registers: several keys × several vectors of queries, several queries × several vectors
 * of components. Each number is a sum over components or keys in their order, whatever the blocks,
 * so a text's bits depend on the text alone. The scores of one block of queries of one head are all
 * that is ever kept: `block` lanes × tokens.
 *
 * Source of the arithmetic: Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.1; transformers'
 * eager attention in modeling_bert.py. The bias: modeling_mpnet.py.
 */
#include "core/compute/simd/simd.h"
#include "core/compute/simd/vector.h"

/* Most vectors of queries in a block, and keys side by side in step 2 for each number of vectors;
 * with 32 registers (AVX-512, NEON) the sums fill up to 24 of them, with 16 up to 12. */
#define BLOCK_VECTORS 4
#if defined(__AVX512F__) || defined(__aarch64__)
#define MANY_REGISTERS 1
#else
#define MANY_REGISTERS 0
#endif

#define KEYS_1    8
#define KEYS_2    (MANY_REGISTERS ? 8 : 4)
#define KEYS_3    (MANY_REGISTERS ? 8 : 4)
#define KEYS_4    (MANY_REGISTERS ? 6 : 3)
#define KEYS_MOST 8

/* One head, one block of queries. */
struct block {
    const float *query, *key, *value; /* of the head; query: of the block's first token */
    const float *bias;                /* of the head, at the block's first token; NULL: none */
    float *context;                   /* of the head, at the block's first token */
    size_t stride, context_stride;
    size_t tokens, head_size;
    size_t count; /* queries in the block */
    float scale;
    float *queries; /* [head_size, vectors·LANES] */
    float *scores;  /* [tokens rounded up to KEYS_MOST, vectors·LANES] */
    float *sums;    /* [vectors·LANES] */
};

static void transpose_queries(const struct block *block, size_t vectors)
{
    size_t width = vectors * LANES;
    for (size_t i = 0; i < block->count; i++) {
        const float *query = block->query + i * block->stride;
        for (size_t c = 0; c < block->head_size; c++)
            block->queries[c * width + i] = query[c] * block->scale;
    }
    for (size_t i = block->count; i < width; i++) {
        for (size_t c = 0; c < block->head_size; c++)
            block->queries[c * width + i] = 0;
    }
}

/* Step 2 for the keys first … first + keys − 1. Keys behind the last are the last one again, so that
 * the largest scores are right; their scores are written and not read. */
INLINE void score_keys(const struct block *block, const size_t keys, const size_t vectors,
                       size_t first, vfloat *largest)
{
    const size_t width = vectors * LANES;
    const float *rows[KEYS_MOST];
    vfloat sums[KEYS_MOST][BLOCK_VECTORS];
#pragma GCC unroll 8
    for (size_t r = 0; r < keys; r++) {
        size_t key = first + r < block->tokens ? first + r : block->tokens - 1;
        rows[r] = block->key + key * block->stride;
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            sums[r][v] = block->bias ? load(block->bias + v * LANES - key) : (vfloat){0};
    }
    for (size_t c = 0; c < block->head_size; c++) {
        const float *queries = block->queries + c * width;
        vfloat q[BLOCK_VECTORS];
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            q[v] = load(queries + v * LANES);
#pragma GCC unroll 8
        for (size_t r = 0; r < keys; r++) {
            vfloat k = splat(rows[r][c]);
#pragma GCC unroll 4
            for (size_t v = 0; v < vectors; v++)
                sums[r][v] += k * q[v];
        }
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < keys; r++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++) {
            store(block->scores + (first + r) * width + v * LANES, sums[r][v]);
            largest[v] = larger(largest[v], sums[r][v]);
        }
    }
}

INLINE void score_and_softmax(const struct block *block, const size_t keys, const size_t vectors)
{
    const size_t width = vectors * LANES;
    vfloat largest[BLOCK_VECTORS], sums[BLOCK_VECTORS];
#pragma GCC unroll 4
    for (size_t v = 0; v < vectors; v++) {
        largest[v] = splat(-__builtin_inff());
        sums[v] = (vfloat){0};
    }
    for (size_t first = 0; first < block->tokens; first += keys)
        score_keys(block, keys, vectors, first, largest);
    for (size_t j = 0; j < block->tokens; j++) {
        float *scores = block->scores + j * width;
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++) {
            vfloat weight = exponential(load(scores + v * LANES) - largest[v]);
            sums[v] += weight;
            store(scores + v * LANES, weight);
        }
    }
#pragma GCC unroll 4
    for (size_t v = 0; v < vectors; v++)
        store(block->sums + v * LANES, sums[v]);
}

/* Step 4 for `queries` queries from `first` and `vectors` vectors of components from `component`,
 * of which the last may be cut off by the head's end. */
INLINE void weigh_values(const struct block *block, size_t width, const size_t queries,
                         const size_t vectors, size_t first, size_t component)
{
    vfloat sums[8][4];
#pragma GCC unroll 8
    for (size_t r = 0; r < queries; r++) {
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            sums[r][v] = (vfloat){0};
    }
    const float *value = block->value + component;
    const float *scores = block->scores + first;
    for (size_t j = 0; j < block->tokens; j++, value += block->stride, scores += width) {
        vfloat values[4];
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            values[v] = load(value + v * LANES);
#pragma GCC unroll 8
        for (size_t r = 0; r < queries; r++) {
            vfloat score = splat(scores[r]);
#pragma GCC unroll 4
            for (size_t v = 0; v < vectors; v++)
                sums[r][v] += score * values[v];
        }
    }
    size_t rows = block->count - first < queries ? block->count - first : queries;
    size_t rest = block->head_size - component;
#pragma GCC unroll 8
    for (size_t r = 0; r < queries; r++) {
        if (r >= rows)
            break;
        float *context = block->context + (first + r) * block->context_stride + component;
        float inverse = 1.0f / block->sums[first + r];
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++) {
            if (v * LANES + LANES <= rest)
                store(context + v * LANES, sums[r][v] * inverse);
            else
                store_first(context + v * LANES, sums[r][v] * inverse, rest - v * LANES);
        }
    }
}

/* Step 4 for the whole block. The numbers of queries side by side divide LANES. */
static void weigh_all_values(const struct block *block, size_t width)
{
    size_t most = MANY_REGISTERS ? 4 : 2;
    size_t component = 0;
    while (component < block->head_size) {
        size_t vectors = (block->head_size - component + LANES - 1) / LANES;
        vectors = vectors < most ? vectors : most;
        if (vectors == 4) {
            for (size_t i = 0; i < block->count; i += 4)
                weigh_values(block, width, 4, 4, i, component);
        } else if (vectors == 3) {
            for (size_t i = 0; i < block->count; i += 4)
                weigh_values(block, width, 4, 3, i, component);
        } else if (vectors == 2) {
            for (size_t i = 0; i < block->count; i += MANY_REGISTERS ? 8 : 4)
                weigh_values(block, width, MANY_REGISTERS ? 8 : 4, 2, i, component);
        } else {
            for (size_t i = 0; i < block->count; i += 4)
                weigh_values(block, width, 4, 1, i, component);
        }
        component += vectors * LANES;
    }
}

static void attend_block(const struct block *block)
{
    size_t vectors = (block->count + LANES - 1) / LANES;
    transpose_queries(block, vectors);
    if (vectors == 1)
        score_and_softmax(block, KEYS_1, 1);
    else if (vectors == 2)
        score_and_softmax(block, KEYS_2, 2);
    else if (vectors == 3)
        score_and_softmax(block, KEYS_3, 3);
    else
        score_and_softmax(block, KEYS_4, 4);
    weigh_all_values(block, vectors * LANES);
}

#define BLOCK (BLOCK_VECTORS * LANES)

size_t NAME(attention_scratch)(size_t tokens, size_t head_size)
{
    return (head_size + tokens + KEYS_MOST + 1) * BLOCK;
}

void NAME(attention)(const struct attention_input *input, float *context, float *scratch)
{
    size_t head_size = input->head_size;
    struct block block = {
        .stride = input->stride,
        .context_stride = input->heads * head_size,
        .tokens = input->tokens,
        .head_size = head_size,
        .scale = input->scale,
        .sums = scratch,
        .queries = scratch + BLOCK,
        .scores = scratch + BLOCK + head_size * BLOCK,
    };
    for (size_t head = 0; head < input->heads; head++) {
        block.key = input->key + head * head_size;
        block.value = input->value + head * head_size;
        for (size_t first = 0; first < input->tokens; first += BLOCK) {
            block.query = input->query + first * input->stride + head * head_size;
            block.context = context + first * block.context_stride + head * head_size;
            block.bias = input->bias ? input->bias + head * input->bias_stride + first : NULL;
            block.count = input->tokens - first < BLOCK ? input->tokens - first : BLOCK;
            attend_block(&block);
        }
    }
}
