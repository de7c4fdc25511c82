#include "core/text/unicode.h"

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

static utf8proc_category_t category(uint32_t character)
{
    return utf8proc_category((utf8proc_int32_t)character);
}

bool unicode_is_word(uint32_t character)
{
    switch (category(character)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return character == 0x200C || character == 0x200D ||
               (character >= 0x24B6 && character <= 0x24E9);
    }
}

bool unicode_is_other(uint32_t character)
{
    utf8proc_category_t found = category(character);
    return found == UTF8PROC_CATEGORY_CC || found == UTF8PROC_CATEGORY_CF ||
           found == UTF8PROC_CATEGORY_CO;
}

bool unicode_is_nonspacing_mark(uint32_t character)
{
    return category(character) == UTF8PROC_CATEGORY_MN;
}

bool unicode_is_punctuation(uint32_t character)
{
    if (character < 0x80)
        return character > ' ' && character < 0x7F && !(character >= '0' && character <= '9') &&
               !(character >= 'A' && character <= 'Z') && !(character >= 'a' && character <= 'z');
    utf8proc_category_t found = category(character);
    return found >= UTF8PROC_CATEGORY_PC && found <= UTF8PROC_CATEGORY_PO;
}

size_t unicode_lowercase(uint32_t character, uint32_t lower[2])
{
    if (character == 0x130) {
        lower[0] = 'i';
        lower[1] = 0x307;
        return 2;
    }
    lower[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)character);
    return 1;
}

size_t unicode_decompose(uint32_t character, bool compatibility,
                         uint32_t parts[UNICODE_LONGEST_DECOMPOSITION])
{
    parts[0] = character;
    if (character < 0x80)
        return 1;
    utf8proc_int32_t found[UNICODE_LONGEST_DECOMPOSITION];
    utf8proc_option_t options = UTF8PROC_DECOMPOSE | (compatibility ? UTF8PROC_COMPAT : 0);
    utf8proc_ssize_t count = utf8proc_decompose_char((utf8proc_int32_t)character, found,
                                                     UNICODE_LONGEST_DECOMPOSITION, options, NULL);
    if (count < 1 || count > UNICODE_LONGEST_DECOMPOSITION)
        return 1;
    for (utf8proc_ssize_t i = 0; i < count; i++)
        parts[i] = (uint32_t)found[i];
    return (size_t)count;
}

uint8_t unicode_combining_class(uint32_t character)
{
    if (character < 0x300)
        return 0;
    return (uint8_t)utf8proc_get_property((utf8proc_int32_t)character)->combining_class;
}
