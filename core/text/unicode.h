/*
 * Characters: UTF-8 in and out, and the classes that tokenizers ask for.
 *
 * Text inside the core is valid UTF-8 from unicode_repair on; the functions that take text say so.
 */
#ifndef SEMBED_TEXT_UNICODE_H
#define SEMBED_TEXT_UNICODE_H

#include "core/base/error.h"

#include <stdbool.h>

#define UNICODE_REPLACEMENT 0xFFFDu
#define UNICODE_LONGEST     4 /* bytes of a character in UTF-8 */

/* How many bytes at the front of text[length] are valid UTF-8 (RFC 3629: no surrogates, no longer
 * form than needed, nothing over U+10FFFF), whole characters only. */
size_t unicode_valid_prefix(const char *text, size_t length);

/* How many bytes at the front of text[length] make up one fault, length > 0 and the front not
 * valid: the longest start of a character that is not continued, else one byte. One U+FFFD stands
 * for each fault. Source: Rust's String::from_utf8_lossy, Unicode chapter 3.9, "maximal subparts".
 */
size_t unicode_fault_length(const char *text, size_t length);

/* The character at the front of valid text that is not empty; *size: its bytes. */
static inline uint32_t unicode_decode(const char *text, size_t *size)
{
    const unsigned char *byte = (const unsigned char *)text;
    if (byte[0] < 0x80) {
        *size = 1;
        return byte[0];
    }
    if (byte[0] < 0xE0) {
        *size = 2;
        return (byte[0] & 0x1Fu) << 6 | (byte[1] & 0x3Fu);
    }
    if (byte[0] < 0xF0) {
        *size = 3;
        return (byte[0] & 0x0Fu) << 12 | (byte[1] & 0x3Fu) << 6 | (byte[2] & 0x3Fu);
    }
    *size = 4;
    return (byte[0] & 0x07u) << 18 | (byte[1] & 0x3Fu) << 12 | (byte[2] & 0x3Fu) << 6 |
           (byte[3] & 0x3Fu);
}

/* The last character of valid text that is not empty; *size: its bytes. */
uint32_t unicode_decode_last(const char *text, size_t length, size_t *size);

/* Writes a character (no surrogate) to text[UNICODE_LONGEST]; returns its bytes. */
static inline size_t unicode_encode(uint32_t character, char *text)
{
    if (character < 0x80) {
        text[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        text[0] = (char)(0xC0 | character >> 6);
        text[1] = (char)(0x80 | (character & 0x3F));
        return 2;
    }
    if (character < 0x10000) {
        text[0] = (char)(0xE0 | character >> 12);
        text[1] = (char)(0x80 | (character >> 6 & 0x3F));
        text[2] = (char)(0x80 | (character & 0x3F));
        return 3;
    }
    text[0] = (char)(0xF0 | character >> 18);
    text[1] = (char)(0x80 | (character >> 12 & 0x3F));
    text[2] = (char)(0x80 | (character >> 6 & 0x3F));
    text[3] = (char)(0x80 | (character & 0x3F));
    return 4;
}

/* How many characters valid text holds. */
size_t unicode_count(const char *text, size_t length);

/*
 * Classes. The tokenizers library asks several crates, each of which knows another version of
 * Unicode; the answers here are theirs, character by character, whatever utf8proc knows.
 */

/* Rust's char::is_whitespace, and \s in its patterns: the property White_Space. */
bool unicode_is_whitespace(uint32_t character);

/* What BERT's cleaning drops: Cc but tab, line feed and carriage return; Cf, Co; U+FFFD. */
bool unicode_is_other(uint32_t character);

/* Mn in Unicode 8; not asked for characters that have a canonical decomposition. */
bool unicode_is_nonspacing_mark(uint32_t character);

/* ASCII punctuation and symbols, or P* in Unicode 8. */
bool unicode_is_punctuation(uint32_t character);

/* M* in Unicode 9. */
bool unicode_is_combining_mark(uint32_t character);

/* \w in Rust's patterns: letters and what is alphabetic, marks, decimal digits, connectors. */
bool unicode_is_word(uint32_t character);

/* \p{L} and \p{N} in Oniguruma's patterns. */
bool unicode_is_letter(uint32_t character);
bool unicode_is_number(uint32_t character);

/* Rust's char::is_numeric: N*. */
bool unicode_is_numeric(uint32_t character);

/* An ideograph as BERT means it: the blocks that its tokenizer puts spaces around. */
bool unicode_is_chinese(uint32_t character);

/* Rust's char::to_lowercase: one character, or the two of U+0130, in lower[2]; returns how many.
 * No rule depends on what stands beside the character. */
size_t unicode_lowercase(uint32_t character, uint32_t lower[2]);

/* The most characters that one decomposes into (U+FDFA, compatibility). */
#define UNICODE_LONGEST_DECOMPOSITION 18

/*
 * The full canonical or compatibility decomposition of a character, not reordered; returns how many
 * characters there are in parts: one, the character itself, where it has none. This and the next
 * two are Unicode 9's, as in the library; nothing but additions was made since.
 */
size_t unicode_decompose(uint32_t character, bool compatibility,
                         uint32_t parts[UNICODE_LONGEST_DECOMPOSITION]);

/* The canonical combining class: 0 for a starter. */
uint8_t unicode_combining_class(uint32_t character);

/* The primary composite of two characters; 0 where they have none. */
uint32_t unicode_compose(uint32_t first, uint32_t second);

#endif
