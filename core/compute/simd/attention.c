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

/* Scores are multiplied by log₂ e on the way, for eˣ is 2 to the power of x·log₂ e. */
#define LOG2_E 1.44269504f

#define KEYS_1    8
#define KEYS_2    (MANY_REGISTERS ? 8 : 4)
#define KEYS_3    (MANY_REGISTERS ? 8 : 4)
#define KEYS_4    (MANY_REGISTERS ? 6 : 3)
#define KEYS_MOST 8

/* One head, one block of queries. */
struct block {
    const float *query;       /* of the head and the block's first token */
    const float *key, *value; /* of the head */
    size_t stride, key_stride;
    const float *bias; /* of the head, at the block's first token; NULL: none */
    float *context;    /* of the head, at the block's first token */
    size_t context_stride;
    size_t tokens, head_size;
    size_t count; /* queries in the block */
    float scale;
    float *queries; /* [head_size, vectors·LANES] */
    float *scores;  /* [tokens rounded up to KEYS_MOST, vectors·LANES] */
    float *sums;    /* [vectors·LANES] */
};

/* Step 1 for the queries of one vector from `first` and components from `component`. Rows and
 * columns that are not there become zeros. */
INLINE void transpose_tile(const struct block *block, size_t width, size_t first, size_t component)
{
    size_t rows = block->count - first, columns = block->head_size - component;
    const float *query = block->query + first * block->stride + component;
    float *queries = block->queries + component * width + first;
    vfloat tile[LANES];
    for (size_t i = 0; i < LANES; i++) {
        if (i >= rows)
            tile[i] = (vfloat){0};
        else if (columns >= LANES)
            tile[i] = load(query + i * block->stride) * block->scale;
        else
            tile[i] = load_first(query + i * block->stride, columns) * block->scale;
    }
    transpose(tile);
    for (size_t i = 0; i < LANES && i < columns; i++)
        store(queries + i * width, tile[i]);
}

static void transpose_queries(const struct block *block, size_t vectors)
{
    for (size_t v = 0; v < vectors; v++) {
        for (size_t component = 0; component < block->head_size; component += LANES)
            transpose_tile(block, vectors * LANES, v * LANES, component);
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
        rows[r] = block->key + key * block->key_stride;
#pragma GCC unroll 4
        for (size_t v = 0; v < vectors; v++)
            sums[r][v] = block->bias ? load(block->bias + v * LANES - key) * LOG2_E : (vfloat){0};
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
            vfloat score = load(scores + v * LANES) - largest[v];
            vfloat weight = power_of_two(larger(splat(-126), score));
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
    for (size_t j = 0; j < block->tokens; j++, value += block->key_stride, scores += width) {
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

static size_t padded_head(size_t head_size)
{
    return (head_size + LANES - 1) / LANES * LANES;
}

/* A head's keys or values, `stride` apart, side by side, each filled up with what follows it. */
static void gather(const float *from, size_t stride, size_t tokens, size_t width, float *to)
{
    for (size_t t = 0; t < tokens; t++, from += stride, to += width) {
        for (size_t i = 0; i < width; i += LANES)
            store(to + i, load(from + i));
    }
}

size_t NAME(attention_scratch)(size_t tokens, size_t head_size)
{
    size_t gathered = tokens > BLOCK ? 2 * tokens * padded_head(head_size) : 0;
    return (head_size + tokens + KEYS_MOST + 1) * BLOCK + gathered;
}

static void attend_head(const struct attention_input *input, size_t head, struct block *block,
                        float *context, float *gathered)
{
    size_t offset = head * input->head_size;
    block->key = (const float *)input->key + offset;
    block->value = (const float *)input->value + offset;
    block->key_stride = input->stride;
    if (input->tokens > BLOCK) {
        /* Every block reads all keys and values, which lie far apart: once more than worth it. */
        size_t width = padded_head(input->head_size);
        gather(block->key, input->stride, input->tokens, width, gathered);
        gather(block->value, input->stride, input->tokens, width, gathered + input->tokens * width);
        block->key = gathered;
        block->value = gathered + input->tokens * width;
        block->key_stride = width;
    }
    for (size_t first = input->part.query; first < input->part.query_stop; first += BLOCK) {
        block->query = (const float *)input->query + first * input->stride + offset;
        block->context = context + first * block->context_stride + offset;
        block->bias = input->bias ? input->bias + head * input->bias_stride + first : NULL;
        size_t left = input->part.query_stop - first;
        block->count = left < BLOCK ? left : BLOCK;
        attend_block(block);
    }
}

void NAME(attention)(const struct attention_input *input, float *context, float *scratch)
{
    float *queries = scratch + BLOCK, *scores = queries + input->head_size * BLOCK;
    struct block block = {
        .stride = input->stride,
        .context_stride = input->heads * input->head_size,
        .tokens = input->tokens,
        .head_size = input->head_size,
        .scale = input->scale * LOG2_E,
        .sums = scratch,
        .queries = queries,
        .scores = scores,
    };
    for (size_t head = input->part.head; head < input->part.head_stop; head++)
        attend_head(input, head, &block, context, scores + (input->tokens + KEYS_MOST) * BLOCK);
}
