#include "core/text/sentencepiece.h"

#include "core/base/memory.h"
#include "core/text/unicode.h"

#include <string.h>

#define POLL_INTERVAL 16384 /* pieces */

/*
 * Protobuf's wire format (protobuf.dev/programming-guides/encoding): a message is a run of fields,
 * each a varint key (field number << 3 | wire type) and a value: a varint, 4 or 8 bytes, or a length
 * and that many bytes, which are a string or a message again.
 */
enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* What is left to read of a message. */
struct message {
    const unsigned char *at, *end;
};

struct field {
    uint64_t number;
    enum wire_type type;
    uint64_t value;       /* of a varint or a fixed one */
    struct message bytes; /* of WIRE_BYTES */
};

static bool read_varint(struct message *message, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && message->at < message->end; shift += 7) {
        unsigned char byte = *message->at++;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

static bool read_fixed(struct message *message, size_t size, uint64_t *value)
{
    if ((size_t)(message->end - message->at) < size)
        return false;
    *value = 0;
    for (size_t i = 0; i < size; i++)
        *value |= (uint64_t)*message->at++ << 8 * i;
    return true;
}

/* The next field of a message that is not at its end; false where there is none. */
static bool read_field(struct message *message, struct field *field)
{
    uint64_t key;
    if (!read_varint(message, &key))
        return false;
    field->number = key >> 3;
    field->type = key & 7;
    switch (field->type) {
    case WIRE_VARINT:
        return read_varint(message, &field->value);
    case WIRE_FIXED64:
        return read_fixed(message, 8, &field->value);
    case WIRE_FIXED32:
        return read_fixed(message, 4, &field->value);
    case WIRE_BYTES:
        if (!read_varint(message, &field->value) ||
            field->value > (size_t)(message->end - message->at))
            return false;
        field->bytes.at = message->at;
        message->at += field->value;
        field->bytes.end = message->at;
        return true;
    }
    return false; /* the old groups, which no such file has */
}

static bool is_field(const struct field *field, uint64_t number, enum wire_type type)
{
    return field->number == number && field->type == type;
}

/* --- ModelProto ----------------------------------------------------------------------------- */

/* Field numbers of sentencepiece_model.proto. */
enum { MODEL_PIECES = 1, MODEL_TRAINER = 2, MODEL_NORMALIZER = 3 };
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum {
    TRAINER_ALGORITHM = 3,
    TRAINER_BYTE_FALLBACK = 35,
    TRAINER_UNKNOWN_ID = 40,
    TRAINER_BEGIN_ID = 41,
    TRAINER_END_ID = 42,
    TRAINER_PADDING_ID = 43
};
enum {
    NORMALIZER_CHARSMAP = 2,
    NORMALIZER_ADD_DUMMY_PREFIX = 3,
    NORMALIZER_REMOVE_EXTRA_WHITESPACES = 4,
    NORMALIZER_ESCAPE_WHITESPACES = 5
};

static bool read_piece(struct message message, struct unigram_piece *piece, uint8_t *type)
{
    *piece = (struct unigram_piece){.text = ""};
    *type = SENTENCEPIECE_NORMAL;
    struct field field;
    while (message.at < message.end) {
        if (!read_field(&message, &field))
            return false;
        if (is_field(&field, PIECE_TEXT, WIRE_BYTES)) {
            piece->text = (const char *)field.bytes.at;
            piece->length = (size_t)(field.bytes.end - field.bytes.at);
        } else if (is_field(&field, PIECE_SCORE, WIRE_FIXED32)) {
            uint32_t bits = (uint32_t)field.value;
            float score;
            memcpy(&score, &bits, sizeof score);
            piece->score = score;
        } else if (is_field(&field, PIECE_TYPE, WIRE_VARINT)) {
            *type = field.value <= SENTENCEPIECE_BYTE ? (uint8_t)field.value : 0;
        }
    }
    return piece->score == piece->score && /* not NaN */
           unicode_valid_prefix(piece->text, piece->length) == piece->length;
}

static bool read_trainer(struct message message, struct sentencepiece *model)
{
    struct field field;
    while (message.at < message.end) {
        if (!read_field(&message, &field))
            return false;
        if (field.type != WIRE_VARINT)
            continue;
        int32_t number = (int32_t)(uint32_t)field.value;
        switch (field.number) {
        case TRAINER_ALGORITHM:
            model->algorithm = (enum sentencepiece_algorithm)number;
            break;
        case TRAINER_BYTE_FALLBACK:
            model->byte_fallback = field.value != 0;
            break;
        case TRAINER_UNKNOWN_ID:
            model->unknown_id = number;
            break;
        case TRAINER_BEGIN_ID:
            model->begin_id = number;
            break;
        case TRAINER_END_ID:
            model->end_id = number;
            break;
        case TRAINER_PADDING_ID:
            model->padding_id = number;
            break;
        }
    }
    return true;
}

static bool read_normalizer(struct message message, struct sentencepiece *model)
{
    struct field field;
    while (message.at < message.end) {
        if (!read_field(&message, &field))
            return false;
        if (is_field(&field, NORMALIZER_CHARSMAP, WIRE_BYTES)) {
            model->charsmap_size = (size_t)(field.bytes.end - field.bytes.at);
            model->charsmap = model->charsmap_size ? field.bytes.at : NULL;
        } else if (is_field(&field, NORMALIZER_ADD_DUMMY_PREFIX, WIRE_VARINT)) {
            model->add_dummy_prefix = field.value != 0;
        } else if (is_field(&field, NORMALIZER_REMOVE_EXTRA_WHITESPACES, WIRE_VARINT)) {
            model->remove_extra_whitespaces = field.value != 0;
        } else if (is_field(&field, NORMALIZER_ESCAPE_WHITESPACES, WIRE_VARINT)) {
            model->escape_whitespaces = field.value != 0;
        }
    }
    return true;
}

/* Counts the pieces and reads all else; false where the message is broken. */
static bool read_specs(struct sentencepiece *model)
{
    struct message message = {model->map.data, model->map.data + model->map.size};
    struct field field;
    while (message.at < message.end) {
        if (!read_field(&message, &field))
            return false;
        if (is_field(&field, MODEL_PIECES, WIRE_BYTES))
            model->count++;
        else if (is_field(&field, MODEL_TRAINER, WIRE_BYTES) && !read_trainer(field.bytes, model))
            return false;
        else if (is_field(&field, MODEL_NORMALIZER, WIRE_BYTES) &&
                 !read_normalizer(field.bytes, model))
            return false;
    }
    return true;
}

/* Fills pieces and types. */
static sembed_status read_pieces(struct sentencepiece *model, const sembed_poll *poll,
                                 sembed_error *error)
{
    struct message message = {model->map.data, model->map.data + model->map.size};
    struct field field;
    size_t i = 0;
    while (i < model->count && read_field(&message, &field)) {
        if (!is_field(&field, MODEL_PIECES, WIRE_BYTES))
            continue;
        if (!read_piece(field.bytes, &model->pieces[i], &model->types[i]))
            return error_set(error, SEMBED_MALFORMED,
                             "%s: piece %zu: expected a text in UTF-8, a score and a type",
                             model->path, i);
        if (poll_wants_stop_every(poll, i++, POLL_INTERVAL))
            return error_canceled(error);
    }
    return SEMBED_OK;
}

sembed_status sentencepiece_open(const char *path, const sembed_poll *poll,
                                 struct sentencepiece *model, sembed_error *error)
{
    *model = (struct sentencepiece){.algorithm = SENTENCEPIECE_UNIGRAM,
                                    .begin_id = 1,
                                    .end_id = 2,
                                    .padding_id = -1,
                                    .add_dummy_prefix = true,
                                    .remove_extra_whitespaces = true,
                                    .escape_whitespaces = true};
    sembed_status status = file_read(path, poll, &model->map, error);
    if (status != SEMBED_OK)
        return status;
    if (!read_specs(model) || model->count == 0)
        return error_set(error, SEMBED_MALFORMED, "%s: not a SentencePiece model", path);
    model->path = memory_copy_string(path);
    model->pieces = memory_calloc(model->count, sizeof *model->pieces);
    model->types = memory_calloc(model->count, sizeof *model->types);
    if (!model->path || !model->pieces || !model->types)
        return error_no_memory(error, "a SentencePiece model");
    return read_pieces(model, poll, error);
}

void sentencepiece_close(struct sentencepiece *model)
{
    file_unmap(&model->map);
    memory_free(model->path);
    memory_free(model->pieces);
    memory_free(model->types);
    *model = (struct sentencepiece){0};
}

/* --- conversion ----------------------------------------------------------------------------- */

/* A piece that a family puts before the file's own. */
struct leading_piece {
    const char *text;
    double score;
};

/* How a family lays out its vocabulary and which tokens it cuts out of the text. */
struct family {
    const struct leading_piece *leading;
    size_t leading_count;
    size_t skipped; /* of the file's pieces */
    bool mask_lstrip;
};

#define UNKNOWN_ID 3 /* in both families */

static const struct leading_piece xlm_roberta_pieces[] = {
    {"<s>", 0}, {"<pad>", 0}, {"</s>", 0}, {"<unk>", 0}};
static const struct leading_piece camembert_pieces[] = {
    {"<s>NOTUSED", 0}, {"<pad>", 0}, {"</s>NOTUSED", 0}, {"<unk>", 0}, {"<unk>NOTUSED", -100}};

static const struct family families[] = {
    [SENTENCEPIECE_XLM_ROBERTA] = {xlm_roberta_pieces, 4, 3, false},
    [SENTENCEPIECE_CAMEMBERT] = {camembert_pieces, 5, 1, true},
};

/* In the order in which transformers adds them: those that are no piece get the next ids. */
static const char *const named_tokens[] = {"<s>", "</s>", "<unk>", "<pad>", "<mask>"};
#define NAMED_TOKENS (sizeof named_tokens / sizeof named_tokens[0])

static struct unigram_piece piece_of(const char *text, double score)
{
    return (struct unigram_piece){.text = text, .length = strlen(text), .score = score};
}

static bool same_text(const char *a, size_t a_length, const char *b, size_t b_length)
{
    return a_length == b_length && memcmp(a, b, a_length) == 0;
}

/* The id of a text among the pieces, the last of equals; the number of pieces if it is none. */
static size_t find_piece(const struct sentencepiece_conversion *conversion, const char *text,
                         size_t length)
{
    for (size_t i = conversion->count; i-- > 0;)
        if (same_text(conversion->pieces[i].text, conversion->pieces[i].length, text, length))
            return i;
    return conversion->count;
}

static bool is_named(const char *text, size_t length)
{
    for (size_t i = 0; i < NAMED_TOKENS; i++)
        if (same_text(named_tokens[i], strlen(named_tokens[i]), text, length))
            return true;
    return false;
}

static void convert_pieces(const struct sentencepiece *model, const struct family *family,
                           struct sentencepiece_conversion *conversion)
{
    struct unigram_piece *pieces = conversion->pieces;
    size_t count = 0;
    for (size_t i = 0; i < family->leading_count; i++)
        pieces[count++] = piece_of(family->leading[i].text, family->leading[i].score);
    for (size_t i = family->skipped; i < model->count; i++)
        pieces[count++] = model->pieces[i];
    pieces[count++] = piece_of("<mask>", 0);
    conversion->count = count;
}

static bool is_added(uint8_t type)
{
    return type == SENTENCEPIECE_CONTROL || type == SENTENCEPIECE_USER_DEFINED;
}

/* There is room. A token that is no piece gets the next id behind them. */
static void convert_added(const struct sentencepiece *model, const struct family *family,
                          struct sentencepiece_conversion *conversion)
{
    struct sentencepiece_added_token *added = conversion->added;
    size_t next_id = conversion->count, count = 0;
    for (size_t i = 0; i < NAMED_TOKENS; i++) {
        const char *text = named_tokens[i];
        size_t length = strlen(text), id = find_piece(conversion, text, length);
        bool lstrip = family->mask_lstrip && strcmp(text, "<mask>") == 0;
        if (id == conversion->count)
            id = next_id++;
        added[count++] =
            (struct sentencepiece_added_token){text, length, (uint32_t)id, true, lstrip};
    }
    for (size_t i = 0; i < model->count; i++) {
        const struct unigram_piece *piece = &model->pieces[i];
        if (!is_added(model->types[i]) || is_named(piece->text, piece->length))
            continue;
        size_t id = i < family->skipped ? next_id++ : i - family->skipped + family->leading_count;
        added[count++] =
            (struct sentencepiece_added_token){piece->text, piece->length, (uint32_t)id,
                                               model->types[i] == SENTENCEPIECE_CONTROL, false};
    }
    conversion->added_count = count;
}

sembed_status sentencepiece_convert(const struct sentencepiece *model,
                                    enum sentencepiece_family family,
                                    struct sentencepiece_conversion *conversion,
                                    sembed_error *error)
{
    *conversion = (struct sentencepiece_conversion){.unknown_id = UNKNOWN_ID};
    if (model->algorithm != SENTENCEPIECE_UNIGRAM)
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: trainer_spec.model_type: expected 1 (Unigram), found %d", model->path,
                         (int)model->algorithm);
    size_t added = NAMED_TOKENS;
    for (size_t i = 0; i < model->count; i++)
        added += is_added(model->types[i]);
    conversion->pieces = memory_calloc(model->count + families[family].leading_count + 1,
                                       sizeof *conversion->pieces);
    conversion->added = memory_calloc(added, sizeof *conversion->added);
    if (!conversion->pieces || !conversion->added) {
        sentencepiece_conversion_free(conversion);
        return error_no_memory(error, "a SentencePiece model");
    }
    convert_pieces(model, &families[family], conversion);
    convert_added(model, &families[family], conversion);
    return SEMBED_OK;
}

void sentencepiece_conversion_free(struct sentencepiece_conversion *conversion)
{
    memory_free(conversion->pieces);
    memory_free(conversion->added);
    *conversion = (struct sentencepiece_conversion){0};
}
