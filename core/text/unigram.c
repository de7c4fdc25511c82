#include "core/text/unigram.h"

#include "core/base/json_partly.h"
#include "core/base/json_reader.h"
#include "core/base/memory.h"
#include "core/text/trie.h"
#include "core/text/unicode.h"

#include <stdio.h>

/*
 * The best segmentation: Viterbi's algorithm.
 *
 * Let best(i) be the largest sum of scores with which the first i bytes of the word can be cut into
 * pieces. A best cut of the first i bytes ends with some piece, and what stands before that piece is
 * itself cut best; so, with best(0) = 0,
 *
 *     best(i) = max over pieces p that end at i of  best(i - |p|) + score(p)
 *
 * The word is gone through from left to right. At each character start i, where best(i) is then
 * known, a walk down the trie finds every piece that begins there; each offers best(i) + score to
 * the place where it ends. Each place remembers the best offer and where that piece began. At the
 * end the memory is followed back from the last byte.
 *
 * Pieces a -3, b -3, c -3, ab -4, bc -5, unknown; word "abc":
 *
 *     at 0, best 0:    a  offers -3 to 1        ab offers -4 to 2
 *     at 1, best -3:   b  offers -6 to 2: no    bc offers -8 to 3
 *     at 2, best -4:   c  offers -7 to 3: better
 *     back from 3: c began at 2, ab began at 0         →  ab c
 *
 * Among equal offers the first one made stands. A character that is no piece of its own is offered
 * as unknown too, at UNKNOWN_PENALTY below the lowest score, so every place that a character ends at
 * can be reached. Sums are made in double and in this order, since a reference that rounds otherwise
 * cuts otherwise where sums are near.
 */

#define UNKNOWN_PENALTY 10.0
#define NO_START        UINT32_MAX
#define POLL_PIECES     16384 /* of the vocabulary */

/* The best path that ends at one byte of the word. */
struct unigram_node {
    double score;
    uint32_t start; /* where its last piece begins; NO_START: nothing ends here */
    uint32_t id;    /* of its last piece; unknown_id for an unknown character */
};

struct unigram {
    struct trie trie; /* piece → id */
    double *scores;   /* [count] by id */
    size_t count;
    double unknown_score;
    uint32_t unknown_id; /* TRIE_NONE: none */
    bool byte_fallback;
    uint32_t byte_ids[256]; /* of "<0x00>" … "<0xFF>"; TRIE_NONE where there is none */
    char *name;             /* the file, for messages */
    bool mapped;            /* scores belong to a file */
};

void unigram_scratch_free(struct unigram_scratch *scratch)
{
    memory_free(scratch->nodes);
    *scratch = (struct unigram_scratch){0};
}

void unigram_destroy(struct unigram *model)
{
    if (!model)
        return;
    trie_free(&model->trie);
    if (!model->mapped)
        memory_free(model->scores);
    memory_free(model->name);
    memory_free(model);
}

void unigram_store(struct archive *archive, struct unigram **model)
{
    struct unigram *stored = archive_struct(archive, (void **)model, sizeof *stored);
    if (!stored)
        return;
    stored->mapped = archive->opening;
    archive_value(archive, &stored->count);
    archive_table(archive, &stored->scores, stored->count, sizeof *stored->scores);
    trie_store(archive, &stored->trie, stored->count);
    archive_value(archive, &stored->unknown_score);
    archive_value(archive, &stored->unknown_id);
    archive_value(archive, &stored->byte_fallback);
    archive_value(archive, &stored->byte_ids);
    archive_string(archive, &stored->name);
    archive_check(archive, stored->name, "a Unigram model without a name");
}

/* --- creation ------------------------------------------------------------------------------- */

/* The model under way: pieces come one by one. */
struct builder {
    struct unigram *model;
    struct vocabulary *vocabulary;
    size_t capacity; /* of model->scores */
    double lowest;
    bool nearest_scores;
};

static sembed_status begin_model(struct builder *builder, const char *name,
                                 struct vocabulary *vocabulary, sembed_error *error)
{
    *builder = (struct builder){.vocabulary = vocabulary, .lowest = 1.0 / 0.0};
    builder->model = memory_calloc(1, sizeof *builder->model);
    if (!builder->model)
        return error_no_memory(error, "the Unigram model");
    builder->model->name = memory_copy_string(name);
    return builder->model->name ? SEMBED_OK : error_no_memory(error, "the Unigram model");
}

static sembed_status add_piece(struct builder *builder, const char *text, size_t length,
                               double score, sembed_error *error)
{
    struct unigram *model = builder->model;
    sembed_status status =
        vocabulary_add(builder->vocabulary, text, length, (uint32_t)model->count, error);
    if (status != SEMBED_OK)
        return status;
    if (!memory_grow((void **)&model->scores, &builder->capacity, model->count + 1,
                     sizeof *model->scores))
        return error_no_memory(error, "the Unigram model");
    model->scores[model->count++] = score;
    if (score < builder->lowest)
        builder->lowest = score;
    return SEMBED_OK;
}

/* From the vocabulary's copies of the pieces, which lie side by side. */
static sembed_status build_trie(struct unigram *model, const struct vocabulary *vocabulary,
                                const sembed_poll *poll, sembed_error *error)
{
    struct trie_key *keys = memory_calloc(model->count, sizeof *keys);
    if (!keys)
        return error_no_memory(error, "the Unigram vocabulary");
    sembed_status status = SEMBED_OK;
    for (size_t i = 0; i < model->count; i++) {
        size_t length;
        const char *text = vocabulary_token(vocabulary, (uint32_t)i, &length);
        if (poll_wants_stop_every(poll, i, POLL_PIECES)) {
            status = error_canceled(error);
            goto cleanup;
        }
        if (unicode_valid_prefix(text, length) != length) {
            status =
                error_set(error, SEMBED_MALFORMED,
                          "%s: piece %zu of the Unigram vocabulary is not UTF-8", model->name, i);
            goto cleanup;
        }
        keys[i] = (struct trie_key){text, (uint32_t)length, (uint32_t)i};
    }
    status = trie_build(keys, model->count, poll, &model->trie, error);

cleanup:
    memory_free(keys);
    return status;
}

static void find_byte_pieces(struct unigram *model)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char spelling[8];
        int length = snprintf(spelling, sizeof spelling, "<0x%02X>", byte);
        model->byte_ids[byte] = trie_find(&model->trie, spelling, (size_t)length);
    }
}

static sembed_status finish_model(struct builder *builder, size_t unknown_id, bool byte_fallback,
                                  const sembed_poll *poll, sembed_error *error)
{
    struct unigram *model = builder->model;
    if (unknown_id != UNIGRAM_NO_UNKNOWN && unknown_id >= model->count)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: unk_id: expected an id below the vocabulary's size %zu, found %zu",
                         model->name, model->count, unknown_id);
    model->unknown_id = unknown_id == UNIGRAM_NO_UNKNOWN ? TRIE_NONE : (uint32_t)unknown_id;
    model->unknown_score = builder->lowest - UNKNOWN_PENALTY;
    model->byte_fallback = byte_fallback;
    sembed_status status = build_trie(model, builder->vocabulary, poll, error);
    if (status == SEMBED_OK)
        find_byte_pieces(model);
    return status;
}

sembed_status unigram_create_from_pieces(const char *name, const struct unigram_piece *pieces,
                                         size_t count, size_t unknown_id, bool byte_fallback,
                                         struct vocabulary *vocabulary, const sembed_poll *poll,
                                         struct unigram **model, sembed_error *error)
{
    *model = NULL;
    struct builder builder;
    sembed_status status = begin_model(&builder, name, vocabulary, error);
    for (size_t i = 0; status == SEMBED_OK && i < count; i++)
        status =
            poll_wants_stop_every(poll, i, POLL_PIECES)
                ? error_canceled(error)
                : add_piece(&builder, pieces[i].text, pieces[i].length, pieces[i].score, error);
    if (status == SEMBED_OK)
        status = finish_model(&builder, unknown_id, byte_fallback, poll, error);
    if (status == SEMBED_OK)
        *model = builder.model;
    else
        unigram_destroy(builder.model);
    return status;
}

static bool read_score(struct json_reader *reader, const struct builder *builder, double *score)
{
    return builder->nearest_scores ? json_reader_number(reader, score)
                                   : json_reader_number_as_serde(reader, score);
}

/* [piece, score] */
static sembed_status read_piece(struct json_reader *reader, const struct json_file *file,
                                struct json_string *piece, struct builder *builder,
                                sembed_error *error)
{
    double score;
    if (!json_reader_take(reader, '[') || !json_reader_string(reader, piece) ||
        !json_reader_take(reader, ',') || !read_score(reader, builder, &score) ||
        !json_reader_take(reader, ']')) {
        char expected[64];
        snprintf(expected, sizeof expected, "[piece, score] at place %zu", builder->model->count);
        return json_reader_expected(reader, file, "vocab", expected, error);
    }
    return add_piece(builder, piece->data, piece->length, score, error);
}

/* [[piece, score], …] */
static sembed_status read_pieces(const struct json_file *file, const struct json_text *text,
                                 struct builder *builder, const sembed_poll *poll,
                                 sembed_error *error)
{
    struct json_reader reader = {.at = text->data, .end = text->data + text->size};
    struct json_string piece = {0};
    sembed_status status = SEMBED_OK;
    if (!json_reader_take(&reader, '['))
        return json_reader_expected(&reader, file, "vocab", "an array", error);
    if (!json_reader_sees(&reader, ']')) {
        do {
            status = read_piece(&reader, file, &piece, builder, error);
            if (status == SEMBED_OK && builder->model->count % POLL_PIECES == 0 &&
                poll_wants_stop(poll))
                status = error_canceled(error);
        } while (status == SEMBED_OK && json_reader_take(&reader, ','));
    }
    if (status == SEMBED_OK && (!json_reader_take(&reader, ']') || !json_reader_at_end(&reader)))
        status = json_reader_expected(&reader, file, "vocab", "the end of the array", error);
    memory_free(piece.buffer);
    return status;
}

sembed_status unigram_create(const struct json_file *file, const json_t *object,
                             struct vocabulary *vocabulary, const sembed_poll *poll,
                             struct unigram **model, sembed_error *error)
{
    *model = NULL;
    struct builder builder = {0};
    struct json_text text = {0};
    size_t unknown_id;
    bool byte_fallback, nearest_scores;
    sembed_status status =
        json_get_size_or(file, object, "unk_id", UNIGRAM_NO_UNKNOWN, &unknown_id, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, object, "byte_fallback", false, &byte_fallback, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, object, "nearest_scores", false, &nearest_scores, error);
    if (status == SEMBED_OK)
        status = json_text_of(file, object, "vocab", &text, error);
    if (status == SEMBED_OK)
        status = begin_model(&builder, file->path, vocabulary, error);
    builder.nearest_scores = status == SEMBED_OK && nearest_scores;
    if (status == SEMBED_OK)
        status = read_pieces(file, &text, &builder, poll, error);
    if (status == SEMBED_OK)
        status = finish_model(&builder, unknown_id, byte_fallback, poll, error);
    json_text_free(&text);
    if (status == SEMBED_OK)
        *model = builder.model;
    else
        unigram_destroy(builder.model);
    return status;
}

/* --- splitting ------------------------------------------------------------------------------ */

/* Bytes of a character by its first byte, never more than are left. */
static inline size_t character_length(unsigned char first, size_t left)
{
    size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    return length < left ? length : left;
}

static inline void offer(struct unigram_node *node, double score, size_t start, uint32_t id)
{
    if (node->start == NO_START || score > node->score)
        *node = (struct unigram_node){.score = score, .start = (uint32_t)start, .id = id};
}

/* Every piece that begins at `start` makes its offer; then, if no piece is just the character that
 * stands there, the unknown token does. *walked: the bytes that were looked at. */
static sembed_status offer_from(const struct unigram *model, struct unigram_node *nodes,
                                const unsigned char *word, size_t start, size_t length,
                                size_t character, size_t *walked, sembed_error *error)
{
    const double reached = nodes[start].score;
    const struct trie_unit *unit = trie_root(&model->trie);
    bool has_character = false;
    size_t i = start;
    for (; i < length; i++) {
        unit = trie_child(&model->trie, unit, word[i]);
        if (!unit)
            break;
        if (unit->value != TRIE_NONE) {
            offer(&nodes[i + 1], model->scores[unit->value] + reached, start, unit->value);
            has_character = has_character || i + 1 == start + character;
        }
    }
    *walked = i - start;
    if (has_character)
        return SEMBED_OK;
    struct unigram_node *node = &nodes[start + character];
    double score = model->unknown_score + reached;
    if (model->unknown_id == TRIE_NONE && (node->start == NO_START || score > node->score))
        return error_set(error, SEMBED_MALFORMED,
                         "%s: the text holds an unknown character and the model has no unk_id",
                         model->name);
    offer(node, score, start, model->unknown_id);
    return SEMBED_OK;
}

/* A run of unknown characters: a piece after all, or its bytes, or the unknown token. */
static sembed_status append_unknown(const struct unigram *model, const unsigned char *word,
                                    size_t start, size_t stop, struct pieces *pieces,
                                    sembed_error *error)
{
    uint32_t id = trie_find(&model->trie, (const char *)word + start, stop - start);
    bool as_bytes = model->byte_fallback && id == TRIE_NONE;
    for (size_t i = start; as_bytes && i < stop; i++)
        as_bytes = model->byte_ids[word[i]] != TRIE_NONE;
    if (!as_bytes)
        return pieces_append(pieces, id == TRIE_NONE ? model->unknown_id : id, start, stop, error);
    sembed_status status = SEMBED_OK;
    for (size_t i = start; status == SEMBED_OK && i < stop; i++)
        status = pieces_append(pieces, model->byte_ids[word[i]], start, stop, error);
    return status;
}

/*
 * Follows the best path back from the end, then writes its pieces in order. The path is turned
 * round in the nodes themselves: `start` of the node at a piece's beginning becomes its end.
 */
static sembed_status append_path(const struct unigram *model, struct unigram_node *nodes,
                                 const unsigned char *word, size_t length, const sembed_poll *poll,
                                 struct pieces *pieces, sembed_error *error)
{
    uint32_t stop = (uint32_t)length, id = nodes[length].id, start = nodes[length].start;
    for (size_t step = 0;; step++) {
        if (poll_wants_stop_at(poll, step))
            return error_canceled(error);
        struct unigram_node *node = &nodes[start];
        uint32_t before = node->start, id_before = node->id;
        node->start = stop;
        node->id = id;
        if (start == 0)
            break;
        stop = start;
        start = before;
        id = id_before;
    }
    sembed_status status = SEMBED_OK;
    for (size_t i = 0, step = 0; status == SEMBED_OK && i < length; step++) {
        if (poll_wants_stop_at(poll, step))
            return error_canceled(error);
        size_t run_stop = nodes[i].start;
        if (model->unknown_id == TRIE_NONE || nodes[i].id != model->unknown_id) {
            status = pieces_append(pieces, nodes[i].id, i, run_stop, error);
        } else {
            for (; run_stop < length && nodes[run_stop].id == model->unknown_id; step++) {
                if (poll_wants_stop_at(poll, step))
                    return error_canceled(error);
                run_stop = nodes[run_stop].start;
            }
            status = append_unknown(model, word, i, run_stop, pieces, error);
        }
        i = run_stop;
    }
    return status;
}

sembed_status unigram_split(const struct unigram *model, struct unigram_scratch *scratch,
                            const char *word, size_t length, const sembed_poll *poll,
                            struct pieces *pieces, sembed_error *error)
{
    if (length == 0)
        return SEMBED_OK;
    if (length >= NO_START)
        return error_set(error, SEMBED_LIMIT, "a word of %zu bytes is too long", length);
    if (!memory_grow((void **)&scratch->nodes, &scratch->capacity, length + 1,
                     sizeof *scratch->nodes))
        return error_no_memory(error, "the Unigram lattice");
    struct unigram_node *nodes = scratch->nodes;
    const unsigned char *bytes = (const unsigned char *)word;
    for (size_t i = 1; i <= length; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        nodes[i].start = NO_START;
    }
    nodes[0] = (struct unigram_node){.score = 0};

    size_t work = scratch->work;
    for (size_t start = 0, walked; start < length;) {
        size_t character = character_length(bytes[start], length - start);
        sembed_status status =
            offer_from(model, nodes, bytes, start, length, character, &walked, error);
        if (status != SEMBED_OK)
            return status;
        start += character;
        if (poll_wants_stop_after(poll, 1 + walked, &work))
            return error_canceled(error);
    }
    scratch->work = work;
    return append_path(model, nodes, bytes, length, poll, pieces, error);
}
