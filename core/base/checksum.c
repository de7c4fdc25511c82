#include "core/base/checksum.h"

#include <string.h>

static const uint64_t prime1 = 0x9E3779B185EBCA87u;
static const uint64_t prime2 = 0xC2B2AE3D27D4EB4Fu;
static const uint64_t prime3 = 0x165667B19E3779F9u;
static const uint64_t prime4 = 0x85EBCA77C2B2AE63u;
static const uint64_t prime5 = 0x27D4EB2F165667C5u;

static inline uint64_t rotate_left(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static inline uint64_t read_64(const unsigned char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint32_t read_32(const unsigned char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static inline uint64_t round_of(uint64_t lane, uint64_t input)
{
    return rotate_left(lane + input * prime2, 31) * prime1;
}

/* Four lanes go through the stripes of 32 bytes side by side. */
static void add_stripes(uint64_t lanes[CHECKSUM_LANES], const unsigned char *bytes, size_t stripes)
{
    uint64_t sum[CHECKSUM_LANES];
    memcpy(sum, lanes, sizeof sum); /* registers, where lanes could be part of the bytes */
    for (size_t i = 0; i < stripes; i++)
        for (size_t lane = 0; lane < CHECKSUM_LANES; lane++)
            sum[lane] = round_of(sum[lane], read_64(bytes + i * CHECKSUM_STRIPE + lane * 8));
    memcpy(lanes, sum, sizeof sum);
}

static uint64_t fold_lanes(const uint64_t lanes[CHECKSUM_LANES])
{
    uint64_t folded = rotate_left(lanes[0], 1) + rotate_left(lanes[1], 7) +
                      rotate_left(lanes[2], 12) + rotate_left(lanes[3], 18);
    for (size_t lane = 0; lane < CHECKSUM_LANES; lane++)
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

struct checksum checksum_begin(void)
{
    return (struct checksum){.lanes = {prime1 + prime2, prime2, 0, 0 - prime1}};
}

void checksum_add(struct checksum *sum, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    size_t held = sum->size % CHECKSUM_STRIPE;
    sum->size += size;
    if (held > 0) {
        size_t wanted = CHECKSUM_STRIPE - held, taken = size < wanted ? size : wanted;
        memcpy(sum->rest + held, bytes, taken);
        if (taken < wanted)
            return;
        add_stripes(sum->lanes, sum->rest, 1);
        bytes += taken;
        size -= taken;
    }
    add_stripes(sum->lanes, bytes, size / CHECKSUM_STRIPE);
    memcpy(sum->rest, bytes + size - size % CHECKSUM_STRIPE, size % CHECKSUM_STRIPE);
}

uint64_t checksum_end(const struct checksum *sum)
{
    uint64_t folded = sum->size < CHECKSUM_STRIPE ? prime5 : fold_lanes(sum->lanes);
    folded = fold_rest(folded + sum->size, sum->rest, sum->size % CHECKSUM_STRIPE);
    folded = (folded ^ folded >> 33) * prime2;
    folded = (folded ^ folded >> 29) * prime3;
    return folded ^ folded >> 32;
}

uint64_t checksum(const void *data, size_t size)
{
    struct checksum sum = checksum_begin();
    checksum_add(&sum, data, size);
    return checksum_end(&sum);
}
