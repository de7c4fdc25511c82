#include "core/base/json_stream.h"

#include "core/base/file.h"
#include "core/base/memory.h"

#include <math.h>
#include <string.h>

#define MOST_SHOWN 40 /* bytes of a text in a message */

/* --- reading ------------------------------------------------------------------------------------ */

static void skip_space(struct json_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\r' || *reader->at == '\t'))
        reader->at++;
}

bool json_reader_sees(struct json_reader *reader, char character)
{
    skip_space(reader);
    return reader->at < reader->end && *reader->at == character;
}

bool json_reader_take(struct json_reader *reader, char character)
{
    if (!json_reader_sees(reader, character))
        return false;
    reader->at++;
    return true;
}

bool json_reader_at_end(struct json_reader *reader)
{
    skip_space(reader);
    return reader->at == reader->end;
}

/* The value of four hexadecimal digits; -1 where there are none. */
static int32_t read_hexadecimal(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char digit = at[i];
        int32_t number = digit >= '0' && digit <= '9'   ? digit - '0'
                         : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                         : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                                        : -1;
        if (number < 0)
            return -1;
        value = value << 4 | number;
    }
    return value;
}

static size_t encode(uint32_t character, char *text)
{
    if (character < 0x80) {
        text[0] = (char)character;
        return 1;
    }
    size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; character >>= 6)
        text[i] = (char)(0x80 | (character & 0x3F));
    text[0] = (char)((0xF00 >> size & 0xFF) | character);
    return size;
}

/* The escape at `at`, which stands behind its backslash; *size: bytes written to text. NULL where it
 * is none, else the place behind it. */
static const char *read_escape(const char *at, const char *end, char *text, size_t *size)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (at == end)
        return NULL;
    const char *letter = *at ? strchr(letters, *at) : NULL;
    if (letter) {
        *text = meanings[letter - letters];
        *size = 1;
        return at + 1;
    }
    int32_t character = *at == 'u' ? read_hexadecimal(at + 1, end) : -1;
    if (character < 0)
        return NULL;
    at += 5;
    if (character >= 0xD800 && character < 0xE000) {
        /* Two surrogates, the high one first, or it is no character. */
        int32_t low =
            end - at >= 2 && at[0] == '\\' && at[1] == 'u' ? read_hexadecimal(at + 2, end) : -1;
        if (character >= 0xDC00 || low < 0xDC00 || low >= 0xE000)
            return NULL;
        character = 0x10000 + ((character - 0xD800) << 10) + (low - 0xDC00);
        at += 6;
    }
    *size = encode((uint32_t)character, text);
    return at;
}

/* Bytes of the well-formed UTF-8 character at `at`, 0 where there is none (RFC 3629). */
static size_t character_size(const unsigned char *at, size_t left)
{
    size_t size = at[0] < 0x80   ? 1
                  : at[0] < 0xC2 ? 0
                  : at[0] < 0xE0 ? 2
                  : at[0] < 0xF0 ? 3
                  : at[0] < 0xF5 ? 4
                                 : 0;
    if (size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] >= 0xA0) ||
        (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] >= 0x90))
        return 0;
    return size;
}

/* The place of the quote that ends the string at `at`; NULL where a character in it is not allowed.
 * *escaped: whether there are backslashes. */
static const char *find_quote(const char *at, const char *end, bool *escaped)
{
    *escaped = false;
    while (at < end) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"')
            return at;
        if (byte < 0x20)
            return NULL;
        if (byte == '\\') {
            *escaped = true;
            at += 2;
            continue;
        }
        size_t size =
            byte < 0x80 ? 1 : character_size((const unsigned char *)at, (size_t)(end - at));
        if (size == 0)
            return NULL;
        at += size;
    }
    return NULL;
}

bool json_reader_string(struct json_reader *reader, struct json_string *string)
{
    if (!json_reader_sees(reader, '"'))
        return false;
    const char *at = reader->at + 1;
    bool escaped;
    const char *quote = find_quote(at, reader->end, &escaped);
    if (!quote)
        return false;
    string->data = at;
    string->length = (size_t)(quote - at);
    if (escaped) {
        /* No escape is shorter than what it stands for. */
        if (!memory_grow((void **)&string->buffer, &string->capacity, string->length, 1))
            return false;
        size_t length = 0, size;
        while (at < quote) {
            if (*at != '\\') {
                string->buffer[length++] = *at++;
                continue;
            }
            at = read_escape(at + 1, quote, string->buffer + length, &size);
            if (!at)
                return false;
            length += size;
        }
        string->data = string->buffer;
        string->length = length;
    }
    reader->at = quote + 1;
    return true;
}

bool json_reader_u32(struct json_reader *reader, uint32_t *number)
{
    skip_space(reader);
    const char *at = reader->at;
    uint64_t value = 0;
    while (at < reader->end && *at >= '0' && *at <= '9' && value <= UINT32_MAX)
        value = value * 10 + (uint64_t)(*at++ - '0');
    size_t digits = (size_t)(at - reader->at);
    bool goes_on =
        at < reader->end && (*at == '.' || *at == 'e' || *at == 'E' || (*at >= '0' && *at <= '9'));
    if (digits == 0 || value > UINT32_MAX || goes_on || (digits > 1 && *reader->at == '0'))
        return false;
    *number = (uint32_t)value;
    reader->at = at;
    return true;
}

/*
 * significand / 10^places rounded to the nearest double, ties to even, for places up to 19: long
 * division with a quotient of 64 bits or more. What is left over matters only where the quotient
 * lies exactly half way.
 */
static double divide_by_power(uint64_t significand, unsigned places)
{
    if (significand == 0)
        return 0;
    uint64_t divisor = 1;
    for (unsigned i = 0; i < places; i++)
        divisor *= 10;
    int shift = __builtin_clzll(significand);
    unsigned __int128 dividend = (unsigned __int128)(significand << shift) << 64;
    unsigned __int128 quotient = dividend / divisor;
    bool exact = dividend % divisor == 0;
    uint64_t high = (uint64_t)(quotient >> 64);
    int bits = high ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)quotient);
    int dropped = bits - 53;
    uint64_t kept = (uint64_t)(quotient >> dropped);
    unsigned __int128 rest = quotient & (((unsigned __int128)1 << dropped) - 1);
    unsigned __int128 half = (unsigned __int128)1 << (dropped - 1);
    if (rest > half || (rest == half && (!exact || (kept & 1))))
        kept++;
    return ldexp((double)kept, dropped - 64 - shift);
}

/* Any number, by jansson. */
static bool read_number_slowly(const char *data, size_t size, double *number)
{
    json_t *value = json_loadb(data, size, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    bool good = json_is_number(value);
    if (good)
        *number = json_number_value(value);
    json_decref(value);
    return good;
}

bool json_reader_number(struct json_reader *reader, double *number)
{
    skip_space(reader);
    const char *at = reader->at, *end = reader->end;
    bool negative = at < end && *at == '-';
    const char *first = at += negative;
    uint64_t significand = 0;
    unsigned digits = 0, places = 0;
    for (bool fraction = false; at < end; at++) {
        if (*at == '.' && !fraction && at > first) {
            fraction = true;
            continue;
        }
        if (*at < '0' || *at > '9')
            break;
        significand = significand * 10 + (uint64_t)(*at - '0'); /* overflows with 20 digits */
        digits++;
        places += fraction;
    }
    bool common =
        digits > 0 && digits <= 19 && at[-1] != '.' &&
        !(digits > 1 && first[0] == '0' && first[1] != '.') &&
        !(at < end && (*at == 'e' || *at == 'E' || *at == '+' || *at == '-' || *at == '.'));
    if (common) {
        double value = divide_by_power(significand, places);
        *number = negative ? -value : value;
        reader->at = at;
        return true;
    }
    while (at < end && (strchr("+-.eE", *at) || (*at >= '0' && *at <= '9')) && *at)
        at++;
    if (!read_number_slowly(reader->at, (size_t)(at - reader->at), number))
        return false;
    reader->at = at;
    return true;
}

sembed_status json_reader_expected(const struct json_reader *reader, const struct json_file *file,
                                   const char *key, const char *expected, sembed_error *error)
{
    size_t shown = (size_t)(reader->end - reader->at);
    if (shown > MOST_SHOWN) {
        shown = MOST_SHOWN;
        while (shown && ((unsigned char)reader->at[shown] & 0xC0) == 0x80)
            shown--; /* not inside a character */
    }
    return error_set(error, SEMBED_MALFORMED, "%s: key '%s': expected %s, found '%.*s'", file->path,
                     key, expected, (int)shown, reader->at);
}

/* --- leaving out -------------------------------------------------------------------------------- */

struct left_out_value {
    const char *key;
    const char *data, *end;
    const json_t *stand_in; /* what is in the tree instead */
};

struct json_left_out {
    struct file_map map; /* the values point into it */
    char *outer;
    struct left_out_value values[JSON_MOST_LEFT_OUT];
    size_t count;
};

void json_left_out_free(struct json_left_out *left_out)
{
    if (!left_out)
        return;
    file_unmap(&left_out->map);
    memory_free(left_out->outer);
    memory_free(left_out);
}

/* The place behind the string at `at`. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end; at++) {
        if (*at == '\\')
            at++;
        else if (*at == '"')
            return at + 1;
    }
    return end;
}

/* Moves over any value; only strings and the depth of brackets are looked at. False where the text
 * ends before the value does. */
static bool skip_value(struct json_reader *reader)
{
    skip_space(reader);
    const char *at = reader->at, *end = reader->end;
    size_t depth = 0;
    while (at < end) {
        char character = *at;
        if (character == '"') {
            at = skip_string(at, end);
        } else if (character == '[' || character == '{') {
            depth++;
            at++;
        } else if (character == ']' || character == '}') {
            if (depth == 0)
                break; /* of what is around the value */
            depth--;
            at++;
        } else if (depth == 0 && character == ',') {
            break;
        } else {
            at++;
            if (depth)
                continue;
            /* A number or a word ends where something else begins. */
            if (at < end && !strchr(" \n\r\t,]}", *at))
                continue;
        }
        if (depth == 0)
            break;
    }
    bool moved = at > reader->at && depth == 0;
    reader->at = at;
    return moved;
}

/* Whether the key that is next is spelled so, without escapes. Moves behind the colon. */
static bool take_key(struct json_reader *reader, const char **key, size_t *length)
{
    if (!json_reader_sees(reader, '"'))
        return false;
    *key = reader->at + 1;
    reader->at = skip_string(reader->at, reader->end);
    *length = (size_t)(reader->at - *key);
    if (*length)
        --*length; /* the quote */
    return json_reader_take(reader, ':');
}

static bool is_spelled(const char *key, size_t length, const char *wanted)
{
    return length == strlen(wanted) && memcmp(key, wanted, length) == 0;
}

/* Notes where the members to be left out stand in the object that is next. */
static bool find_inner(struct json_reader *reader, struct json_left_out *left_out)
{
    if (!json_reader_take(reader, '{'))
        return false;
    do {
        const char *key;
        size_t length;
        if (json_reader_sees(reader, '}') || !take_key(reader, &key, &length))
            break;
        skip_space(reader);
        const char *start = reader->at;
        if (!skip_value(reader))
            return false;
        for (size_t i = 0; i < left_out->count; i++) {
            if (!is_spelled(key, length, left_out->values[i].key))
                continue;
            if (left_out->values[i].data)
                return false; /* twice: leave that to the tree */
            left_out->values[i].data = start;
            left_out->values[i].end = reader->at;
        }
    } while (json_reader_take(reader, ','));
    return json_reader_take(reader, '}');
}

/* Finds the outer object and in it the values; false where there is none or the text is not as it
 * should be. */
static bool find_values(struct json_left_out *left_out)
{
    struct json_reader reader = {(const char *)left_out->map.data,
                                 (const char *)left_out->map.data + left_out->map.size};
    if (!json_reader_take(&reader, '{'))
        return false;
    bool found = false;
    do {
        const char *key;
        size_t length;
        if (!take_key(&reader, &key, &length))
            return false;
        if (is_spelled(key, length, left_out->outer)) {
            if (found || !find_inner(&reader, left_out))
                return false;
            found = true;
        } else if (!skip_value(&reader)) {
            return false;
        }
    } while (json_reader_take(&reader, ','));
    return found;
}

/* The file's text with "[]" or "{}" for what is left out. */
static char *cut_text(const struct json_left_out *left_out, size_t *size)
{
    const char *at = (const char *)left_out->map.data, *end = at + left_out->map.size;
    char *text = memory_alloc(left_out->map.size); /* what is put in is no longer than what goes */
    *size = 0;
    while (text && at < end) {
        const struct left_out_value *next = NULL;
        for (size_t i = 0; i < left_out->count; i++) {
            const struct left_out_value *value = &left_out->values[i];
            if (value->data >= at && (!next || value->data < next->data))
                next = value;
        }
        const char *stop = next ? next->data : end;
        memcpy(text + *size, at, (size_t)(stop - at));
        *size += (size_t)(stop - at);
        if (!next)
            break;
        memcpy(text + *size, *next->data == '[' ? "[]" : "{}", 2);
        *size += 2;
        at = next->end;
    }
    return text;
}

/* Only arrays and objects are left out; anything else is small, and wrong in a way that the tree
 * shows better. */
static void keep_bulk_only(struct json_left_out *left_out)
{
    size_t count = 0;
    for (size_t i = 0; i < left_out->count; i++) {
        const struct left_out_value *value = &left_out->values[i];
        if (value->data && (*value->data == '[' || *value->data == '{'))
            left_out->values[count++] = *value;
    }
    left_out->count = count;
}

sembed_status json_file_open_partly(const char *path, const char *outer, const char *const *inner,
                                    size_t count, struct json_file *file, sembed_error *error)
{
    *file = (struct json_file){0};
    char *text = NULL;
    size_t size;
    struct json_left_out *left_out = memory_calloc(1, sizeof *left_out);
    if (!left_out)
        return error_no_memory(error, path);
    left_out->count = count;
    for (size_t i = 0; i < count; i++)
        left_out->values[i].key = inner[i];
    sembed_status status = file_map_open(path, &left_out->map, error);
    if (status != SEMBED_OK)
        goto cleanup;
    left_out->outer = memory_copy_string(outer);
    if (!left_out->outer) {
        status = error_no_memory(error, path);
        goto cleanup;
    }
    if (!find_values(left_out))
        left_out->count = 0; /* the tree has it all, or the message that says what is wrong */
    keep_bulk_only(left_out);
    text = cut_text(left_out, &size);
    status = text ? json_memory_open(path, text, size, file, error) : error_no_memory(error, path);
    if (status != SEMBED_OK)
        goto cleanup;
    for (size_t i = 0; i < left_out->count; i++)
        left_out->values[i].stand_in =
            json_object_get(json_object_get(file->root, outer), left_out->values[i].key);
    file->left_out = left_out;
    left_out = NULL;

cleanup:
    memory_free(text);
    json_left_out_free(left_out);
    return status;
}

sembed_status json_text_of(const struct json_file *file, const json_t *object, const char *key,
                           struct json_text *text, sembed_error *error)
{
    *text = (struct json_text){0};
    const json_t *value = json_object_get(object, key);
    if (!value)
        return SEMBED_OK;
    for (size_t i = 0; file->left_out && i < file->left_out->count; i++) {
        const struct left_out_value *left_out = &file->left_out->values[i];
        if (left_out->stand_in == value) {
            text->data = left_out->data;
            text->size = (size_t)(left_out->end - left_out->data);
            return SEMBED_OK;
        }
    }
    size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    text->size = json_dumpb(value, NULL, 0, flags);
    text->data = text->owned = memory_alloc(text->size);
    if (!text->owned || json_dumpb(value, text->owned, text->size, flags) != text->size) {
        json_text_free(text);
        return error_no_memory(error, file->path);
    }
    return SEMBED_OK;
}

void json_text_free(struct json_text *text)
{
    memory_free(text->owned);
    *text = (struct json_text){0};
}
