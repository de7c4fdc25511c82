#include "core/text/trim_offsets.h"

#include "core/text/byte_alphabet.h"

static bool is_space(uint32_t character)
{
    return character == BYTE_ALPHABET_SPACE || unicode_is_whitespace(character);
}

static size_t spaces_at_start(const char *token, size_t length)
{
    size_t count = 0;
    for (size_t at = 0, size; at < length && is_space(unicode_decode(token + at, &size));
         at += size)
        count++;
    return count;
}

static size_t spaces_at_end(const char *token, size_t length)
{
    size_t count = 0;
    for (size_t size; length && is_space(unicode_decode_last(token, length, &size)); length -= size)
        count++;
    return count;
}

void trim_offsets(const char *text, const char *token, size_t length, bool is_first,
                  bool add_prefix_space, struct span *span)
{
    size_t leading = spaces_at_start(token, length);
    size_t trailing = spaces_at_end(token, length);
    size_t size;
    if ((is_first || span->start == 0) && add_prefix_space && leading == 1)
        leading = 0;
    for (; leading && span->start < span->stop; leading--) {
        unicode_decode(text + span->start, &size);
        span->start += (uint32_t)size;
    }
    /* A text with fewer characters before the token's end than it has spaces is left alone. */
    uint32_t stop = span->stop;
    for (; trailing && stop; trailing--) {
        unicode_decode_last(text, stop, &size);
        stop -= (uint32_t)size;
    }
    if (trailing == 0)
        span->stop = stop > span->start ? stop : span->start;
}
