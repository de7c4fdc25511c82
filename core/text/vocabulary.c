#include "core/text/vocabulary.h"

#include "core/base/memory.h"

#include <string.h>

#define LARGEST_ID   (1u << 24)
#define LEAST_SLOTS  64
#define LONGEST_POOL UINT32_MAX

struct entry {
    uint32_t offset, length; /* of the token's bytes in the pool */
    uint32_t id;
};

/* A hash table with linear probing: slots[hash & mask] and onwards. entry is an index + 1. */
struct slot {
    uint32_t hash;
    uint32_t entry;
};

struct vocabulary {
    char *pool;
    size_t pool_size, pool_capacity;
    struct entry *entries;
    size_t count, capacity;
    struct slot *slots; /* [mask + 1], at most half of them taken */
    uint32_t mask;
    uint32_t *by_id; /* [id_limit]: entry index + 1, 0 where no token has the id */
    size_t id_limit, by_id_capacity;
    size_t longest; /* bytes of the longest token */
    bool mapped;    /* the tables belong to a file */
};

static bool reserve_slots(struct vocabulary *vocabulary, size_t tokens)
{
    size_t wanted = vocabulary->slots ? (size_t)vocabulary->mask + 1 : LEAST_SLOTS;
    while (wanted / 2 < tokens)
        wanted *= 2;
    if (vocabulary->slots && wanted == (size_t)vocabulary->mask + 1)
        return true;
    struct slot *slots = memory_calloc(wanted, sizeof *slots);
    if (!slots)
        return false;
    uint32_t mask = (uint32_t)(wanted - 1);
    size_t old = vocabulary->slots ? (size_t)vocabulary->mask + 1 : 0;
    for (size_t i = 0; i < old; i++) {
        if (vocabulary->slots[i].entry == 0)
            continue;
        uint32_t at = vocabulary->slots[i].hash & mask;
        while (slots[at].entry)
            at = (at + 1) & mask;
        slots[at] = vocabulary->slots[i];
    }
    memory_free(vocabulary->slots);
    vocabulary->slots = slots;
    vocabulary->mask = mask;
    return true;
}

sembed_status vocabulary_create(size_t expected_tokens, size_t expected_bytes,
                                struct vocabulary **vocabulary, sembed_error *error)
{
    if (expected_tokens > LARGEST_ID)
        expected_tokens = LARGEST_ID;
    if (expected_bytes > LONGEST_POOL)
        expected_bytes = LONGEST_POOL;
    struct vocabulary *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a vocabulary");
    /* The pool is there even where every token is empty. */
    if (!memory_grow((void **)&made->pool, &made->pool_capacity, expected_bytes + 1, 1) ||
        !memory_grow((void **)&made->entries, &made->capacity, expected_tokens,
                     sizeof *made->entries) ||
        !reserve_slots(made, expected_tokens)) {
        vocabulary_destroy(made);
        return error_no_memory(error, "a vocabulary");
    }
    *vocabulary = made;
    return SEMBED_OK;
}

void vocabulary_destroy(struct vocabulary *vocabulary)
{
    if (!vocabulary)
        return;
    if (!vocabulary->mapped) {
        memory_free(vocabulary->pool);
        memory_free(vocabulary->entries);
        memory_free(vocabulary->slots);
        memory_free(vocabulary->by_id);
    }
    memory_free(vocabulary);
}

/* Whether every index stays within its table, and a search comes upon an empty slot. */
static bool is_sound(const struct vocabulary *vocabulary)
{
    size_t slots = (size_t)vocabulary->mask + 1, taken = 0;
    bool sound = (slots & vocabulary->mask) == 0;
    for (size_t i = 0; i < slots; i++) {
        taken += vocabulary->slots[i].entry != 0;
        sound &= vocabulary->slots[i].entry <= vocabulary->count;
    }
    for (size_t i = 0; i < vocabulary->count; i++) {
        const struct entry *entry = &vocabulary->entries[i];
        sound &= (uint64_t)entry->offset + entry->length <= vocabulary->pool_size;
        sound &= entry->length <= vocabulary->longest && entry->id < vocabulary->id_limit;
    }
    for (size_t i = 0; i < vocabulary->id_limit; i++)
        sound &= vocabulary->by_id[i] <= vocabulary->count;
    return sound && taken < slots;
}

void vocabulary_store(struct archive *archive, struct vocabulary **vocabulary)
{
    struct vocabulary *stored = archive_struct(archive, (void **)vocabulary, sizeof *stored);
    if (!stored)
        return;
    stored->mapped = archive->opening;
    archive_value(archive, &stored->pool_size);
    archive_value(archive, &stored->count);
    archive_value(archive, &stored->mask);
    archive_value(archive, &stored->id_limit);
    archive_value(archive, &stored->longest);
    archive_table(archive, &stored->pool, stored->pool_size, 1);
    archive_table(archive, &stored->entries, stored->count, sizeof *stored->entries);
    archive_table(archive, &stored->slots, (size_t)stored->mask + 1, sizeof *stored->slots);
    archive_table(archive, &stored->by_id, stored->id_limit, sizeof *stored->by_id);
    if (archive->status == SEMBED_OK)
        archive_check(archive, is_sound(stored), "a vocabulary that leads out of its tables");
}

uint32_t vocabulary_hash(const char *token, size_t length)
{
    uint32_t state = VOCABULARY_HASH_SEED;
    for (size_t i = 0; i < length; i++)
        state = vocabulary_hash_byte(state, (unsigned char)token[i]);
    return vocabulary_hash_finish(state);
}

/* The slot that holds the token, or the empty one where it would go. */
static struct slot *find_slot(const struct vocabulary *vocabulary, uint32_t hash, const char *token,
                              size_t length)
{
    for (uint32_t at = hash & vocabulary->mask;; at = (at + 1) & vocabulary->mask) {
        struct slot *slot = &vocabulary->slots[at];
        if (slot->entry == 0)
            return slot;
        if (slot->hash != hash)
            continue;
        const struct entry *entry = &vocabulary->entries[slot->entry - 1];
        if (entry->length == length &&
            (length == 0 || memcmp(vocabulary->pool + entry->offset, token, length) == 0))
            return slot;
    }
}

uint32_t vocabulary_find_hashed(const struct vocabulary *vocabulary, uint32_t hash,
                                const char *token, size_t length)
{
    const struct slot *slot = find_slot(vocabulary, hash, token, length);
    return slot->entry ? vocabulary->entries[slot->entry - 1].id : VOCABULARY_NONE;
}

uint32_t vocabulary_find(const struct vocabulary *vocabulary, const char *token, size_t length)
{
    return vocabulary_find_hashed(vocabulary, vocabulary_hash(token, length), token, length);
}

static sembed_status reserve_id(struct vocabulary *vocabulary, uint32_t id, sembed_error *error)
{
    if (id < vocabulary->id_limit)
        return SEMBED_OK;
    if (!memory_grow((void **)&vocabulary->by_id, &vocabulary->by_id_capacity, (size_t)id + 1,
                     sizeof *vocabulary->by_id))
        return error_no_memory(error, "a vocabulary");
    memset(vocabulary->by_id + vocabulary->id_limit, 0,
           (id + 1 - vocabulary->id_limit) * sizeof *vocabulary->by_id);
    vocabulary->id_limit = (size_t)id + 1;
    return SEMBED_OK;
}

/* Gives a known token another id. The old id keeps its spelling, as a second name. */
static void rename_entry(struct vocabulary *vocabulary, uint32_t entry, uint32_t id)
{
    vocabulary->entries[entry - 1].id = id;
    vocabulary->by_id[id] = entry;
}

sembed_status vocabulary_add(struct vocabulary *vocabulary, const char *token, size_t length,
                             uint32_t id, sembed_error *error)
{
    if (id > LARGEST_ID)
        return error_set(error, SEMBED_LIMIT, "token id %u is over %u", id, LARGEST_ID);
    if (length > LONGEST_POOL - vocabulary->pool_size)
        return error_set(error, SEMBED_LIMIT, "the vocabulary's tokens take over 4 GB");
    sembed_status status = reserve_id(vocabulary, id, error);
    if (status != SEMBED_OK)
        return status;
    if (!reserve_slots(vocabulary, vocabulary->count + 1))
        return error_no_memory(error, "a vocabulary");

    uint32_t hash = vocabulary_hash(token, length);
    struct slot *slot = find_slot(vocabulary, hash, token, length);
    if (slot->entry) {
        rename_entry(vocabulary, slot->entry, id);
        return SEMBED_OK;
    }
    if (!memory_grow((void **)&vocabulary->pool, &vocabulary->pool_capacity,
                     vocabulary->pool_size + length, 1) ||
        !memory_grow((void **)&vocabulary->entries, &vocabulary->capacity, vocabulary->count + 1,
                     sizeof *vocabulary->entries))
        return error_no_memory(error, "a vocabulary");
    if (length)
        memcpy(vocabulary->pool + vocabulary->pool_size, token, length);
    vocabulary->entries[vocabulary->count++] =
        (struct entry){(uint32_t)vocabulary->pool_size, (uint32_t)length, id};
    vocabulary->pool_size += length;
    if (length > vocabulary->longest)
        vocabulary->longest = length;
    *slot = (struct slot){hash, (uint32_t)vocabulary->count};
    vocabulary->by_id[id] = (uint32_t)vocabulary->count;
    return SEMBED_OK;
}

const char *vocabulary_token(const struct vocabulary *vocabulary, uint32_t id, size_t *length)
{
    if (id >= vocabulary->id_limit || vocabulary->by_id[id] == 0)
        return NULL;
    const struct entry *entry = &vocabulary->entries[vocabulary->by_id[id] - 1];
    *length = entry->length;
    return vocabulary->pool + entry->offset;
}

size_t vocabulary_id_limit(const struct vocabulary *vocabulary)
{
    return vocabulary->id_limit;
}

size_t vocabulary_count(const struct vocabulary *vocabulary)
{
    return vocabulary->count;
}

size_t vocabulary_longest(const struct vocabulary *vocabulary)
{
    return vocabulary->longest;
}
