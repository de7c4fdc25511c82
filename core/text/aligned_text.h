/*
 * A text under way from what was written to what the vocabulary knows, with the place that each of
 * its bytes came from.
 *
 * Normalizers and pre-tokenizers read one aligned_text and write another. Spans are what the
 * tokenizers library calls alignments (its NormalizedString), absolute here instead of relative to
 * a slice. They are kept only where asked for; without them every function does the same to bytes.
 */
#ifndef SEMBED_TEXT_ALIGNED_TEXT_H
#define SEMBED_TEXT_ALIGNED_TEXT_H

#include "core/base/error.h"
#include "core/base/memory.h"
#include "core/text/unicode.h"

#include <string.h>

/* Bytes [start, stop) of the text that the caller gave. */
struct span {
    uint32_t start, stop;
};

/* Zero-initialise; free with aligned_text_free. bytes are valid UTF-8. */
struct aligned_text {
    char *bytes;
    struct span *spans; /* [length], the same for all bytes of a character; unused if not tracked */
    size_t length;
    size_t capacity, span_capacity;
    bool tracked;
    uint32_t origin; /* where the text begins in the caller's: the place of what is put before it */
    size_t most;     /* bytes that it may have, by what it was set to; see aligned_text_most */
};

/* How long what is made of length bytes may become. Unicode's longest decomposition takes 11 times as
 * much; but a tokenizer's file can ask for anything. */
static inline size_t aligned_text_most(size_t length)
{
    enum { TIMES = 32, ROOM = 64 * 1024 };
    return length < (UINT32_MAX - ROOM) / TIMES ? length * TIMES + ROOM : UINT32_MAX;
}

/* Empties the text; spans are kept from now on or not. */
static inline void aligned_text_clear(struct aligned_text *text, bool tracked)
{
    text->length = 0;
    text->tracked = tracked;
}

/* Makes room for `more` bytes, so that as many can be put without a check. */
SEMBED_MUST_CHECK sembed_status aligned_text_reserve(struct aligned_text *text, size_t more,
                                                     sembed_error *error);

/* Puts one character, room for which has been made. */
static inline void aligned_text_put(struct aligned_text *text, uint32_t character,
                                    struct span source)
{
    size_t size = unicode_encode(character, text->bytes + text->length);
    if (text->tracked)
        for (size_t i = 0; i < size; i++)
            text->spans[text->length + i] = source;
    text->length += size;
}

/* Puts one character; makes room first. */
SEMBED_MUST_CHECK static inline sembed_status aligned_text_append(struct aligned_text *text,
                                                                  uint32_t character,
                                                                  struct span source,
                                                                  sembed_error *error)
{
    if (text->length + UNICODE_LONGEST > text->capacity ||
        (text->tracked && text->length + UNICODE_LONGEST > text->span_capacity)) {
        sembed_status status = aligned_text_reserve(text, UNICODE_LONGEST, error);
        if (status != SEMBED_OK)
            return status;
    }
    aligned_text_put(text, character, source);
    return SEMBED_OK;
}

/* The span of the byte at `at`; nothing where spans are not kept. */
static inline struct span aligned_text_span(const struct aligned_text *text, size_t at)
{
    return text->tracked ? text->spans[at] : (struct span){0, 0};
}

/* Replaces the contents by valid bytes[length] that stand at `offset` in the caller's text. */
SEMBED_MUST_CHECK sembed_status aligned_text_set(struct aligned_text *text, const char *bytes,
                                                 size_t length, size_t offset, bool tracked,
                                                 const sembed_poll *poll, sembed_error *error);

/* Puts bytes [start, stop) of another text, spans and all. */
SEMBED_MUST_CHECK sembed_status aligned_text_copy(struct aligned_text *text,
                                                  const struct aligned_text *from, size_t start,
                                                  size_t stop, const sembed_poll *poll,
                                                  sembed_error *error);

/* Puts valid bytes[length] that all come from one place. */
SEMBED_MUST_CHECK sembed_status aligned_text_insert(struct aligned_text *text, const char *bytes,
                                                    size_t length, struct span source,
                                                    sembed_error *error);

/* One character of a text that is written anew from another. */
struct change {
    uint32_t character;
    /* 0: it stands for the next character of the other text; 1: it is added; -n: it stands for the
     * next one and the n behind that. */
    int32_t change;
};

/* Puts what becomes of `from`: changes[count] use up its characters from left to right, and each
 * takes the span of the first that it stands for, an added one that of the last character before,
 * or nothing at the origin.
 * Source: NormalizedString::transform. */
SEMBED_MUST_CHECK sembed_status aligned_text_transform(struct aligned_text *text,
                                                       const struct aligned_text *from,
                                                       const struct change *changes, size_t count,
                                                       const sembed_poll *poll,
                                                       sembed_error *error);

static inline void aligned_text_swap(struct aligned_text *a, struct aligned_text *b)
{
    struct aligned_text kept = *a;
    *a = *b;
    *b = kept;
}

void aligned_text_free(struct aligned_text *text);

#endif
