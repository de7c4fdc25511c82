/* Pre-tokenizers that change the text on the way. */
#include "core/text/byte_alphabet.h"
#include "core/text/pretokenizer_steps.h"

sembed_status rewrite_with_prefix_space(const struct pretokenizer_pass *pass, struct split split,
                                        struct aligned_text *to)
{
    sembed_status status = SEMBED_OK;
    if (pass->text->bytes[split.start] != ' ')
        status =
            aligned_text_append(to, ' ', aligned_text_span(pass->text, split.start), pass->error);
    if (status == SEMBED_OK)
        status =
            aligned_text_copy(to, pass->text, split.start, split.stop, pass->poll, pass->error);
    return status;
}

sembed_status rewrite_bytes(const struct pretokenizer_pass *pass, struct split split,
                            struct aligned_text *to)
{
    for (size_t at = split.start, next = 0; at < split.stop; at++) {
        uint32_t character = byte_alphabet_character((unsigned char)pass->text->bytes[at]);
        sembed_status status = pretokenizer_check(pass, at, &next);
        if (status == SEMBED_OK)
            status =
                aligned_text_append(to, character, aligned_text_span(pass->text, at), pass->error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static bool wants_prefix(const struct aligned_text *text, struct split split,
                         const struct metaspace *options)
{
    if (options->prepend == PREPEND_NEVER ||
        (options->prepend == PREPEND_FIRST && aligned_text_span(text, split.start).start != 0))
        return false;
    if (text->bytes[split.start] == ' ')
        return false;
    return split.stop - split.start < options->length ||
           memcmp(text->bytes + split.start, options->replacement, options->length) != 0;
}

sembed_status rewrite_metaspace(const struct pretokenizer_pass *pass, struct split split,
                                const struct metaspace *options, struct aligned_text *to)
{
    const struct aligned_text *text = pass->text;
    sembed_status status = SEMBED_OK;
    if (wants_prefix(text, split, options))
        status = aligned_text_insert(to, options->replacement, options->length,
                                     aligned_text_span(text, split.start), pass->error);
    size_t done = split.start, next = 0;
    while (status == SEMBED_OK && done < split.stop) {
        const char *space = memchr(text->bytes + done, ' ', split.stop - done);
        size_t at = space ? (size_t)(space - text->bytes) : split.stop;
        status = pretokenizer_check(pass, at, &next);
        if (status == SEMBED_OK)
            status = aligned_text_copy(to, text, done, at, pass->poll, pass->error);
        if (status == SEMBED_OK && space)
            status = aligned_text_insert(to, options->replacement, options->length,
                                         aligned_text_span(text, at), pass->error);
        done = at + 1;
    }
    return status;
}
