/* What bpe.c builds and bpe_split.c reads. */
#ifndef SEMBED_TEXT_BPE_INTERNAL_H
#define SEMBED_TEXT_BPE_INTERNAL_H

#include "core/text/bpe.h"
#include "core/text/trie.h"

#include <stdbool.h>

#define BPE_NO_RANK UINT32_MAX

/* One merge: the pair (left, right) becomes id. rank BPE_NO_RANK: an empty slot. */
struct bpe_merge {
    uint32_t left, right;
    uint32_t rank;
    uint32_t id;
};

struct bpe {
    struct trie tokens;       /* token → id; byte-level tokens by the bytes they stand for */
    struct bpe_merge *merges; /* [merge_mask + 1], a hash table with linear probing */
    uint32_t merge_mask;
    uint64_t
        *whole; /* a bit an id: set where the token as a word comes out as itself; may be NULL */

    char *prefix, *suffix; /* of a character that does not begin, or ends, the word; may be "" */
    size_t prefix_length, suffix_length;
    char *unknown_token;    /* NULL: unknown characters are left out */
    uint32_t unknown_id;    /* VOCABULARY_NONE: the vocabulary lacks unknown_token */
    uint32_t byte_ids[256]; /* of "<0x00>" … "<0xFF>"; VOCABULARY_NONE where there is none */
    bool byte_level, fuse_unknown, byte_fallback, ignore_merges;
    bool mapped; /* merges and whole belong to a file */
    char *name;  /* the file, for messages */
};

static inline uint32_t bpe_merge_hash(uint32_t left, uint32_t right)
{
    uint64_t mixed = (left * 0x9E3779B97F4A7C15u) ^ (right * 0xC2B2AE3D27D4EB4Fu);
    return (uint32_t)(mixed >> 32);
}

/* The merge of a pair; its rank is BPE_NO_RANK where there is none. */
static inline const struct bpe_merge *bpe_merge_find(const struct bpe *model, uint32_t left,
                                                     uint32_t right)
{
    for (uint32_t at = bpe_merge_hash(left, right);; at++) {
        const struct bpe_merge *merge = &model->merges[at & model->merge_mask];
        if ((merge->left == left && merge->right == right) || merge->rank == BPE_NO_RANK)
            return merge;
    }
}

#endif
