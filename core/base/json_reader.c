#define _GNU_SOURCE /* strtod_l */
#include "core/base/json_reader.h"

#include "core/base/memory.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SHOWN     40      /* bytes of a text in a message */
#define EXPONENT_BOUND 1000000 /* beyond any that a double can have */
#define POLL_BYTES     0x10000 /* before poll is asked first in a string: most are short */

void json_reader_skip_space(struct json_reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\n' ||
                                        *reader->at == '\r' || *reader->at == '\t'))
        reader->at++;
}

bool json_reader_sees(struct json_reader *reader, char character)
{
    json_reader_skip_space(reader);
    return reader->at < reader->end && *reader->at == character;
}

bool json_reader_take(struct json_reader *reader, char character)
{
    if (!json_reader_sees(reader, character))
        return false;
    reader->at++;
    return true;
}

bool json_reader_word(struct json_reader *reader, const char *word)
{
    size_t length = strlen(word);
    json_reader_skip_space(reader);
    if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
        return false;
    reader->at += length;
    return true;
}

bool json_reader_at_end(struct json_reader *reader)
{
    json_reader_skip_space(reader);
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

/* Asks poll as poll_wants_stop_past does, and takes note. */
static bool is_stopped(struct json_reader *reader, size_t at, size_t *next_poll)
{
    reader->canceled = poll_wants_stop_past(reader->poll, at, next_poll);
    return reader->canceled;
}

/* How many bytes at the front stand for themselves in a string, looked at eight at a time: ASCII, but no
 * quote, backslash or control character. */
static size_t plain_prefix(const char *text, size_t length)
{
    const uint64_t each = 0x0101010101010101, high = 0x8080808080808080;
    size_t size = 0;
    for (uint64_t bytes; length - size >= sizeof bytes; size += sizeof bytes) {
        memcpy(&bytes, text + size, sizeof bytes);
        uint64_t quotes = bytes ^ (each * '"'), backslashes = bytes ^ (each * '\\');
        /* A zero byte borrows when 1 is taken away, a control character when 32 is. */
        if ((bytes | (bytes - each * 32) | (quotes - each) | (backslashes - each)) & high)
            break;
    }
    return size;
}

/* The place of the quote that ends the string at `at`; NULL where a character in it is not allowed.
 * *escaped: whether there are backslashes. */
static const char *find_quote(struct json_reader *reader, const char *at, bool *escaped)
{
    const char *start = at, *end = reader->end;
    size_t next_poll = POLL_BYTES;
    *escaped = false;
    while (at < end) {
        size_t left = (size_t)(end - at);
        size_t plain = plain_prefix(at, left < POLL_BYTES ? left : POLL_BYTES);
        at += plain;
        if (is_stopped(reader, (size_t)(at - start), &next_poll))
            return NULL;
        if (plain > 0)
            continue;
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
        size_t size = byte < 0x80 ? 1 : character_size((const unsigned char *)at, left);
        if (size == 0)
            return NULL;
        at += size;
    }
    return NULL;
}

/* What the characters [at, quote) stand for, with escapes among them, into the string's buffer. */
static bool unescape(struct json_reader *reader, const char *at, const char *quote,
                     struct json_string *string)
{
    const char *start = at;
    size_t length = 0, next_poll = POLL_BYTES, size;
    /* No escape is shorter than what it stands for. */
    if (!memory_grow((void **)&string->buffer, &string->capacity, (size_t)(quote - at), 1)) {
        reader->no_memory = true;
        return false;
    }
    while (at < quote) {
        if (is_stopped(reader, (size_t)(at - start), &next_poll))
            return false;
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
    return true;
}

bool json_reader_string(struct json_reader *reader, struct json_string *string)
{
    if (!json_reader_sees(reader, '"'))
        return false;
    const char *at = reader->at + 1;
    bool escaped;
    const char *quote = find_quote(reader, at, &escaped);
    if (!quote)
        return false;
    string->data = at;
    string->length = (size_t)(quote - at);
    if (escaped && !unescape(reader, at, quote, string))
        return false;
    reader->at = quote + 1;
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

/* Any number that keeps to JSON's grammar, whatever the program's locale; false where it is beyond any
 * double, or where there is no memory for a long one. */
static bool read_number_slowly(struct json_reader *reader, const char *data, size_t size,
                               double *number)
{
    char brief[64];
    char *text = size < sizeof brief ? brief : memory_alloc(size + 1);
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    bool good = text && plain;
    reader->no_memory |= !good;
    if (good) {
        memcpy(text, data, size);
        text[size] = '\0';
        *number = strtod_l(text, NULL, plain);
        good = !isinf(*number);
    }
    if (plain)
        freelocale(plain);
    if (text != brief)
        memory_free(text);
    return good;
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* The place behind the number at `at` by JSON's grammar; NULL where there is none. */
static const char *number_end(const char *at, const char *end)
{
    at += at < end && *at == '-';
    const char *digits = at;
    at = skip_digits(at, end);
    if (at == digits || (*digits == '0' && at > digits + 1))
        return NULL;
    if (at < end && *at == '.') {
        digits = ++at;
        at = skip_digits(at, end);
        if (at == digits)
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '-' || *at == '+');
        digits = at;
        at = skip_digits(at, end);
        if (at == digits)
            return NULL;
    }
    return at;
}

bool json_reader_integer(struct json_reader *reader, int64_t *number)
{
    json_reader_skip_space(reader);
    const char *at = reader->at;
    bool negative = at < reader->end && *at == '-';
    const char *digits = at += negative;
    int64_t value = 0;
    bool fits = true;
    for (; at < reader->end && *at >= '0' && *at <= '9'; at++) {
        int64_t digit = *at - '0';
        fits = fits && !__builtin_mul_overflow(value, 10, &value) &&
               !__builtin_sub_overflow(value, digit, &value); /* INT64_MIN is -value of none */
    }
    bool goes_on = at < reader->end && (*at == '.' || *at == 'e' || *at == 'E');
    if (at == digits || goes_on || (at - digits > 1 && *digits == '0') || !fits ||
        (!negative && value == INT64_MIN))
        return false;
    *number = negative ? value : -value;
    reader->at = at;
    return true;
}

bool json_reader_u32(struct json_reader *reader, uint32_t *number)
{
    const char *start = reader->at;
    int64_t value;
    if (!json_reader_integer(reader, &value))
        return false;
    if (value < 0 || value > UINT32_MAX) {
        reader->at = start;
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

bool json_reader_number(struct json_reader *reader, double *number)
{
    json_reader_skip_space(reader);
    const char *end = number_end(reader->at, reader->end);
    if (!end)
        return false;
    const char *at = reader->at;
    bool negative = *at == '-';
    uint64_t significand = 0;
    unsigned digits = 0, places = 0;
    bool fraction = false;
    for (at += negative; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        significand = significand * 10 + (uint64_t)(*at - '0'); /* overflows with 20 digits */
        digits++;
        places += fraction;
    }
    double value;
    if (at == end && digits <= 19) {
        value = divide_by_power(significand, places);
        *number = negative ? -value : value;
    } else if (!read_number_slowly(reader, reader->at, (size_t)(end - reader->at), number)) {
        return false;
    }
    reader->at = end;
    return true;
}

/* Digits at *at, taken into significand while it fits 64 bits; returns how many there are and, in
 * *kept, how many were taken. */
static unsigned take_digits(const char **at, const char *end, uint64_t *significand, unsigned *kept)
{
    unsigned count = 0;
    *kept = 0;
    bool full = false;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at, count++) {
        uint64_t digit = (uint64_t)(**at - '0');
        full = full || *significand > (UINT64_MAX - digit) / 10;
        if (full)
            continue;
        *significand = *significand * 10 + digit;
        ++*kept;
    }
    return count;
}

/* 10^exponent, rounded to the nearest double; exponent up to 308. */
static double power_of_ten(int exponent)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (exponent < (int)(sizeof exact / sizeof *exact))
        return exact[exponent];
    char text[16];
    snprintf(text, sizeof text, "1e%d", exponent);
    return strtod(text, NULL); /* the same in every locale, having no decimal point */
}

/* significand × 10^exponent in serde_json's order (de.rs, f64_from_parts). */
static double scale_as_serde(uint64_t significand, int exponent)
{
    double number = (double)significand;
    while (exponent < -308 && number != 0) {
        number /= power_of_ten(308);
        exponent += 308;
    }
    if (number == 0)
        return 0;
    if (exponent > 308)
        return INFINITY;
    return exponent < 0 ? number / power_of_ten(-exponent) : number * power_of_ten(exponent);
}

bool json_reader_number_as_serde(struct json_reader *reader, double *number)
{
    json_reader_skip_space(reader);
    const char *at = reader->at, *end = number_end(at, reader->end);
    if (!end)
        return false;
    bool negative = *at == '-';
    at += negative;
    uint64_t significand = 0;
    unsigned kept, places = 0;
    unsigned count = take_digits(&at, end, &significand, &kept);
    int exponent = (int)(count - kept);
    if (at < end && *at == '.') {
        at++;
        if (count == kept)
            take_digits(&at, end, &significand, &places);
        at = skip_digits(at, end);
        exponent -= (int)places;
    }
    if (at < end) {
        bool shrinks = *++at == '-';
        at += *at == '-' || *at == '+';
        uint64_t written = 0;
        take_digits(&at, end, &written, &kept);
        int bounded = written < EXPONENT_BOUND ? (int)written : EXPONENT_BOUND;
        exponent += shrinks ? -bounded : bounded;
    }
    double value = scale_as_serde(significand, exponent);
    if (isinf(value))
        return false;
    *number = negative ? -value : value;
    reader->at = end;
    return true;
}

/* --- whole values ------------------------------------------------------------------------------- */

/* The place behind the string at `at`; NULL where poll says stop. */
static const char *skip_string(struct json_reader *reader, const char *at)
{
    const char *start = at, *end = reader->end;
    size_t next_poll = POLL_BYTES;
    for (at++; at < end; at++) {
        if (is_stopped(reader, (size_t)(at - start), &next_poll))
            return NULL;
        if (*at == '\\')
            at++;
        else if (*at == '"')
            return at + 1;
    }
    return end;
}

bool json_reader_skip_container(struct json_reader *reader)
{
    json_reader_skip_space(reader);
    if (reader->at == reader->end || (*reader->at != '[' && *reader->at != '{'))
        return false;
    const char *at = reader->at, *end = reader->end;
    size_t depth = 0, next_poll = 0;
    while (at < end) {
        char character = *at;
        if (is_stopped(reader, (size_t)(at - reader->at), &next_poll))
            return false;
        if (character == '"') {
            at = skip_string(reader, at);
            if (!at)
                return false;
            continue;
        }
        at++;
        if (character == '[' || character == '{')
            depth++;
        if ((character == ']' || character == '}') && --depth == 0) {
            reader->at = at;
            return true;
        }
    }
    return false;
}

void json_reader_found(const struct json_reader *reader, const char *expected, char *message,
                       size_t size)
{
    char shown[MOST_SHOWN + 1];
    size_t length = 0;
    for (const char *at = reader->at; at < reader->end;) {
        size_t left = (size_t)(reader->end - at);
        size_t bytes = character_size((const unsigned char *)at, left);
        size_t taken = bytes ? bytes : 1;
        if (length + taken > MOST_SHOWN)
            break;
        if (bytes == 0 || (unsigned char)*at < ' ')
            shown[length] = '?'; /* what no message may hold */
        else
            memcpy(shown + length, at, bytes);
        length += taken;
        at += taken;
    }
    shown[length] = '\0';
    if (length)
        snprintf(message, size, "expected %s, found '%s'", expected, shown);
    else
        snprintf(message, size, "expected %s, found the end of the text", expected);
}

sembed_status json_reader_expected(const struct json_reader *reader, const struct json_file *file,
                                   const char *key, const char *expected, sembed_error *error)
{
    if (reader->no_memory)
        return error_no_memory(error, file->path);
    char message[256];
    json_reader_found(reader, expected, message, sizeof message);
    return error_set(error, SEMBED_MALFORMED, "%s: key '%s': %s", file->path, key, message);
}
