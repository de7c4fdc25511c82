#include "core/text/aligned_text.h"

#define PIECE ((size_t)1 << 16) /* bytes between two questions to poll */

sembed_status aligned_text_reserve(struct aligned_text *text, size_t more, sembed_error *error)
{
    size_t wanted;
    if (!size_add(text->length, more, &wanted) || wanted > text->most)
        return error_set(error, SEMBED_LIMIT,
                         "the tokenizer makes a text many times as long: over %zu bytes",
                         text->most);
    if (!memory_grow((void **)&text->bytes, &text->capacity, wanted, 1) ||
        (text->tracked &&
         !memory_grow((void **)&text->spans, &text->span_capacity, wanted, sizeof *text->spans)))
        return error_no_memory(error, "normalized text");
    return SEMBED_OK;
}

sembed_status aligned_text_set(struct aligned_text *text, const char *bytes, size_t length,
                               size_t offset, bool tracked, const sembed_poll *poll,
                               sembed_error *error)
{
    aligned_text_clear(text, tracked);
    text->origin = (uint32_t)offset;
    text->most = aligned_text_most(length);
    sembed_status status = aligned_text_reserve(text, length, error);
    if (status != SEMBED_OK)
        return status;
    if (length)
        memcpy(text->bytes, bytes, length);
    text->length = length;
    for (size_t at = 0, size, next = PIECE; tracked && at < length; at += size) {
        if (poll_wants_stop_past(poll, at, &next))
            return error_canceled(error);
        unicode_decode(bytes + at, &size);
        struct span span = {(uint32_t)(offset + at), (uint32_t)(offset + at + size)};
        for (size_t i = 0; i < size; i++)
            text->spans[at + i] = span;
    }
    return SEMBED_OK;
}

sembed_status aligned_text_copy(struct aligned_text *text, const struct aligned_text *from,
                                size_t start, size_t stop, const sembed_poll *poll,
                                sembed_error *error)
{
    sembed_status status = aligned_text_reserve(text, stop - start, error);
    while (status == SEMBED_OK && start < stop) {
        size_t piece = stop - start < PIECE ? stop - start : PIECE;
        memcpy(text->bytes + text->length, from->bytes + start, piece);
        if (text->tracked)
            memcpy(text->spans + text->length, from->spans + start, piece * sizeof *text->spans);
        text->length += piece;
        start += piece;
        if (start < stop && poll_wants_stop(poll))
            status = error_canceled(error);
    }
    return status;
}

sembed_status aligned_text_insert(struct aligned_text *text, const char *bytes, size_t length,
                                  struct span source, sembed_error *error)
{
    sembed_status status = aligned_text_reserve(text, length, error);
    if (status != SEMBED_OK)
        return status;
    if (length)
        memcpy(text->bytes + text->length, bytes, length);
    for (size_t i = 0; text->tracked && i < length; i++)
        text->spans[text->length + i] = source;
    text->length += length;
    return SEMBED_OK;
}

/* The end of the character at `at`, or the end of the text. */
static size_t next_character(const struct aligned_text *text, size_t at)
{
    size_t size = 0;
    if (at < text->length)
        unicode_decode(text->bytes + at, &size);
    return at + size;
}

sembed_status aligned_text_transform(struct aligned_text *text, const struct aligned_text *from,
                                     const struct change *changes, size_t count,
                                     const sembed_poll *poll, sembed_error *error)
{
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        struct span span = {from->origin, from->origin};
        if (changes[i].change > 0) {
            if (at > 0)
                span = aligned_text_span(from, at - 1);
        } else if (at < from->length) {
            span = aligned_text_span(from, at);
        }
        for (int32_t used = changes[i].change; used <= 0; used++)
            at = next_character(from, at);
        sembed_status status = aligned_text_append(text, changes[i].character, span, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

void aligned_text_free(struct aligned_text *text)
{
    memory_free(text->bytes);
    memory_free(text->spans);
    *text = (struct aligned_text){0};
}
