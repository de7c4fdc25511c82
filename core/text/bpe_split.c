#include "core/text/bpe_internal.h"

#include "core/base/memory.h"
#include "core/text/byte_alphabet.h"

/*
 * Merging.
 *
 * The word is a list of symbols, at first one a character. Of all neighbours that the model can
 * merge, the pair of lowest rank is merged, the leftmost of equals, until no pair is left.
 *
 * Merges by rank: 0 l+o → lo, 1 e+r → er, 2 lo+w → low, 3 low+er → lower; word "lowlower":
 *
 *     l o w l o w e r      rank 0 at 0 and 3, rank 1 at 6: the one at 0
 *     lo w l o w e r       rank 0 at 2
 *     lo w lo w e r        rank 1
 *     lo w lo w er         rank 2 at 0 and 2
 *     low low er           rank 3
 *     low lower
 *
 * A word of n symbols needs up to n - 1 merges. Short words look at all neighbours to find the next
 * one: that is quadratic, and faster than anything else as long as everything fits into a few cache
 * lines. Long words keep the possible merges in a heap, in order of (rank, place). Merging makes up
 * to two new pairs, which are put into the heap, and breaks up to two, which stay there: whatever
 * comes off the heap is looked up again, and is dropped if its pair is not there any more. Each merge
 * adds at most one entry more than it takes, so the heap never holds more than 2n, and all takes
 * n log n.
 *
 * Most words of a text are tokens as they stand. Which tokens come out as themselves is found once,
 * when the model is made, by splitting each of them; such a word then costs one walk down the trie.
 */

#define SHORT_WORD    40 /* symbols; the two ways take the same time at about twice as many */
#define NO_SYMBOL     UINT32_MAX
#define POLL_INTERVAL 16384 /* merges */

/* One symbol of the word, in a doubly linked list by place. */
struct bpe_symbol {
    uint32_t id;
    uint32_t length; /* bytes; 0: merged into a symbol on its left */
    uint32_t previous, next;
};

/* A merge that may be done: rank << 32 | place of its left symbol. */
struct bpe_candidate {
    uint64_t order;
};

/* The word under way: its symbols, and a run of unknown characters that is not one of them yet. */
struct symbols {
    struct bpe_symbol *items;
    size_t count;
    uint32_t unknown_length; /* bytes of that run; 0: none */
    bool left_out;           /* some characters have no symbol */
};

void bpe_scratch_free(struct bpe_scratch *scratch)
{
    memory_free(scratch->symbols);
    memory_free(scratch->queue);
    *scratch = (struct bpe_scratch){0};
}

/* --- characters to symbols ------------------------------------------------------------------ */

static inline void add_symbol(struct symbols *symbols, uint32_t id, uint32_t length)
{
    symbols->items[symbols->count++] = (struct bpe_symbol){.id = id, .length = length};
}

static void add_pending_unknown(const struct bpe *model, struct symbols *symbols)
{
    if (symbols->unknown_length)
        add_symbol(symbols, model->unknown_id, symbols->unknown_length);
    symbols->unknown_length = 0;
}

static const struct trie_unit *walk(const struct trie *trie, const struct trie_unit *node,
                                    const char *text, size_t length)
{
    for (size_t i = 0; i < length && node; i++)
        node = trie_child(trie, node, (unsigned char)text[i]);
    return node;
}

/* One "<0xE2>" for each byte of the text; false, and nothing added, if one is not in the
 * vocabulary. */
static bool add_bytes(const struct bpe *model, struct symbols *symbols, const char *text,
                      size_t length)
{
    size_t before = symbols->count;
    for (size_t i = 0; i < length; i++) {
        uint32_t id = model->byte_ids[(unsigned char)text[i]];
        if (id == VOCABULARY_NONE) {
            symbols->count = before;
            return false;
        }
        add_symbol(symbols, id, 1);
    }
    return true;
}

/*
 * A character that is not in the vocabulary: its bytes, prefix and suffix included, or the unknown
 * token. A run of unknown characters waits until a known one comes; bytes do not count as one, so
 * that they go before the run (as in the library).
 */
static sembed_status add_unknown(const struct bpe *model, struct symbols *symbols,
                                 const char *character, size_t length, size_t prefix_length,
                                 size_t suffix_length, sembed_error *error)
{
    if (model->byte_fallback) {
        size_t before = symbols->count;
        if (add_bytes(model, symbols, model->prefix, prefix_length) &&
            add_bytes(model, symbols, character, length) &&
            add_bytes(model, symbols, model->suffix, suffix_length))
            return SEMBED_OK;
        symbols->count = before;
    }
    if (!model->unknown_token) {
        symbols->left_out = true;
        return SEMBED_OK;
    }
    if (model->unknown_id == VOCABULARY_NONE)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: the unknown token '%s' is not in the vocabulary", model->name,
                         model->unknown_token);
    if (!model->fuse_unknown)
        add_pending_unknown(model, symbols);
    symbols->unknown_length += (uint32_t)length;
    return SEMBED_OK;
}

/* Bytes of the character at the front of text, which has `left` bytes; one in a byte-level model. */
static inline size_t character_length(const struct bpe *model, unsigned char first, size_t left)
{
    size_t length = model->byte_level || first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    return length < left ? length : left;
}

/* The token of the character of `size` bytes at word[start], prefix and suffix included; TRIE_NONE where
 * there is none. */
static inline uint32_t find_character(const struct bpe *model, const char *word, size_t length,
                                      size_t start, size_t size)
{
    const struct trie *trie = &model->tokens;
    const struct trie_unit *node = trie_root(trie);
    if (start > 0)
        node = walk(trie, node, model->prefix, model->prefix_length);
    node = walk(trie, node, word + start, size);
    if (start + size == length)
        node = walk(trie, node, model->suffix, model->suffix_length);
    return node ? node->value : TRIE_NONE;
}

/* The word's characters as symbols. There is room for the most that they can become. */
static sembed_status read_characters(const struct bpe *model, const char *word, size_t length,
                                     const sembed_poll *poll, size_t *work, struct symbols *symbols,
                                     sembed_error *error)
{
    size_t size;
    for (size_t start = 0; start < length; start += size) {
        if (poll_wants_stop_after(poll, 1 + model->prefix_length, work))
            return error_canceled(error);
        size = character_length(model, (unsigned char)word[start], length - start);
        size_t prefix_length = start == 0 ? 0 : model->prefix_length;
        size_t suffix_length = start + size == length ? model->suffix_length : 0;
        uint32_t id = find_character(model, word, length, start, size);
        if (id != TRIE_NONE) {
            add_pending_unknown(model, symbols);
            add_symbol(symbols, id, (uint32_t)size);
            continue;
        }
        sembed_status status =
            add_unknown(model, symbols, word + start, size, prefix_length, suffix_length, error);
        if (status != SEMBED_OK)
            return status;
    }
    add_pending_unknown(model, symbols);
    return SEMBED_OK;
}

/* --- short words ---------------------------------------------------------------------------- */

static void merge_short(const struct bpe *model, struct symbols *symbols)
{
    struct bpe_symbol *items = symbols->items;
    size_t count = symbols->count;
    const struct bpe_merge *merges[SHORT_WORD]; /* [i]: of symbols i and i + 1 */
    uint32_t ranks[SHORT_WORD];
    for (size_t i = 0; i + 1 < count; i++) {
        merges[i] = bpe_merge_find(model, items[i].id, items[i + 1].id);
        ranks[i] = merges[i]->rank;
    }
    while (count > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < count; i++)
            if (ranks[i] < ranks[best])
                best = i;
        if (ranks[best] == BPE_NO_RANK)
            break;
        items[best].id = merges[best]->id;
        items[best].length += items[best + 1].length;
        count--;
        for (size_t i = best + 1; i < count; i++)
            items[i] = items[i + 1];
        for (size_t i = best; i + 1 < count; i++) {
            merges[i] = merges[i + 1];
            ranks[i] = ranks[i + 1];
        }
        for (size_t i = best ? best - 1 : 0; i <= best && i + 1 < count; i++) {
            merges[i] = bpe_merge_find(model, items[i].id, items[i + 1].id);
            ranks[i] = merges[i]->rank;
        }
    }
    symbols->count = count;
}

/* --- long words ----------------------------------------------------------------------------- */

struct queue {
    struct bpe_candidate *items; /* a binary heap, the lowest order first */
    size_t count;
};

static void sift_down(struct queue *queue, size_t at)
{
    struct bpe_candidate moved = queue->items[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= queue->count)
            break;
        if (child + 1 < queue->count && queue->items[child + 1].order < queue->items[child].order)
            child++;
        if (moved.order <= queue->items[child].order)
            break;
        queue->items[at] = queue->items[child];
        at = child;
    }
    queue->items[at] = moved;
}

static void queue_push(struct queue *queue, uint32_t rank, uint32_t place)
{
    struct bpe_candidate pushed = {(uint64_t)rank << 32 | place};
    size_t at = queue->count++;
    for (; at > 0 && queue->items[(at - 1) / 2].order > pushed.order; at = (at - 1) / 2)
        queue->items[at] = queue->items[(at - 1) / 2];
    queue->items[at] = pushed;
}

static struct bpe_candidate queue_pop(struct queue *queue)
{
    struct bpe_candidate top = queue->items[0];
    queue->items[0] = queue->items[--queue->count];
    if (queue->count)
        sift_down(queue, 0);
    return top;
}

/* Links the symbols and fills the queue with what can be merged at first. */
static sembed_status begin_long(const struct bpe *model, struct symbols *symbols,
                                struct queue *queue, const sembed_poll *poll, sembed_error *error)
{
    struct bpe_symbol *items = symbols->items;
    uint32_t count = (uint32_t)symbols->count;
    for (uint32_t i = 0; i < count; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        items[i].previous = i ? i - 1 : NO_SYMBOL;
        items[i].next = i + 1 < count ? i + 1 : NO_SYMBOL;
        if (i + 1 == count)
            break;
        uint32_t rank = bpe_merge_find(model, items[i].id, items[i + 1].id)->rank;
        if (rank != BPE_NO_RANK)
            queue->items[queue->count++].order = (uint64_t)rank << 32 | i;
    }
    for (size_t i = queue->count / 2; i-- > 0;) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        sift_down(queue, i);
    }
    return SEMBED_OK;
}

/* Merges the symbol at `place` with its right neighbour and offers the two pairs that this makes. */
static void merge_at(const struct bpe *model, struct bpe_symbol *items, uint32_t place, uint32_t id,
                     struct queue *queue)
{
    struct bpe_symbol *symbol = &items[place], *right = &items[symbol->next];
    symbol->id = id;
    symbol->length += right->length;
    symbol->next = right->next;
    right->length = 0;
    if (symbol->next != NO_SYMBOL)
        items[symbol->next].previous = place;

    if (symbol->previous != NO_SYMBOL) {
        uint32_t rank = bpe_merge_find(model, items[symbol->previous].id, id)->rank;
        if (rank != BPE_NO_RANK)
            queue_push(queue, rank, symbol->previous);
    }
    if (symbol->next != NO_SYMBOL) {
        uint32_t rank = bpe_merge_find(model, id, items[symbol->next].id)->rank;
        if (rank != BPE_NO_RANK)
            queue_push(queue, rank, place);
    }
}

static sembed_status merge_long(const struct bpe *model, struct bpe_scratch *scratch,
                                struct symbols *symbols, const sembed_poll *poll,
                                sembed_error *error)
{
    struct bpe_symbol *items = symbols->items;
    if (!memory_grow((void **)&scratch->queue, &scratch->queue_capacity, 2 * symbols->count,
                     sizeof *scratch->queue))
        return error_no_memory(error, "the merges of a long word");
    struct queue queue = {.items = scratch->queue};
    sembed_status status = begin_long(model, symbols, &queue, poll, error);
    if (status != SEMBED_OK)
        return status;
    for (size_t steps = 1; queue.count; steps++) {
        if (steps % POLL_INTERVAL == 0 && poll_wants_stop(poll))
            return error_canceled(error);
        struct bpe_candidate top = queue_pop(&queue);
        uint32_t place = (uint32_t)top.order;
        const struct bpe_symbol *symbol = &items[place];
        if (symbol->length == 0 || symbol->next == NO_SYMBOL)
            continue;
        const struct bpe_merge *merge = bpe_merge_find(model, symbol->id, items[symbol->next].id);
        if (merge->rank == top.order >> 32)
            merge_at(model, items, place, merge->id, &queue);
    }
    size_t kept = 0;
    for (size_t i = 0; i < symbols->count; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        if (items[i].length)
            items[kept++] = items[i];
    }
    symbols->count = kept;
    return SEMBED_OK;
}

/* --- the whole ------------------------------------------------------------------------------ */

/* A place in the byte-level alphabet's spelling of a word, where a byte takes one byte or two, and the
 * byte of the word that is spelled there. */
struct spelled {
    size_t at, byte;
};

static size_t spelled_length(char byte)
{
    return byte_alphabet_character((unsigned char)byte) < 0x80 ? 1 : 2;
}

/* The byte of the word that is spelled at `at`, which is not before the last one asked for. */
static size_t find_spelled(struct spelled *place, const char *word, size_t at)
{
    while (place->at + spelled_length(word[place->byte]) <= at)
        place->at += spelled_length(word[place->byte++]);
    return place->byte;
}

/* Where bytes were left out, the library's offsets are too small by what those take in the spelling
 * that it works on; so a piece may begin or end in the middle of a byte's two, which it then takes. */
static sembed_status append_with_gaps(const struct bpe *model, const struct symbols *symbols,
                                      const char *word, size_t length, const sembed_poll *poll,
                                      struct pieces *pieces, sembed_error *error)
{
    struct spelled place = {0};
    size_t byte = 0, end = 0;
    sembed_status status = SEMBED_OK;
    for (size_t i = 0; status == SEMBED_OK && i < symbols->count; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        size_t begin = end;
        for (uint32_t taken = 0; taken < symbols->items[i].length; byte++) {
            if (find_character(model, word, length, byte, 1) == TRIE_NONE)
                continue;
            end += spelled_length(word[byte]);
            taken++;
        }
        size_t start = find_spelled(&place, word, begin);
        status = pieces_append(pieces, symbols->items[i].id, start,
                               find_spelled(&place, word, end - 1) + 1, error);
    }
    return status;
}

/* Offsets are the sums of the symbols' lengths, which can be off by characters left out and by
 * prefixes spelled in bytes. They stay within the word, and no piece is empty. */
static sembed_status append_symbols(const struct symbols *symbols, size_t length,
                                    const sembed_poll *poll, struct pieces *pieces,
                                    sembed_error *error)
{
    size_t end = 0;
    sembed_status status = SEMBED_OK;
    for (size_t i = 0; status == SEMBED_OK && i < symbols->count; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        size_t start = end < length ? end : length - 1;
        end += symbols->items[i].length;
        status =
            pieces_append(pieces, symbols->items[i].id, start, end < length ? end : length, error);
    }
    return status;
}

/* Room for as many symbols as the word can have: one a byte, and with byte_fallback each character
 * can bring the bytes of the prefix, the last those of the suffix. */
static sembed_status reserve_symbols(const struct bpe *model, struct bpe_scratch *scratch,
                                     size_t length, sembed_error *error)
{
    size_t most;
    if (length >= NO_SYMBOL || !size_multiply(length, 1 + model->prefix_length, &most) ||
        !size_add(most, model->suffix_length, &most) || most >= NO_SYMBOL)
        return error_set(error, SEMBED_LIMIT, "a word of %zu bytes is too long", length);
    if (!memory_grow((void **)&scratch->symbols, &scratch->symbols_capacity, most,
                     sizeof *scratch->symbols))
        return error_no_memory(error, "the symbols of a word");
    return SEMBED_OK;
}

sembed_status bpe_split(const struct bpe *model, struct bpe_scratch *scratch, const char *word,
                        size_t length, const sembed_poll *poll, struct pieces *pieces,
                        sembed_error *error)
{
    if (length == 0)
        return SEMBED_OK;
    if (model->whole) {
        uint32_t id = trie_find(&model->tokens, word, length);
        if (id != TRIE_NONE && model->whole[id / 64] >> id % 64 & 1)
            return pieces_append(pieces, id, 0, length, error);
    }
    sembed_status status = reserve_symbols(model, scratch, length, error);
    if (status != SEMBED_OK)
        return status;
    struct symbols symbols = {.items = scratch->symbols};
    status = read_characters(model, word, length, poll, &scratch->work, &symbols, error);
    if (status != SEMBED_OK)
        return status;
    if (symbols.count <= SHORT_WORD)
        merge_short(model, &symbols);
    else
        status = merge_long(model, scratch, &symbols, poll, error);
    if (status != SEMBED_OK)
        return status;
    if (symbols.left_out && model->byte_level && !model->byte_fallback)
        return append_with_gaps(model, &symbols, word, length, poll, pieces, error);
    return append_symbols(&symbols, length, poll, pieces, error);
}
