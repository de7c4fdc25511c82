/*
 * The vocabulary: token ↔ id. Tokens are byte strings that may hold zero bytes; ids need not be
 * contiguous (added tokens lie behind gaps). Flat: one byte pool, one hash table of indices with
 * open addressing, one id → token table; so it can be written to a file and mapped back.
 */
#ifndef SEMBED_TEXT_VOCABULARY_H
#define SEMBED_TEXT_VOCABULARY_H

#include "core/base/error.h"

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

/* The token's id; VOCABULARY_NONE where there is none. */
uint32_t vocabulary_find(const struct vocabulary *vocabulary, const char *token, size_t length);

/* The token with that id; NULL where there is none. */
const char *vocabulary_token(const struct vocabulary *vocabulary, uint32_t id, size_t *length);

/* One past the largest id. */
size_t vocabulary_id_limit(const struct vocabulary *vocabulary);

#endif
