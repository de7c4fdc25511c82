/*
 * The byte-level alphabet: each byte written as one printable character, so that a vocabulary of
 * byte strings can be spelled in text. Printable bytes of Latin-1 stand for themselves, the others
 * for U+0100 onwards; a space is "Ġ" (U+0120). Source: GPT-2, encoder.py, bytes_to_unicode.
 */
#ifndef SEMBED_TEXT_BYTE_ALPHABET_H
#define SEMBED_TEXT_BYTE_ALPHABET_H

#include <stdint.h>

#define BYTE_ALPHABET_SPACE 0x120u

static inline uint32_t byte_alphabet_character(unsigned char byte)
{
    if (byte <= 0x20)
        return 0x100u + byte;
    if (byte < 0x7F)
        return byte;
    if (byte <= 0xA0)
        return 0x121u + (byte - 0x7Fu);
    return byte == 0xAD ? 0x143u : byte;
}

#endif
