/*
 * Attention within one text on tiles, the matrix registers of AMX: 16 rows of 64 bytes each, of which
 * one instruction multiplies two and adds the result to a third. Numbers are bfloat16, sums float32.
 *
 *     scores  [16 queries, 16 keys]       += queries [16 queries, 32 components] · keysᵀ
 *     context [16 queries, 16 components] += weights [16 queries, 32 keys] · values
 *
 * The left tile lies row by row, as queries and weights do. The right one wants its rows in pairs: row
 * p holds rows 2p and 2p + 1 of the matrix in turn, column by column. Both right-hand matrices are laid
 * out so once per head. Take keys of four components, of which two are k and l:
 *
 *     keys          k₀ k₁ k₂ k₃      the matrix is       the tile is     k₀ k₁ l₀ l₁
 *                   l₀ l₁ l₂ l₃      their transpose                     k₂ k₃ l₂ l₃
 *
 * so that a pair of components moves as one number of 32 bits, and a transposition of those does it.
 * Values are not transposed; two rows are interleaved:
 *
 *     values        v₀ v₁            the matrix is       the tile is     v₀ w₀ v₁ w₁
 *                   w₀ w₁            the same
 *
 * Then queries go through in blocks of 16: scores against all keys, a softmax along each row whose
 * weights become bfloat16, and their product with the values, divided by the sum of the weights at the
 * end. Components are filled up with zeros to 32, keys to 32, whose weight is exactly zero. What a text
 * gets depends on nothing but the text: sums run over components and keys in their order.
 *
 * Source: Intel's Architecture Instruction Set Extensions Programming Reference, chapter 3 (AMX).
 */
#include "core/compute/simd/simd.h"

#if defined(__AMX_BF16__)

#include "core/compute/simd/product.h"

#define TILE_ROWS 16
#define ROW_BYTES 64
#define BRAINS    32 /* bfloat16 numbers in a row of a tile */
#define FLOATS    16
#define TILE      (TILE_ROWS * BRAINS) /* bfloat16 numbers of a tile */

#define LOG2_E 1.44269504f

/* One head of a text; what is below `value` is scratch. */
struct head {
    const struct attention_input *input;
    const uint16_t *query, *key, *value;
    const float *bias;        /* of the head; NULL: none */
    size_t keys;              /* tokens, rounded up to BRAINS */
    size_t steps, components; /* of tiles along a head: of BRAINS numbers, of FLOATS */
    uint16_t *key_tiles;      /* [keys / 16, steps] tiles */
    uint16_t *value_tiles;    /* [keys / 32, components] tiles */
    uint16_t *queries;        /* [16, steps · 32] */
    float *scores;            /* [16, keys] */
    uint16_t *weights;        /* [16, keys] */
    float *context;           /* [16, components · 16] */
    float *sums;              /* [16] */
};

static size_t divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/* The compiler does not know that loading a tile reads memory. */
INLINE void stores_before_tiles(void)
{
    __asm__ volatile("" ::: "memory");
}

/* Up to 32 numbers, zeros behind the last. */
INLINE __m512i load_brains(const uint16_t *from, size_t count)
{
    return count >= BRAINS ? _mm512_loadu_si512(from)
                           : _mm512_maskz_loadu_epi16((__mmask32)((1ull << count) - 1), from);
}

/* ------------------------------------------------------------------------------- laying out */

static void lay_out_keys(const struct head *head)
{
    size_t stride = head->input->stride, tokens = head->input->tokens;
    uint16_t *to = head->key_tiles;
    for (size_t first = 0; first < tokens; first += TILE_ROWS) {
        for (size_t step = 0; step < head->steps; step++, to += TILE) {
            size_t component = step * BRAINS, rest = head->input->head_size - component;
            vfloat tile[LANES];
            for (size_t i = 0; i < LANES; i++) {
                const uint16_t *from = head->key + (first + i) * stride + component;
                tile[i] = first + i < tokens ? (vfloat)load_brains(from, rest) : (vfloat){0};
            }
            transpose(tile);
            for (size_t i = 0; i < LANES; i++)
                store((float *)(to + i * BRAINS), tile[i]);
        }
    }
}

/* Rows j and j + 1 of the values, zeros where there are none, into row j/2 of their tiles. */
INLINE void interleave_values(const struct head *head, size_t j, uint16_t *to, __m512i low,
                              __m512i high)
{
    const struct attention_input *input = head->input;
    for (size_t component = 0; component < input->head_size; component += BRAINS) {
        size_t rest = input->head_size - component;
        const uint16_t *from = head->value + j * input->stride + component;
        __m512i even = _mm512_setzero_si512(), odd = even;
        if (j < input->tokens)
            even = load_brains(from, rest);
        if (j + 1 < input->tokens)
            odd = load_brains(from + input->stride, rest);
        _mm512_storeu_si512(to, _mm512_permutex2var_epi16(even, low, odd));
        if (rest > FLOATS)
            _mm512_storeu_si512(to + TILE, _mm512_permutex2var_epi16(even, high, odd));
        to += 2 * TILE;
    }
}

static void lay_out_values(const struct head *head)
{
    uint16_t order[2][BRAINS];
    for (uint16_t i = 0; i < BRAINS; i++) {
        order[0][i] = (uint16_t)(i / 2 + i % 2 * BRAINS);
        order[1][i] = (uint16_t)(order[0][i] + FLOATS);
    }
    const __m512i low = _mm512_loadu_si512(order[0]), high = _mm512_loadu_si512(order[1]);
    for (size_t j = 0; j < head->keys; j += 2) {
        size_t tile = j / BRAINS * head->components, row = j % BRAINS / 2;
        interleave_values(head, j, head->value_tiles + tile * TILE + row * BRAINS, low, high);
    }
}

/* Sixteen queries from `first`, zeros behind the text's last. */
static void lay_out_queries(const struct head *head, size_t first)
{
    const struct attention_input *input = head->input;
    uint16_t *to = head->queries;
    for (size_t i = first; i < first + TILE_ROWS; i++) {
        for (size_t step = 0; step < head->steps; step++, to += BRAINS) {
            const uint16_t *from = head->query + i * input->stride + step * BRAINS;
            size_t rest = input->head_size - step * BRAINS;
            _mm512_storeu_si512(to, i < input->tokens ? load_brains(from, rest)
                                                      : _mm512_setzero_si512());
        }
    }
}

/* ---------------------------------------------------------------------------------- products */

/* Tiles 4 … 4 + count − 1 = 0; += left tile · right tiles, which are `apart` numbers apart. */
#define CLEAR_TILES(count)                                                                         \
    do {                                                                                           \
        _tile_zero(4);                                                                             \
        if ((count) > 1)                                                                           \
            _tile_zero(5);                                                                         \
        if ((count) > 2)                                                                           \
            _tile_zero(6);                                                                         \
        if ((count) > 3)                                                                           \
            _tile_zero(7);                                                                         \
    } while (0)

#define MULTIPLY_TILES(count, left, left_stride, right, apart)                                     \
    do {                                                                                           \
        _tile_loadd(0, left, left_stride);                                                         \
        _tile_loadd(1, right, ROW_BYTES);                                                          \
        _tile_dpbf16ps(4, 0, 1);                                                                   \
        if ((count) > 1) {                                                                         \
            _tile_loadd(2, (right) + (apart), ROW_BYTES);                                          \
            _tile_dpbf16ps(5, 0, 2);                                                               \
        }                                                                                          \
        if ((count) > 2) {                                                                         \
            _tile_loadd(3, (right) + 2 * (apart), ROW_BYTES);                                      \
            _tile_dpbf16ps(6, 0, 3);                                                               \
        }                                                                                          \
        if ((count) > 3) {                                                                         \
            _tile_loadd(1, (right) + 3 * (apart), ROW_BYTES);                                      \
            _tile_dpbf16ps(7, 0, 1);                                                               \
        }                                                                                          \
    } while (0)

#define STORE_TILES(count, to, stride)                                                             \
    do {                                                                                           \
        _tile_stored(4, to, stride);                                                               \
        if ((count) > 1)                                                                           \
            _tile_stored(5, (to) + FLOATS, stride);                                                \
        if ((count) > 2)                                                                           \
            _tile_stored(6, (to) + 2 * FLOATS, stride);                                            \
        if ((count) > 3)                                                                           \
            _tile_stored(7, (to) + 3 * FLOATS, stride);                                            \
    } while (0)

INLINE void score_keys(const struct head *head, size_t block, const size_t count)
{
    size_t apart = head->steps * TILE;
    const uint16_t *keys = head->key_tiles + block * apart;
    CLEAR_TILES(count);
    for (size_t step = 0; step < head->steps; step++)
        MULTIPLY_TILES(count, head->queries + step * BRAINS, head->steps * ROW_BYTES,
                       keys + step * TILE, apart);
    STORE_TILES(count, head->scores + block * FLOATS, head->keys * sizeof(float));
}

INLINE void weigh_values(const struct head *head, size_t component, const size_t count)
{
    const uint16_t *values = head->value_tiles + component * TILE;
    CLEAR_TILES(count);
    for (size_t j = 0; j < head->keys; j += BRAINS) {
        MULTIPLY_TILES(count, head->weights + j, head->keys * sizeof(uint16_t), values, TILE);
        values += head->components * TILE;
    }
    STORE_TILES(count, head->context + component * FLOATS,
                head->components * FLOATS * sizeof(float));
}

/* Four tiles at a time, then the rest. */
#define IN_FOURS(run, total)                                                                       \
    do {                                                                                           \
        size_t done = 0;                                                                           \
        for (; done + 4 <= (total); done += 4)                                                     \
            run(head, done, 4);                                                                    \
        if ((total)-done == 3)                                                                     \
            run(head, done, 3);                                                                    \
        else if ((total)-done == 2)                                                                \
            run(head, done, 2);                                                                    \
        else if ((total)-done == 1)                                                                \
            run(head, done, 1);                                                                    \
    } while (0)

/* ----------------------------------------------------------------------------------- softmax */

/* 2ˣ for x from −126 to 0, within 1e-4 of it: of the result eight bits are kept. Beyond a text's end
 * x is anything, and nobody looks at the result. */
INLINE vfloat short_power_of_two(vfloat x)
{
    const float shift = 12582912.0f;
    vfloat shifted = x + shift;
    vfloat r = x - (shifted - shift);
    vfloat p = r * 0.055171535f + 0.24261111f;
    p = p * r + 0.69326101f;
    p = p * r + 0.99992807f;
    return (vfloat)((vword)p + ((vword)shifted << 23));
}

/* Adds the bias of query i to the scores of its row, which then are logarithms to base 2. */
static void add_bias(const struct head *head, size_t i, float scale, float *scores)
{
    const float *bias = head->bias + i;
    for (size_t j = 0; j < head->input->tokens; j++)
        scores[j] = scores[j] * scale + *(bias - j) * LOG2_E;
}

/* A row of scores, to be multiplied by scale, becomes weights; returns their sum. */
static float softmax_row(const float *scores, size_t tokens, size_t keys, float scale,
                         uint16_t *weights)
{
    size_t whole = tokens - tokens % LANES, j;
    __mmask16 rest = (__mmask16)((1u << tokens % LANES) - 1);
    const vfloat nothing = splat(-__builtin_inff());
    vfloat largest = nothing, sum = {0};
    for (j = 0; j < whole; j += LANES)
        largest = larger(largest, load(scores + j));
    largest = larger(largest, _mm512_mask_loadu_ps(nothing, rest, scores + j));
    const float most = largest_lane(largest) * scale;
    for (j = 0; j < whole; j += LANES) {
        vfloat weight = short_power_of_two(larger(splat(-126), load(scores + j) * scale - most));
        sum += weight;
        store_brain(weights + j, weight);
    }
    for (; j < keys; j += LANES) {
        vfloat score = larger(splat(-126), load(scores + j) * scale - most);
        vfloat weight = _mm512_maskz_mov_ps(rest, short_power_of_two(score));
        sum += weight;
        store_brain(weights + j, weight);
        rest = 0;
    }
    return sum_lanes(sum);
}

static void softmax(const struct head *head, size_t first, size_t count)
{
    const struct attention_input *input = head->input;
    float scale = input->scale * LOG2_E;
    for (size_t row = 0; row < count; row++) {
        float *scores = head->scores + row * head->keys;
        if (head->bias)
            add_bias(head, first + row, scale, scores);
        head->sums[row] = softmax_row(scores, input->tokens, head->keys, head->bias ? 1 : scale,
                                      head->weights + row * head->keys);
    }
}

/* -------------------------------------------------------------------------------------- heads */

INLINE void hand_out_row(const struct head *head, const float *from, float inverse,
                         const enum precision precision, void *to)
{
    size_t head_size = head->input->head_size;
    for (size_t i = 0; i < head_size; i += LANES) {
        vfloat numbers = load(from + i) * inverse;
        size_t rest = head_size - i;
        if (precision == PRECISION_BF16 && rest >= LANES)
            store_brain((uint16_t *)to + i, numbers);
        else if (precision == PRECISION_BF16)
            store_brain_first((uint16_t *)to + i, numbers, rest);
        else if (rest >= LANES)
            store((float *)to + i, numbers);
        else
            store_first((float *)to + i, numbers, rest);
    }
}

/* The rows of the block's context, divided by the sums of their weights, to their places. */
static void hand_out(const struct head *head, size_t place, size_t count,
                     const struct operand *context)
{
    for (size_t row = 0; row < count; row++, place += context->width) {
        const float *from = head->context + row * head->components * FLOATS;
        float inverse = 1.0f / head->sums[row];
        if (context->precision == PRECISION_BF16)
            hand_out_row(head, from, inverse, PRECISION_BF16, (uint16_t *)context->numbers + place);
        else
            hand_out_row(head, from, inverse, PRECISION_F32, (float *)context->numbers + place);
    }
}

static void attend_head(const struct head *head, size_t number, const struct operand *context)
{
    const struct attention_input *input = head->input;
    lay_out_keys(head);
    lay_out_values(head);
    for (size_t first = input->part.query; first < input->part.query_stop; first += TILE_ROWS) {
        size_t left = input->part.query_stop - first;
        size_t count = left < TILE_ROWS ? left : TILE_ROWS;
        lay_out_queries(head, first);
        stores_before_tiles();
        IN_FOURS(score_keys, divide_up(input->tokens, TILE_ROWS));
        softmax(head, first, count);
        stores_before_tiles();
        IN_FOURS(weigh_values, head->components);
        hand_out(head, first * context->width + number * input->head_size, count, context);
    }
}

static struct head plan(const struct attention_input *input)
{
    return (struct head){
        .input = input,
        .keys = divide_up(input->tokens, BRAINS) * BRAINS,
        .steps = divide_up(input->head_size, BRAINS),
        .components = divide_up(input->head_size, FLOATS),
    };
}

enum { KEY_TILES, VALUE_TILES, QUERIES, SCORES, WEIGHTS, CONTEXT, SUMS, PIECES };

/* The floats of each piece of scratch. */
static void measure(const struct head *head, size_t pieces[PIECES])
{
    pieces[KEY_TILES] = head->keys * head->steps * BRAINS / 2;
    pieces[VALUE_TILES] = head->keys * head->components * FLOATS / 2;
    pieces[QUERIES] = TILE_ROWS * head->steps * BRAINS / 2;
    pieces[SCORES] = TILE_ROWS * head->keys;
    pieces[WEIGHTS] = TILE_ROWS * head->keys / 2;
    pieces[CONTEXT] = TILE_ROWS * head->components * FLOATS;
    pieces[SUMS] = TILE_ROWS;
}

size_t NAME(attention_tiles_scratch)(size_t tokens, size_t head_size)
{
    const struct attention_input input = {.tokens = tokens, .head_size = head_size};
    const struct head head = plan(&input);
    size_t pieces[PIECES], floats = 0;
    measure(&head, pieces);
    for (size_t i = 0; i < PIECES; i++)
        floats += pieces[i];
    return floats;
}

static void place(struct head *head, float *scratch)
{
    size_t pieces[PIECES];
    float *places[PIECES];
    measure(head, pieces);
    for (size_t i = 0; i < PIECES; scratch += pieces[i++])
        places[i] = scratch;
    head->key_tiles = (uint16_t *)places[KEY_TILES];
    head->value_tiles = (uint16_t *)places[VALUE_TILES];
    head->queries = (uint16_t *)places[QUERIES];
    head->scores = places[SCORES];
    head->weights = (uint16_t *)places[WEIGHTS];
    head->context = places[CONTEXT];
    head->sums = places[SUMS];
}

/* What the tile registers are: eight of 16 rows of 64 bytes. */
struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} __attribute__((packed, aligned(64)));

void NAME(attention_tiles)(const struct attention_input *input, const struct operand *context,
                           float *scratch)
{
    struct tile_shapes shapes = {.palette = 1};
    struct head head = plan(input);
    for (size_t i = 0; i < 8; i++) {
        shapes.row_bytes[i] = ROW_BYTES;
        shapes.rows[i] = TILE_ROWS;
    }
    place(&head, scratch);
    stores_before_tiles();
    _tile_loadconfig(&shapes);
    for (size_t number = input->part.head; number < input->part.head_stop; number++) {
        size_t offset = number * input->head_size;
        head.query = (const uint16_t *)input->query + offset;
        head.key = (const uint16_t *)input->key + offset;
        head.value = (const uint16_t *)input->value + offset;
        head.bias = input->bias ? input->bias + number * input->bias_stride : NULL;
        attend_head(&head, number, context);
    }
    _tile_release();
}

#endif
