/*
 * Stripes of 64 bytes go into eight lanes of 64 bits, side by side:
 *
 *     stripe      v0 v1 v2 … v7            each mixed with a word of the secret: k = v ⊕ s
 *     lane i    += low half of k × high half of k, and what its neighbour i ⊕ 1 has in the stripe
 *
 * The secret moves on by a word for each stripe. After 16 stripes, a block, the lanes are scrambled. The
 * last 64 bytes, whatever of them went in before, are a stripe of their own; so a stripe goes in only
 * when it is known that it is not the last.
 */
#include "core/base/checksum.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static const uint64_t prime1 = 0x9E3779B185EBCA87u;
static const uint64_t prime2 = 0xC2B2AE3D27D4EB4Fu;
static const uint64_t prime3 = 0x165667B19E3779F9u;
static const uint64_t prime4 = 0x85EBCA77C2B2AE63u;
static const uint64_t prime5 = 0x27D4EB2F165667C5u;
static const uint64_t small_prime1 = 0x9E3779B1u;
static const uint64_t small_prime2 = 0x85EBCA77u;
static const uint64_t small_prime3 = 0xC2B2AE3Du;

/* XXH3's own, of which parts are taken from any byte on. */
static const uint64_t secret[24] = {
    0xBE4BA423396CFEB8, 0x1CAD21F72C81017C, 0xDB979083E96DD4DE, 0x1F67B3B7A4A44072,
    0x78E5C0CC4EE679CB, 0x2172FFCC7DD05A82, 0x8E2443F7744608B8, 0x4C263A81E69035E0,
    0xCB00C391BB52283C, 0xA32E531B8B65D088, 0x4EF90DA297486471, 0xD8ACDEA946EF1938,
    0x3F349CE33F76FAA8, 0x1D4F0BC7C7BBDCF9, 0x3159B4CD4BE0518A, 0x647378D9C97E9FC8,
    0xC3EBD33483ACC5EA, 0xEB6313FAFFA081C5, 0x49DAF0B751DD0D17, 0x9E68D429265516D3,
    0xFCA1477D58BE162B, 0xCE31D07AD1B8F88F, 0x280416958F3ACB45, 0x7E404BBBCAFBD7AF};

#define BLOCK_STRIPES   16
#define SCRAMBLE_SECRET 128 /* bytes before the part for that */
#define LAST_SECRET     121
#define MERGE_SECRET    11

static inline const unsigned char *secret_from(size_t byte)
{
    return (const unsigned char *)secret + byte;
}

static inline uint64_t read_64(const unsigned char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

#ifdef __SSE2__
/* Two lanes at a time. (The compiler does not see that half a word times half a word is one
 * instruction.) */
static inline void add_stripe(uint64_t *lanes, const unsigned char *bytes, const unsigned char *key)
{
#pragma GCC unroll 4
    for (size_t i = 0; i < CHECKSUM_LANES; i += 2) {
        __m128i value = _mm_loadu_si128((const __m128i *)(bytes + 8 * i));
        __m128i mixed = _mm_xor_si128(value, _mm_loadu_si128((const __m128i *)(key + 8 * i)));
        __m128i product = _mm_mul_epu32(mixed, _mm_srli_epi64(mixed, 32));
        __m128i neighbour = _mm_shuffle_epi32(value, _MM_SHUFFLE(1, 0, 3, 2));
        __m128i lane = _mm_loadu_si128((const __m128i *)(lanes + i));
        lane = _mm_add_epi64(lane, _mm_add_epi64(product, neighbour));
        _mm_storeu_si128((__m128i *)(lanes + i), lane);
    }
}
#else
static inline void add_stripe(uint64_t *lanes, const unsigned char *bytes, const unsigned char *key)
{
#pragma GCC unroll 8
    for (size_t i = 0; i < CHECKSUM_LANES; i++) {
        uint64_t value = read_64(bytes + 8 * i), mixed = value ^ read_64(key + 8 * i);
        lanes[i ^ 1] += value;
        lanes[i] += (mixed & UINT32_MAX) * (mixed >> 32);
    }
}
#endif

static void scramble(uint64_t *lanes)
{
    for (size_t i = 0; i < CHECKSUM_LANES; i++)
        lanes[i] = (lanes[i] ^ lanes[i] >> 47 ^ read_64(secret_from(SCRAMBLE_SECRET + 8 * i))) *
                   small_prime1;
}

/* Stripes that follow `before` others. */
static void add_stripes(struct checksum *sum, uint64_t before, const unsigned char *bytes,
                        size_t stripes)
{
    uint64_t lanes[CHECKSUM_LANES];
    memcpy(lanes, sum->lanes, sizeof lanes); /* registers, where lanes could be part of the bytes */
    for (size_t in_block = before % BLOCK_STRIPES; stripes > 0; in_block = 0) {
        size_t now = BLOCK_STRIPES - in_block < stripes ? BLOCK_STRIPES - in_block : stripes;
        for (size_t i = 0; i < now; i++)
            add_stripe(lanes, bytes + i * CHECKSUM_STRIPE, secret_from(8 * (in_block + i)));
        if (in_block + now == BLOCK_STRIPES)
            scramble(lanes);
        bytes += now * CHECKSUM_STRIPE;
        stripes -= now;
    }
    memcpy(sum->lanes, lanes, sizeof lanes);
    memcpy(sum->last, bytes - CHECKSUM_STRIPE, CHECKSUM_STRIPE);
}

struct checksum checksum_begin(void)
{
    return (struct checksum){.lanes = {small_prime3, prime1, prime2, prime3, prime4, small_prime2,
                                       prime5, small_prime1}};
}

void checksum_add(struct checksum *sum, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t stripes = sum->size ? (sum->size - 1) / CHECKSUM_STRIPE : 0; /* in the lanes */
    size_t ahead = sum->size - stripes * CHECKSUM_STRIPE, room = CHECKSUM_STRIPE - ahead;
    sum->size += size;
    if (size > room) {
        memcpy(sum->ahead + ahead, bytes, room);
        add_stripes(sum, stripes++, sum->ahead, 1);
        bytes += room;
        size -= room;
        ahead = 0;
        size_t whole = (size - 1) / CHECKSUM_STRIPE;
        if (whole > 0)
            add_stripes(sum, stripes, bytes, whole);
        bytes += whole * CHECKSUM_STRIPE;
        size -= whole * CHECKSUM_STRIPE;
    }
    if (size > 0)
        memcpy(sum->ahead + ahead, bytes, size);
}

/* The halves of a × b, folded. */
static uint64_t fold_product(uint64_t a, uint64_t b)
{
    uint64_t a_low = a & UINT32_MAX, a_high = a >> 32, b_low = b & UINT32_MAX, b_high = b >> 32;
    uint64_t low = a_low * b_low, across = a_high * b_low + (low >> 32);
    uint64_t middle = a_low * b_high + (across & UINT32_MAX);
    return (a_high * b_high + (across >> 32) + (middle >> 32)) ^
           (middle << 32 | (low & UINT32_MAX));
}

uint64_t checksum_end(const struct checksum *sum)
{
    static const unsigned char zeros[CHECKSUM_LEAST];
    struct checksum all = *sum;
    if (all.size < CHECKSUM_LEAST)
        checksum_add(&all, zeros, CHECKSUM_LEAST - all.size);
    unsigned char end[CHECKSUM_STRIPE];
    size_t ahead = all.size - (all.size - 1) / CHECKSUM_STRIPE * CHECKSUM_STRIPE;
    memcpy(end, all.last + ahead, CHECKSUM_STRIPE - ahead);
    memcpy(end + CHECKSUM_STRIPE - ahead, all.ahead, ahead);
    add_stripe(all.lanes, end, secret_from(LAST_SECRET));

    uint64_t folded = all.size * prime1;
    for (size_t i = 0; i < CHECKSUM_LANES; i += 2)
        folded += fold_product(all.lanes[i] ^ read_64(secret_from(MERGE_SECRET + 8 * i)),
                               all.lanes[i + 1] ^ read_64(secret_from(MERGE_SECRET + 8 * i + 8)));
    folded = (folded ^ folded >> 37) * 0x165667919E3779F9u;
    return folded ^ folded >> 32;
}

uint64_t checksum(const void *data, size_t size)
{
    struct checksum sum = checksum_begin();
    checksum_add(&sum, data, size);
    return checksum_end(&sum);
}
