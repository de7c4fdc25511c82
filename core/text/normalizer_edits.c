/* Normalizers that put in, take out or replace strings. */
#include "core/text/normalizer_steps.h"

sembed_status normalize_strip(const struct normalizer_pass *pass, bool left, bool right)
{
    const struct aligned_text *from = pass->from;
    size_t start = 0, stop = from->length, size;
    while (left && pass->at_start && start < stop &&
           unicode_is_whitespace(unicode_decode(from->bytes + start, &size)))
        start += size;
    while (right && pass->at_end && start < stop &&
           unicode_is_whitespace(unicode_decode_last(from->bytes, stop, &size)))
        stop -= size;
    return aligned_text_copy(pass->to, from, start, stop, pass->poll, pass->error);
}

sembed_status normalize_prepend(const struct normalizer_pass *pass, const char *content,
                                size_t length)
{
    const struct aligned_text *from = pass->from;
    sembed_status status = SEMBED_OK;
    if (pass->at_start && from->length)
        status =
            aligned_text_insert(pass->to, content, length, aligned_text_span(from, 0), pass->error);
    if (status == SEMBED_OK)
        status = aligned_text_copy(pass->to, from, 0, from->length, pass->poll, pass->error);
    return status;
}

sembed_status normalize_replace(const struct normalizer_pass *pass, const struct regex *regex,
                                const char *content, size_t length)
{
    const struct aligned_text *from = pass->from;
    struct regex_search search = {.text = from->bytes, .length = from->length};
    const struct span origin = {from->origin, from->origin};
    size_t done = 0, start, stop, next = 0;
    while (from->length) {
        bool found;
        sembed_status status =
            regex_next(regex, &pass->scratch->regex, &search, &found, &start, &stop, pass->error);
        if (status != SEMBED_OK)
            return status;
        if (!found)
            break;
        struct span span = stop ? aligned_text_span(from, stop - 1) : origin;
        status = normalizer_check(pass, stop + pass->to->length, &next);
        if (status == SEMBED_OK)
            status = aligned_text_copy(pass->to, from, done, start, pass->poll, pass->error);
        if (status == SEMBED_OK)
            status = aligned_text_insert(pass->to, content, length, span, pass->error);
        if (status != SEMBED_OK)
            return status;
        done = stop;
    }
    return aligned_text_copy(pass->to, from, done, from->length, pass->poll, pass->error);
}

sembed_status normalize_charsmap(const struct normalizer_pass *pass,
                                 const struct charsmap *charsmap)
{
    const struct aligned_text *from = pass->from;
    struct charsmap_output *output = &pass->scratch->charsmap;
    bool changed = false;
    output->count = 0;
    sembed_status status = charsmap_normalize(charsmap, from->bytes, from->length, from->tracked,
                                              pass->poll, output, &changed, pass->error);
    if (status != SEMBED_OK)
        return status;
    if (!changed)
        return aligned_text_copy(pass->to, from, 0, from->length, pass->poll, pass->error);
    for (size_t done = 0, piece; status == SEMBED_OK && done < output->count; done += piece) {
        piece = output->count - done;
        piece = piece < NORMALIZER_POLL_BYTES ? piece : NORMALIZER_POLL_BYTES;
        status = aligned_text_insert(pass->to, output->bytes + done, piece,
                                     (struct span){from->origin, from->origin}, pass->error);
        for (size_t i = done; status == SEMBED_OK && from->tracked && i < done + piece; i++)
            if (output->sources[i] != CHARSMAP_NO_SOURCE)
                pass->to->spans[i] = from->spans[output->sources[i]];
        if (status == SEMBED_OK && poll_wants_stop(pass->poll))
            status = error_canceled(pass->error);
    }
    return status;
}
