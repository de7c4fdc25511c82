/*
 * The vocabulary: token ↔ id. Tokens are byte strings that may hold zero bytes; ids need not be
 * contiguous (added tokens lie behind gaps). Flat: one byte pool, one hash table of indices with
 * open addressing, one id → token table; so it can be written to a file and mapped back.
 */
#ifndef SEMBED_TEXT_VOCABULARY_H
#define SEMBED_TEXT_VOCABULARY_H

#include "core/base/archive.h"

#include <stdbool.h>

#define VOCABULARY_NONE UINT32_MAX

struct vocabulary;

/* expected: about how many tokens and token bytes will come; 0 where unknown. */
SEMBED_MUST_CHECK sembed_status vocabulary_create(size_t expected_tokens, size_t expected_bytes,
                                                  struct vocabulary **vocabulary,
                                                  sembed_error *error);
void vocabulary_destroy(struct vocabulary *vocabulary); /* NULL is allowed */

/* Adds a token; a token that is there already takes the new id. Ids over 2^24 are SEMBED_LIMIT. */
SEMBED_MUST_CHECK sembed_status vocabulary_add(struct vocabulary *vocabulary, const char *token,
                                               size_t length, uint32_t id, sembed_error *error);

/* To and from an image; one that was opened takes no more tokens. */
void vocabulary_store(struct archive *archive, struct vocabulary **vocabulary);

/* The token's id; VOCABULARY_NONE where there is none. */
uint32_t vocabulary_find(const struct vocabulary *vocabulary, const char *token, size_t length);

/* The token with that id; NULL where there is none. */
const char *vocabulary_token(const struct vocabulary *vocabulary, uint32_t id, size_t *length);

/* One past the largest id. */
size_t vocabulary_id_limit(const struct vocabulary *vocabulary);

/* How many tokens there are, and the bytes of the longest. */
size_t vocabulary_count(const struct vocabulary *vocabulary);
size_t vocabulary_longest(const struct vocabulary *vocabulary);

/*
 * The hash of a token, byte by byte, so that the prefixes of a word are hashed in one pass:
 *
 *     state = VOCABULARY_HASH_SEED; for each byte: state = vocabulary_hash_byte(state, byte);
 *     vocabulary_find_hashed(vocabulary, vocabulary_hash_finish(state), word, bytes so far)
 *
 * FNV-1a (Fowler, Noll, Vo) with the avalanche of MurmurHash3 (Appleby) behind it.
 */
#define VOCABULARY_HASH_SEED 2166136261u

static inline uint32_t vocabulary_hash_byte(uint32_t state, unsigned char byte)
{
    return (state ^ byte) * 16777619u;
}
static inline uint32_t vocabulary_hash_finish(uint32_t state)
{
    state ^= state >> 16;
    state *= 0x85ebca6bu;
    return state ^ (state >> 13);
}
uint32_t vocabulary_hash(const char *token, size_t length);

uint32_t vocabulary_find_hashed(const struct vocabulary *vocabulary, uint32_t hash,
                                const char *token, size_t length);

#endif
