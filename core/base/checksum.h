/*
 * XXH3 of 64 bits (Yann Collet, xxHash 0.8): a checksum that is computed as fast as the bytes come from
 * memory, so that a file of a gigabyte is checked in a tenth of a second. Against accidents, not against
 * those who forge.
 */
#ifndef SEMBED_BASE_CHECKSUM_H
#define SEMBED_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Of data[size], with the seed 0. XXH3 has other forms for up to 240 bytes; here these are summed up as
 * if zeros followed up to CHECKSUM_LEAST. */
uint64_t checksum(const void *data, size_t size);

#define CHECKSUM_LEAST  241
#define CHECKSUM_LANES  8
#define CHECKSUM_STRIPE ((size_t)64)

/* The same of bytes that come piece by piece. */
struct checksum {
    uint64_t lanes[CHECKSUM_LANES];
    uint64_t size;                        /* bytes so far */
    unsigned char last[CHECKSUM_STRIPE];  /* the stripe that went into the lanes last */
    unsigned char ahead[CHECKSUM_STRIPE]; /* bytes that did not yet; one at least, of any */
};

struct checksum checksum_begin(void);
void checksum_add(struct checksum *sum, const void *data, size_t size);
uint64_t checksum_end(const struct checksum *sum);

#endif
