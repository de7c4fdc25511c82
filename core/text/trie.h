/*
 * A trie over byte strings as a double array: one step is one load and one comparison.
 *
 * The children of a node lie at base ^ byte, so that all of them are in one block of 256 units. A
 * unit carries the byte by which it is reached; as no two nodes have the same base, a unit that is
 * there and carries the right byte is the right child (Yata, darts-clone). The table is flat and
 * knows no pointers: it can be written to a file and mapped.
 */
#ifndef SEMBED_TEXT_TRIE_H
#define SEMBED_TEXT_TRIE_H

#include "core/base/archive.h"

#include <stdbool.h>

#define TRIE_NONE UINT32_MAX

struct trie_unit {
    uint32_t link;  /* base of the children << 9 | byte; TRIE_FREE in place of the byte: no node */
    uint32_t value; /* of the string that ends here; TRIE_NONE: none does */
};

#define TRIE_FREE     256
#define TRIE_LINK_BIT 9

struct trie {
    struct trie_unit *units; /* [count], a multiple of 256; the root is units[0] */
    size_t count;
    bool mapped; /* units belong to a file */
};

struct trie_key {
    const char *text;
    uint32_t length;
    uint32_t value; /* not TRIE_NONE */
};

/*
 * Builds the trie of keys[count], which it puts into another order. Among equal keys the last
 * counts, an empty one is left out. Takes time in proportion to the bytes of all keys. SEMBED_LIMIT
 * where they need more than 2^23 units. Free with trie_free.
 */
SEMBED_MUST_CHECK sembed_status trie_build(struct trie_key *keys, size_t count,
                                           const sembed_poll *poll, struct trie *trie,
                                           sembed_error *error);
void trie_free(struct trie *trie); /* a zeroed one is allowed */

static inline const struct trie_unit *trie_root(const struct trie *trie)
{
    return trie->units;
}

/* The child of a node by a byte; NULL where there is none. */
static inline const struct trie_unit *trie_child(const struct trie *trie,
                                                 const struct trie_unit *node, unsigned char byte)
{
    const struct trie_unit *child = trie->units + ((node->link >> TRIE_LINK_BIT) ^ byte);
    return (child->link & ((1u << TRIE_LINK_BIT) - 1)) == byte ? child : NULL;
}

/* To and from an image. Opening, every value is below value_limit. */
void trie_store(struct archive *archive, struct trie *trie, size_t value_limit);

/* The value of a whole string; TRIE_NONE where it is not in the trie. */
uint32_t trie_find(const struct trie *trie, const char *text, size_t length);

#endif
