/*
 * The Unicode normal forms, with the alignments of the crate unicode-normalization-alignments.
 *
 * A text is decomposed into a list of changes (struct change), its marks put in order, the list
 * composed in place for NFC and NFKC, and the text transformed by it. How a change counts is the
 * crate's: the first part of a decomposition stands for the character, the others are added; a
 * composite has the changes of both parts less one. So "é", written e and U+0301, becomes
 *
 *     (e, 0) (U+0301, 0)   →   (é, -1)
 *
 * and has the span of the e alone, for that is what transforming makes of it.
 */
#include "core/text/normalizer_steps.h"

static sembed_status append(const struct normalizer_pass *pass, uint32_t character, int32_t change)
{
    struct normalizer_scratch *scratch = pass->scratch;
    if (scratch->change_count == scratch->change_capacity &&
        !memory_grow((void **)&scratch->changes, &scratch->change_capacity,
                     scratch->change_count + 1, sizeof *scratch->changes))
        return error_no_memory(pass->error, "normalized text");
    scratch->changes[scratch->change_count++] = (struct change){character, change};
    return SEMBED_OK;
}

static sembed_status append_marks(const struct normalizer_pass *pass)
{
    struct mark_run *run = &pass->scratch->marks;
    sembed_status status = mark_run_sort(run, pass->poll, pass->error);
    for (size_t i = 0; status == SEMBED_OK && i < run->count; i++) {
        if (poll_wants_stop_at(pass->poll, i))
            return error_canceled(pass->error);
        status = append(pass, run->marks[i].character, run->marks[i].first ? 0 : 1);
    }
    if (status != SEMBED_OK)
        return status;
    mark_run_clear(run);
    return SEMBED_OK;
}

static sembed_status append_decomposed(const struct normalizer_pass *pass, uint32_t character,
                                       bool compatibility)
{
    struct mark_run *run = &pass->scratch->marks;
    uint32_t parts[UNICODE_LONGEST_DECOMPOSITION];
    size_t count = unicode_decompose(character, compatibility, parts);
    for (size_t i = 0; i < count; i++) {
        uint8_t class = unicode_combining_class(parts[i]);
        sembed_status status = SEMBED_OK;
        if (class) {
            struct mark mark = {.character = parts[i], .class = class, .first = i == 0};
            status = mark_run_add(run, mark, pass->error);
        } else {
            if (run->count)
                status = append_marks(pass);
            if (status == SEMBED_OK)
                status = append(pass, parts[i], i == 0 ? 0 : 1);
        }
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

/*
 * Composes the changes in place (UAX #15, section 1.3). `starter`
 * is the place of the last starter; a mark composes with it unless one of the same or a higher
 * class stands between, which `blocked` remembers.
 */
static sembed_status compose(const struct normalizer_pass *pass)
{
    struct change *changes = pass->scratch->changes;
    size_t count = pass->scratch->change_count;
    size_t kept = 0, starter = SIZE_MAX;
    unsigned blocked = 0; /* class of the last mark kept behind the starter; 0: none */
    for (size_t i = 0; i < count; i++) {
        if (poll_wants_stop_at(pass->poll, i))
            return error_canceled(pass->error);
        struct change change = changes[i];
        unsigned class = unicode_combining_class(change.character);
        uint32_t composite = 0;
        if (starter != SIZE_MAX && (blocked == 0 || blocked < class))
            composite = unicode_compose(changes[starter].character, change.character);
        if (composite) {
            changes[starter].character = composite;
            changes[starter].change += change.change - 1;
            continue;
        }
        if (class == 0)
            starter = kept;
        if (starter != SIZE_MAX)
            blocked = class;
        changes[kept++] = change;
    }
    pass->scratch->change_count = kept;
    return SEMBED_OK;
}

static bool is_ascii(const struct aligned_text *text)
{
    for (size_t i = 0; i < text->length; i++)
        if ((unsigned char)text->bytes[i] >= 0x80)
            return false;
    return true;
}

sembed_status normalize_form(const struct normalizer_pass *pass, bool compatibility, bool composed)
{
    struct normalizer_scratch *scratch = pass->scratch;
    const struct aligned_text *from = pass->from;
    if (is_ascii(from))
        return aligned_text_copy(pass->to, from, 0, from->length, pass->poll, pass->error);
    scratch->change_count = 0;
    mark_run_clear(&scratch->marks);
    sembed_status status = SEMBED_OK;
    for (size_t at = 0, size, next = 0; at < from->length; at += size) {
        uint32_t character = unicode_decode(from->bytes + at, &size);
        status = normalizer_check(pass, at, &next);
        if (status == SEMBED_OK)
            status = append_decomposed(pass, character, compatibility);
        if (status != SEMBED_OK)
            return status;
    }
    status = append_marks(pass);
    if (status == SEMBED_OK && composed)
        status = compose(pass);
    if (status != SEMBED_OK)
        return status;
    return aligned_text_transform(pass->to, from, scratch->changes, scratch->change_count,
                                  pass->poll, pass->error);
}
