#include "core/text/trie.h"

#include "core/base/memory.h"

#include <string.h>

/*
 * Building the double array.
 *
 * A node stands for a range of the keys: those that share its path. It is given a base, its keys
 * are put in order of their next byte, and each run of equal bytes is a child, to be done later.
 * So the keys are sorted (a most-significant-byte-first radix sort) and the trie is laid out in one
 * pass, depth first, which also keeps neighbours in the tree near in memory.
 *
 * The keys "in", "it", "to" at the root: next bytes i i t. The root takes base 1, so its children
 * are units 1 ^ 'i' = 104 and 1 ^ 't' = 117. The first has the range "in", "it", next bytes n t; for
 * base 2 these would be units 108 and 118, both free; and so on.
 *
 * A base is free for a set of bytes where base ^ byte is a free unit for each of them. Per block of
 * 256 units there is a bitmap of free units. The bitmap of the bases at which one byte finds a free
 * unit is this bitmap with bit i moved to i ^ byte; that of a set of bytes is the intersection of
 * theirs, and of those the bases not taken yet: a few word operations in place of a search. Only the
 * last OPEN_BLOCKS blocks with room are tried, which bounds the time and wastes a few units.
 */

#define BLOCK_UNITS   256
#define BLOCK_WORDS   4
#define OPEN_BLOCKS   2
#define MAX_UNITS     ((size_t)1 << (32 - TRIE_LINK_BIT))
#define SMALL_RANGE   32   /* up to here insertion sort beats counting */
#define POLL_INTERVAL 4096 /* nodes */

struct bitmap {
    uint64_t words[BLOCK_WORDS];
};

/* A block that still has free units. */
struct open_block {
    uint32_t first;          /* its first unit */
    uint32_t free_count;     /* free units */
    struct bitmap free;      /* units that are no node yet */
    struct bitmap base_free; /* bases that no node has taken */
};

/* A node whose children are not laid out yet. */
struct pending {
    uint32_t unit;
    uint32_t first, count; /* its keys: keys[first … first + count) */
    uint32_t depth;        /* bytes of the path to it */
};

struct builder {
    struct trie_key *keys;   /* [keys], sorted range by range */
    struct trie_key *sorted; /* [keys], scratch */
    struct trie_unit *units;
    size_t count, capacity;
    struct open_block open[OPEN_BLOCKS]; /* oldest first */
    size_t open_count;
    struct pending *stack;
    size_t stack_count, stack_capacity;
};

/* Moves bit i of a word to bit i ^ byte (of which the lower six bits count): for each bit of the
 * byte that is set, neighbouring runs of that length change places. */
static inline uint64_t word_exchange(uint64_t word, unsigned byte)
{
    static const uint64_t masks[6] = {0x5555555555555555, 0x3333333333333333, 0x0f0f0f0f0f0f0f0f,
                                      0x00ff00ff00ff00ff, 0x0000ffff0000ffff, 0x00000000ffffffff};
#pragma GCC unroll 6
    for (unsigned bit = 0; bit < 6; bit++) {
        unsigned shift = byte & (1u << bit);
        uint64_t mask = shift ? masks[bit] : UINT64_MAX;
        word = (word & mask) << shift | (word >> shift & mask);
    }
    return word;
}

static void bitmap_clear(struct bitmap *bitmap, unsigned index)
{
    bitmap->words[index >> 6] &= ~((uint64_t)1 << (index & 63));
}

static sembed_status add_block(struct builder *builder, sembed_error *error)
{
    size_t first = builder->count;
    if (first + BLOCK_UNITS > MAX_UNITS)
        return error_set(error, SEMBED_LIMIT,
                         "the vocabulary's trie: more than %zu nodes are not supported", MAX_UNITS);
    if (!memory_grow((void **)&builder->units, &builder->capacity, first + BLOCK_UNITS,
                     sizeof *builder->units))
        return error_no_memory(error, "the vocabulary's trie");
    builder->count += BLOCK_UNITS;
    for (size_t i = first; i < builder->count; i++)
        builder->units[i] = (struct trie_unit){.link = TRIE_FREE, .value = TRIE_NONE};

    if (builder->open_count == OPEN_BLOCKS) {
        builder->open_count--;
        memmove(builder->open, builder->open + 1, builder->open_count * sizeof *builder->open);
    }
    struct open_block *block = &builder->open[builder->open_count++];
    *block = (struct open_block){.first = (uint32_t)first, .free_count = BLOCK_UNITS};
    memset(&block->free, 0xff, sizeof block->free);
    memset(&block->base_free, 0xff, sizeof block->base_free);
    if (first == 0) {
        /* Unit 0 is the root; base 0 belongs to nodes without children. */
        block->free_count--;
        bitmap_clear(&block->free, 0);
        bitmap_clear(&block->base_free, 0);
    }
    return SEMBED_OK;
}

/* A free base of the block for one byte, the commonest case: the first free unit mostly does. */
static int block_find_base_for_one(const struct open_block *block, unsigned char byte)
{
    for (unsigned w = 0; w < BLOCK_WORDS; w++)
        for (uint64_t free = block->free.words[w]; free; free &= free - 1) {
            unsigned base = (w * 64 + (unsigned)__builtin_ctzll(free)) ^ byte;
            if (block->base_free.words[base >> 6] >> (base & 63) & 1)
                return (int)base;
        }
    return -1;
}

/* A free base of the block for these bytes, relative to its first unit; -1 where there is none. */
static int block_find_base(const struct open_block *block, const unsigned char *bytes, size_t count)
{
    if (block->free_count < count)
        return -1;
    if (count == 1)
        return block_find_base_for_one(block, bytes[0]);
    for (unsigned w = 0; w < BLOCK_WORDS; w++) {
        uint64_t bases = block->base_free.words[w];
        for (size_t i = 0; i < count && bases; i++)
            bases &= word_exchange(block->free.words[w ^ (bytes[i] >> 6)], bytes[i]);
        if (bases)
            return (int)(w * 64) + __builtin_ctzll(bases);
    }
    return -1;
}

/* Gives a node children by these bytes (at least one, each once) and writes its base. */
static sembed_status place_children(struct builder *builder, uint32_t unit,
                                    const unsigned char *bytes, size_t count, uint32_t *base,
                                    sembed_error *error)
{
    size_t b = 0;
    int found = -1;
    while (b < builder->open_count &&
           (found = block_find_base(&builder->open[b], bytes, count)) < 0)
        b++;
    if (found < 0) {
        sembed_status status = add_block(builder, error);
        if (status != SEMBED_OK)
            return status;
        b = builder->open_count - 1;
        found = block_find_base(&builder->open[b], bytes, count); /* an empty block has one */
    }
    struct open_block *block = &builder->open[b];
    *base = block->first + (uint32_t)found;
    builder->units[unit].link |= *base << TRIE_LINK_BIT;
    bitmap_clear(&block->base_free, (unsigned)found);
    for (size_t i = 0; i < count; i++) {
        unsigned index = (unsigned)found ^ bytes[i];
        bitmap_clear(&block->free, index);
        builder->units[block->first + index].link = bytes[i];
    }
    block->free_count -= (uint32_t)count;
    if (block->free_count == 0) {
        builder->open_count--;
        memmove(block, block + 1, (builder->open_count - b) * sizeof *block);
    }
    return SEMBED_OK;
}

static inline unsigned char byte_at(const struct trie_key *key, size_t depth)
{
    return (unsigned char)key->text[depth];
}

/* The rest of a lone key, from depth on, as a chain of nodes. */
static sembed_status place_tail(struct builder *builder, uint32_t unit, const struct trie_key *key,
                                size_t depth, sembed_error *error)
{
    for (size_t i = depth; i < key->length; i++) {
        unsigned char byte = byte_at(key, i);
        uint32_t base;
        sembed_status status = place_children(builder, unit, &byte, 1, &base, error);
        if (status != SEMBED_OK)
            return status;
        unit = base ^ byte;
    }
    builder->units[unit].value = key->value;
    return SEMBED_OK;
}

/* Puts keys[count] in order of the byte at depth, keeping the order of equals. */
static void sort_range(struct builder *builder, struct trie_key *keys, size_t count, size_t depth)
{
    if (count <= SMALL_RANGE) {
        for (size_t i = 1; i < count; i++) {
            struct trie_key key = keys[i];
            size_t j = i;
            for (; j > 0 && byte_at(&keys[j - 1], depth) > byte_at(&key, depth); j--)
                keys[j] = keys[j - 1];
            keys[j] = key;
        }
        return;
    }
    uint32_t place[257] = {0};
    for (size_t i = 0; i < count; i++)
        place[byte_at(&keys[i], depth) + 1]++;
    for (size_t byte = 1; byte < 256; byte++)
        place[byte] += place[byte - 1];
    for (size_t i = 0; i < count; i++)
        builder->sorted[place[byte_at(&keys[i], depth)]++] = keys[i];
    memcpy(keys, builder->sorted, count * sizeof *keys);
}

/* Moves the keys that end at this node behind the others and out of its range; the last of them
 * gives its value. */
static void take_ended(struct builder *builder, struct pending *node)
{
    struct trie_key *keys = builder->keys + node->first;
    uint32_t kept = 0, ended = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        if (keys[i].length > node->depth)
            keys[kept++] = keys[i];
        else
            builder->sorted[ended++] = keys[i];
    }
    if (ended == 0)
        return;
    builder->units[node->unit].value = builder->sorted[ended - 1].value;
    memcpy(keys + kept, builder->sorted, ended * sizeof *keys);
    node->count = kept;
}

static sembed_status place_node(struct builder *builder, struct pending node, sembed_error *error)
{
    take_ended(builder, &node);
    if (node.count == 0)
        return SEMBED_OK;
    struct trie_key *keys = builder->keys + node.first;
    if (node.count == 1)
        return place_tail(builder, node.unit, keys, node.depth, error);
    sort_range(builder, keys, node.count, node.depth);

    unsigned char bytes[256];
    uint32_t starts[257]; /* where each child's keys begin */
    size_t children = 0;
    for (uint32_t i = 0; i < node.count; i++) {
        unsigned char byte = byte_at(&keys[i], node.depth);
        if (children == 0 || bytes[children - 1] != byte) {
            bytes[children] = byte;
            starts[children++] = i;
        }
    }
    starts[children] = node.count;

    uint32_t base;
    sembed_status status = place_children(builder, node.unit, bytes, children, &base, error);
    if (status != SEMBED_OK)
        return status;
    if (!memory_grow((void **)&builder->stack, &builder->stack_capacity,
                     builder->stack_count + children, sizeof *builder->stack))
        return error_no_memory(error, "the vocabulary's trie");
    for (size_t i = children; i-- > 0;)
        builder->stack[builder->stack_count++] =
            (struct pending){.unit = base ^ bytes[i],
                             .first = node.first + starts[i],
                             .count = starts[i + 1] - starts[i],
                             .depth = node.depth + 1};
    return SEMBED_OK;
}

static sembed_status place_all(struct builder *builder, size_t count, const sembed_poll *poll,
                               sembed_error *error)
{
    sembed_status status = add_block(builder, error);
    struct pending node = {.count = (uint32_t)count};
    for (size_t nodes = 1; status == SEMBED_OK; nodes++) {
        status = place_node(builder, node, error);
        if (nodes % POLL_INTERVAL == 0 && poll_wants_stop(poll))
            return error_canceled(error);
        if (builder->stack_count == 0)
            break;
        node = builder->stack[--builder->stack_count];
    }
    if (status == SEMBED_OK)
        builder->units[0].value = TRIE_NONE; /* the empty key */
    return status;
}

sembed_status trie_build(struct trie_key *keys, size_t count, const sembed_poll *poll,
                         struct trie *trie, sembed_error *error)
{
    *trie = (struct trie){0};
    if (count >= TRIE_NONE)
        return error_set(error, SEMBED_LIMIT, "the vocabulary's trie: %zu keys are too many",
                         count);
    struct builder builder = {.keys = keys};
    builder.sorted = memory_calloc(count, sizeof *builder.sorted);
    sembed_status status = builder.sorted ? place_all(&builder, count, poll, error)
                                          : error_no_memory(error, "the vocabulary's trie");
    if (status == SEMBED_OK) {
        *trie = (struct trie){.units = builder.units, .count = builder.count};
        builder.units = NULL;
    }
    memory_free(builder.sorted);
    memory_free(builder.units);
    memory_free(builder.stack);
    return status;
}

void trie_free(struct trie *trie)
{
    if (!trie->mapped)
        memory_free(trie->units);
    *trie = (struct trie){0};
}

/* Whether no step leaves the table: children lie in the block of their parent's base. */
static bool is_sound(const struct trie *trie, size_t value_limit)
{
    uint32_t largest_base = 0;
    bool sound = trie->count > 0 && trie->count % BLOCK_UNITS == 0;
    for (size_t i = 0; i < trie->count; i++) {
        uint32_t base = trie->units[i].link >> TRIE_LINK_BIT, value = trie->units[i].value;
        largest_base = base > largest_base ? base : largest_base;
        sound &= value < value_limit || value == TRIE_NONE;
    }
    return sound && largest_base < trie->count;
}

void trie_store(struct archive *archive, struct trie *trie, size_t value_limit)
{
    trie->mapped = archive->opening;
    archive_value(archive, &trie->count);
    archive_table(archive, &trie->units, trie->count, sizeof *trie->units);
    if (archive->status == SEMBED_OK)
        archive_check(archive, is_sound(trie, value_limit), "a trie that leads out of its table");
}

uint32_t trie_find(const struct trie *trie, const char *text, size_t length)
{
    const struct trie_unit *node = trie_root(trie);
    for (size_t i = 0; i < length && node; i++)
        node = trie_child(trie, node, (unsigned char)text[i]);
    return node ? node->value : TRIE_NONE;
}
