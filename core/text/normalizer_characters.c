/* Normalizers that look at one character at a time. */
#include "core/text/byte_alphabet.h"
#include "core/text/normalizer_steps.h"

#define NO_CHARACTER UINT32_MAX

sembed_status normalize_lowercase(const struct normalizer_pass *pass)
{
    const struct aligned_text *from = pass->from;
    for (size_t at = 0, size, next = 0; at < from->length; at += size) {
        uint32_t lower[2];
        size_t count = unicode_lowercase(unicode_decode(from->bytes + at, &size), lower);
        sembed_status status = normalizer_check(pass, at, &next);
        for (size_t i = 0; i < count && status == SEMBED_OK; i++)
            status =
                aligned_text_append(pass->to, lower[i], aligned_text_span(from, at), pass->error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

/* Puts what `map` makes of each character; NO_CHARACTER drops it. */
static sembed_status map_characters(const struct normalizer_pass *pass, uint32_t (*map)(uint32_t))
{
    const struct aligned_text *from = pass->from;
    for (size_t at = 0, size, next = 0; at < from->length; at += size) {
        uint32_t mapped = map(unicode_decode(from->bytes + at, &size));
        sembed_status status = normalizer_check(pass, at, &next);
        if (status == SEMBED_OK && mapped != NO_CHARACTER)
            status =
                aligned_text_append(pass->to, mapped, aligned_text_span(from, at), pass->error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static uint32_t without_accent(uint32_t character)
{
    return unicode_is_combining_mark(character) ? NO_CHARACTER : character;
}

sembed_status normalize_strip_accents(const struct normalizer_pass *pass)
{
    return map_characters(pass, without_accent);
}

static uint32_t nmt(uint32_t c)
{
    if ((c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
        c == 0x9F)
        return NO_CHARACTER;
    if (c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
        (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
        c == UNICODE_REPLACEMENT)
        return ' ';
    return c;
}

sembed_status normalize_nmt(const struct normalizer_pass *pass)
{
    return map_characters(pass, nmt);
}

sembed_status normalize_bytes(const struct normalizer_pass *pass)
{
    const struct aligned_text *from = pass->from;
    for (size_t at = 0, next = 0; at < from->length; at++) {
        sembed_status status = normalizer_check(pass, at, &next);
        if (status == SEMBED_OK)
            status = aligned_text_append(pass->to,
                                         byte_alphabet_character((unsigned char)from->bytes[at]),
                                         aligned_text_span(from, at), pass->error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}
