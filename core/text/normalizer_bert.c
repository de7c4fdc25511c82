/*
 * BertNormalizer in one pass. Each character runs through the stages in turn, so that the result is
 * that of the library's passes over the whole text:
 *
 *     clean ─▶ spaces around Chinese ─▶ decompose, order ─▶ drop accents ─▶ lowercase
 *
 * Runs of ASCII need none of this but a table of 128 bytes.
 */
#include "core/text/normalizer_steps.h"

struct bert_pass {
    const struct bert_normalizer *options;
    struct mark_run *marks;
    struct aligned_text *to;
    const sembed_poll *poll;
    sembed_error *error;
};

void bert_normalizer_prepare(struct bert_normalizer *options)
{
    for (int c = 0; c < 128; c++) {
        char becomes = (char)c;
        if (options->clean_text) {
            /* Vertical tab and form feed are control characters before they are spaces. */
            if (c == '\t' || c == '\n' || c == '\r')
                becomes = ' ';
            else if (c < ' ' || c == 0x7F)
                becomes = 0;
        }
        if (options->lowercase && c >= 'A' && c <= 'Z')
            becomes = (char)(c - 'A' + 'a');
        options->ascii[c] = becomes;
    }
}

/* Last two stages. */
static sembed_status put(struct bert_pass *pass, uint32_t character, struct span source)
{
    if (pass->options->strip_accents && unicode_is_nonspacing_mark(character))
        return SEMBED_OK;
    if (!pass->options->lowercase)
        return aligned_text_append(pass->to, character, source, pass->error);
    uint32_t lower[2];
    size_t count = unicode_lowercase(character, lower);
    for (size_t i = 0; i < count; i++) {
        sembed_status status = aligned_text_append(pass->to, lower[i], source, pass->error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static sembed_status put_marks(struct bert_pass *pass)
{
    sembed_status status = mark_run_sort(pass->marks, pass->poll, pass->error);
    for (size_t i = 0; status == SEMBED_OK && i < pass->marks->count; i++) {
        const struct mark *mark = &pass->marks->marks[i];
        if (poll_wants_stop_at(pass->poll, i))
            return error_canceled(pass->error);
        status = put(pass, mark->character, mark->source);
    }
    if (status != SEMBED_OK)
        return status;
    mark_run_clear(pass->marks);
    return SEMBED_OK;
}

static sembed_status decompose(struct bert_pass *pass, uint32_t character, struct span source)
{
    if (!pass->options->strip_accents)
        return put(pass, character, source);
    uint32_t parts[UNICODE_LONGEST_DECOMPOSITION];
    size_t count = unicode_decompose(character, false, parts);
    for (size_t i = 0; i < count; i++) {
        uint8_t class = unicode_combining_class(parts[i]);
        sembed_status status;
        if (class) {
            struct mark mark = {parts[i], class, i == 0, source};
            status = mark_run_add(pass->marks, mark, pass->error);
        } else {
            status = pass->marks->count ? put_marks(pass) : SEMBED_OK;
            if (status == SEMBED_OK)
                status = put(pass, parts[i], source);
        }
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

/* First two stages, for a character that is not ASCII. */
static sembed_status clean(struct bert_pass *pass, uint32_t character, struct span source)
{
    if (pass->options->clean_text) {
        if (unicode_is_other(character))
            return SEMBED_OK;
        if (unicode_is_whitespace(character))
            character = ' ';
    }
    if (!pass->options->handle_chinese_chars || !unicode_is_chinese(character))
        return decompose(pass, character, source);
    sembed_status status = decompose(pass, ' ', source);
    if (status == SEMBED_OK)
        status = decompose(pass, character, source);
    if (status == SEMBED_OK)
        status = decompose(pass, ' ', source);
    return status;
}

/* Copies the ASCII run at `at` through the table; returns where it ends. */
static size_t put_ascii(struct bert_pass *pass, const struct aligned_text *from, size_t at,
                        size_t stop)
{
    struct aligned_text *to = pass->to;
    size_t length = to->length;
    for (; at < stop && (unsigned char)from->bytes[at] < 0x80; at++) {
        char becomes = pass->options->ascii[(unsigned char)from->bytes[at]];
        if (to->tracked)
            to->spans[length] = from->spans[at];
        to->bytes[length] = becomes;
        length +=
            becomes != 0 || !pass->options->clean_text; /* without cleaning, 0 is a character */
    }
    to->length = length;
    return at;
}

/* Normalizes bytes [at, stop) of whole characters. */
static sembed_status normalize_range(struct bert_pass *pass, const struct aligned_text *from,
                                     size_t at, size_t stop)
{
    sembed_status status = SEMBED_OK;
    while (at < stop && status == SEMBED_OK) {
        if ((unsigned char)from->bytes[at] < 0x80) {
            if (pass->marks->count)
                status = put_marks(pass);
            if (status == SEMBED_OK)
                status = aligned_text_reserve(pass->to, stop - at, pass->error);
            if (status == SEMBED_OK)
                at = put_ascii(pass, from, at, stop);
        } else {
            size_t size;
            uint32_t character = unicode_decode(from->bytes + at, &size);
            status = clean(pass, character, aligned_text_span(from, at));
            at += size;
        }
    }
    return status;
}

sembed_status bert_normalize(const struct bert_normalizer *options,
                             const struct normalizer_pass *pass)
{
    const struct aligned_text *from = pass->from;
    struct bert_pass bert = {options, &pass->scratch->marks, pass->to, pass->poll, pass->error};
    mark_run_clear(bert.marks);
    for (size_t at = 0, next = 0; at < from->length;) {
        sembed_status status = normalizer_check(pass, at, &next);
        size_t stop =
            from->length - at > NORMALIZER_POLL_BYTES ? at + NORMALIZER_POLL_BYTES : from->length;
        while (stop < from->length && ((unsigned char)from->bytes[stop] & 0xC0) == 0x80)
            stop++;
        if (status == SEMBED_OK)
            status = normalize_range(&bert, from, at, stop);
        if (status != SEMBED_OK)
            return status;
        at = stop;
    }
    return bert.marks->count ? put_marks(&bert) : SEMBED_OK;
}
