/*
 * XXH64 (Yann Collet, the xxHash specification, revision 0.1.1): a checksum of 64 bits at some 10 GB/s,
 * so that a file of a gigabyte is checked in a tenth of a second. Against accidents, not against
 * those who forge.
 */
#ifndef SEMBED_BASE_CHECKSUM_H
#define SEMBED_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Of data[size], with the seed 0. */
uint64_t checksum(const void *data, size_t size);

#define CHECKSUM_LANES  4
#define CHECKSUM_STRIPE ((size_t)32)

/* The same of bytes that come piece by piece. */
struct checksum {
    uint64_t lanes[CHECKSUM_LANES];
    unsigned char rest[CHECKSUM_STRIPE]; /* the last bytes, fewer than a stripe */
    uint64_t size;
};

struct checksum checksum_begin(void);
void checksum_add(struct checksum *sum, const void *data, size_t size);
uint64_t checksum_end(const struct checksum *sum);

#endif
