#include "core/base/checksum.h"

#include <string.h>

static const uint64_t prime1 = 0x9E3779B185EBCA87u;
static const uint64_t prime2 = 0xC2B2AE3D27D4EB4Fu;
static const uint64_t prime3 = 0x165667B19E3779F9u;
static const uint64_t prime4 = 0x85EBCA77C2B2AE63u;
static const uint64_t prime5 = 0x27D4EB2F165667C5u;

#define LANES  4
#define STRIPE (LANES * sizeof(uint64_t))

static inline uint64_t rotate_left(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static inline uint64_t read_64(const unsigned char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static inline uint32_t read_32(const unsigned char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap32(value);
#endif
    return value;
}

static inline uint64_t round_of(uint64_t lane, uint64_t input)
{
    return rotate_left(lane + input * prime2, 31) * prime1;
}

/* Four lanes go through the stripes of 32 bytes side by side, and are then folded into one. */
static uint64_t fold_stripes(const unsigned char *bytes, size_t stripes)
{
    uint64_t lanes[LANES] = {prime1 + prime2, prime2, 0, 0 - prime1};
    for (size_t i = 0; i < stripes; i++)
        for (size_t lane = 0; lane < LANES; lane++)
            lanes[lane] =
                round_of(lanes[lane], read_64(bytes + i * STRIPE + lane * sizeof(uint64_t)));
    uint64_t folded = rotate_left(lanes[0], 1) + rotate_left(lanes[1], 7) +
                      rotate_left(lanes[2], 12) + rotate_left(lanes[3], 18);
    for (size_t lane = 0; lane < LANES; lane++)
        folded = (folded ^ round_of(0, lanes[lane])) * prime1 + prime4;
    return folded;
}

/* The last bytes, fewer than a stripe. */
static uint64_t fold_rest(uint64_t folded, const unsigned char *bytes, size_t size)
{
    for (; size >= 8; bytes += 8, size -= 8)
        folded = rotate_left(folded ^ round_of(0, read_64(bytes)), 27) * prime1 + prime4;
    for (; size >= 4; bytes += 4, size -= 4)
        folded = rotate_left(folded ^ read_32(bytes) * prime1, 23) * prime2 + prime3;
    for (; size > 0; bytes++, size--)
        folded = rotate_left(folded ^ *bytes * prime5, 11) * prime1;
    return folded;
}

uint64_t checksum(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    size_t stripes = size / STRIPE;
    uint64_t folded = stripes ? fold_stripes(bytes, stripes) : prime5;
    folded = fold_rest(folded + size, bytes + stripes * STRIPE, size % STRIPE);
    folded = (folded ^ folded >> 33) * prime2;
    folded = (folded ^ folded >> 29) * prime3;
    return folded ^ folded >> 32;
}
