#include "core/text/unicode.h"

#include "core/text/unicode_tables.h"

#include <string.h>
#include <utf8proc.h>

/* The second byte's range for each first byte of two to four (RFC 3629, section 4). */
static bool second_byte_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xED:
        return second >= 0x80 && second <= 0x9F;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return second >= 0x80 && second <= 0xBF;
    }
}

/* Bytes that a character with this first byte takes; 0: no character begins so. */
static size_t length_by_first_byte(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first < 0xE0)
        return 2;
    if (first >= 0xE0 && first < 0xF0)
        return 3;
    if (first >= 0xF0 && first < 0xF5)
        return 4;
    return 0;
}

/* How many of the bytes at the front belong to one character, and whether it is whole. */
static size_t character_prefix(const unsigned char *byte, size_t length, bool *whole)
{
    size_t wanted = length_by_first_byte(byte[0]);
    *whole = false;
    if (wanted == 0)
        return 1;
    size_t have = 1;
    while (have < wanted && have < length &&
           (have == 1 ? second_byte_fits(byte[0], byte[1]) : (byte[have] & 0xC0) == 0x80))
        have++;
    *whole = have == wanted;
    return have;
}

size_t unicode_valid_prefix(const char *text, size_t length)
{
    const unsigned char *byte = (const unsigned char *)text;
    size_t at = 0;
    while (at < length) {
        uint64_t eight;
        if (length - at >= sizeof eight) {
            memcpy(&eight, byte + at, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        bool whole;
        size_t size = character_prefix(byte + at, length - at, &whole);
        if (!whole)
            break;
        at += size;
    }
    return at;
}

size_t unicode_fault_length(const char *text, size_t length)
{
    bool whole;
    return character_prefix((const unsigned char *)text, length, &whole);
}

uint32_t unicode_decode_last(const char *text, size_t length, size_t *size)
{
    size_t at = length - 1;
    while (((unsigned char)text[at] & 0xC0) == 0x80)
        at--;
    return unicode_decode(text + at, size);
}

size_t unicode_count(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

bool unicode_is_whitespace(uint32_t character)
{
    if (character < 0x80)
        return character == ' ' || (character >= '\t' && character <= '\r');
    if (character < 0x1680)
        return character == 0x85 || character == 0xA0;
    return character == 0x1680 || (character >= 0x2000 && character <= 0x200A) ||
           character == 0x2028 || character == 0x2029 || character == 0x202F ||
           character == 0x205F || character == 0x3000;
}

static bool has_class(uint32_t character, enum unicode_class class)
{
    uint32_t block = character >> 8;
    uint32_t low =
        block < UNICODE_BLOCKS ? unicode_first_run[block] : unicode_first_run[UNICODE_BLOCKS];
    uint32_t high =
        block < UNICODE_BLOCKS ? (uint32_t)unicode_first_run[block + 1] + 1 : unicode_run_count;
    uint32_t wanted = character << 8 | 0xFF;
    while (high - low > 1) { /* the last run that begins at the character or before */
        uint32_t middle = low + (high - low) / 2;
        if (unicode_runs[middle] <= wanted)
            low = middle;
        else
            high = middle;
    }
    return unicode_runs[low] & class;
}

bool unicode_is_other(uint32_t character)
{
    return has_class(character, UNICODE_OTHER);
}

bool unicode_is_nonspacing_mark(uint32_t character)
{
    return character >= 0x300 && has_class(character, UNICODE_NONSPACING);
}

bool unicode_is_punctuation(uint32_t character)
{
    if (character >= 0x80)
        return has_class(character, UNICODE_PUNCTUATION);
    return character > ' ' && character < 0x7F && !(character >= '0' && character <= '9') &&
           !(character >= 'A' && character <= 'Z') && !(character >= 'a' && character <= 'z');
}

bool unicode_is_combining_mark(uint32_t character)
{
    return character >= 0x300 && has_class(character, UNICODE_COMBINING);
}

bool unicode_is_word(uint32_t character)
{
    return has_class(character, UNICODE_WORD);
}

bool unicode_is_letter(uint32_t character)
{
    if (character < 0x80)
        return (character >= 'A' && character <= 'Z') || (character >= 'a' && character <= 'z');
    return has_class(character, UNICODE_LETTER);
}

bool unicode_is_number(uint32_t character)
{
    if (character < 0x80)
        return character >= '0' && character <= '9';
    return has_class(character, UNICODE_NUMBER);
}

bool unicode_is_numeric(uint32_t character)
{
    if (character < 0x80)
        return character >= '0' && character <= '9';
    return has_class(character, UNICODE_NUMERIC);
}

bool unicode_is_chinese(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/* ------------------------------------------------------------------------------- case */

/* Pairs that came with Unicode 16 and 17, which Rust knows and the oldest utf8proc does not:
 * characters [first, last], `step` apart, and how far away their lower case is. */
static const struct {
    uint32_t first, last, step;
    int32_t distance;
} late_capitals[] = {
    {0x1C89, 0x1C89, 1, 1},      {0xA7CB, 0xA7CB, 1, 0x264 - 0xA7CB},
    {0xA7CC, 0xA7CE, 2, 1},      {0xA7D2, 0xA7D4, 2, 1},
    {0xA7DA, 0xA7DA, 1, 1},      {0xA7DC, 0xA7DC, 1, 0x19B - 0xA7DC},
    {0x10D50, 0x10D65, 1, 0x20}, {0x16EA0, 0x16EB8, 1, 0x1B},
};

size_t unicode_lowercase(uint32_t character, uint32_t lower[2])
{
    if (character == 0x130) {
        lower[0] = 'i';
        lower[1] = 0x307;
        return 2;
    }
    lower[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)character);
    for (size_t i = 0; lower[0] >= 0x1C89 && i < sizeof late_capitals / sizeof late_capitals[0];
         i++)
        if (character >= late_capitals[i].first && character <= late_capitals[i].last &&
            (character - late_capitals[i].first) % late_capitals[i].step == 0)
            lower[0] = (uint32_t)((int32_t)character + late_capitals[i].distance);
    return 1;
}

/* ------------------------------------------------------------------------------- normal forms */

/* Whether a character's decomposition came after Unicode 9. */
static bool decomposes_lately(uint32_t character)
{
    static const struct {
        uint32_t first, last;
    } late[] = {
        {0x32FF, 0x32FF},   {0xA7F1, 0xA7F4},   {0xAB69, 0xAB69},   {0x105C9, 0x105C9},
        {0x105E4, 0x105E4}, {0x10780, 0x107BA}, {0x11382, 0x113C8}, {0x11938, 0x11938},
        {0x16120, 0x16128}, {0x16D68, 0x16D6A}, {0x1CCD6, 0x1CCF9}, {0x1E030, 0x1E06D},
        {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9},
    };
    if (character < late[0].first)
        return false;
    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++)
        if (character >= late[i].first && character <= late[i].last)
            return true;
    return false;
}

size_t unicode_decompose(uint32_t character, bool compatibility,
                         uint32_t parts[UNICODE_LONGEST_DECOMPOSITION])
{
    parts[0] = character;
    if (character < 0x80 || decomposes_lately(character))
        return 1;
    utf8proc_int32_t found[UNICODE_LONGEST_DECOMPOSITION];
    int options = UTF8PROC_DECOMPOSE | (compatibility ? UTF8PROC_COMPAT : 0);
    utf8proc_ssize_t count =
        utf8proc_decompose_char((utf8proc_int32_t)character, found, UNICODE_LONGEST_DECOMPOSITION,
                                (utf8proc_option_t)options, NULL);
    if (count < 1 || count > UNICODE_LONGEST_DECOMPOSITION)
        return 1;
    for (utf8proc_ssize_t i = 0; i < count; i++)
        parts[i] = (uint32_t)found[i];
    return (size_t)count;
}

uint8_t unicode_combining_class(uint32_t character)
{
    if (!unicode_is_combining_mark(character))
        return 0;
    return (uint8_t)utf8proc_get_property((utf8proc_int32_t)character)->combining_class;
}

/* utf8proc composes buffers, not pairs, so it is given a buffer of two. Characters that compose
 * with nothing behind them or before them are the rule and are told apart first. */
uint32_t unicode_compose(uint32_t first, uint32_t second)
{
    if (second < 0x300 || first < '<')
        return 0;
    utf8proc_int32_t pair[3] = {(utf8proc_int32_t)first, (utf8proc_int32_t)second, 0};
    utf8proc_ssize_t count = utf8proc_normalize_utf32(pair, 2, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (count != 1 || decomposes_lately((uint32_t)pair[0]))
        return 0;
    return (uint32_t)pair[0];
}
