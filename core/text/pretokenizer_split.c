/* Pre-tokenizers that split and leave the text as it is. */
#include "core/text/pretokenizer_steps.h"

#define NO_TOKEN VOCABULARY_NONE

static sembed_status append(const struct pretokenizer_pass *pass, size_t start, size_t stop)
{
    return splits_append(pass->out, start, stop, NO_TOKEN, pass->error);
}

/* ------------------------------------------------------------------------------- plain words */

sembed_status split_bert(const struct pretokenizer_pass *pass, struct split split)
{
    size_t word = split.start;
    for (size_t at = split.start, size, next = 0; at < split.stop; at += size) {
        uint32_t character = unicode_decode(pass->text->bytes + at, &size);
        bool space = unicode_is_whitespace(character);
        sembed_status status = pretokenizer_check(pass, at, &next);
        if (status == SEMBED_OK && !space && !unicode_is_punctuation(character))
            continue;
        if (status == SEMBED_OK)
            status = append(pass, word, at);
        if (status == SEMBED_OK && !space)
            status = append(pass, at, at + size);
        if (status != SEMBED_OK)
            return status;
        word = at + size;
    }
    return append(pass, word, split.stop);
}

sembed_status split_words(const struct pretokenizer_pass *pass, struct split split)
{
    enum { SPACE, WORD, SIGN } kind, before = SPACE;
    size_t start = split.start;
    for (size_t at = split.start, size, next = 0; at < split.stop; at += size) {
        uint32_t character = unicode_decode(pass->text->bytes + at, &size);
        kind = unicode_is_word(character) ? WORD : unicode_is_whitespace(character) ? SPACE : SIGN;
        sembed_status status = pretokenizer_check(pass, at, &next);
        if (status == SEMBED_OK && kind == before)
            continue;
        if (status == SEMBED_OK && before != SPACE)
            status = append(pass, start, at);
        if (status != SEMBED_OK)
            return status;
        start = at;
        before = kind;
    }
    return before == SPACE ? SEMBED_OK : append(pass, start, split.stop);
}

/*
 * GPT-2's pattern, by hand:
 *
 *     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 * Every character is in some match. Of a run of spaces the last is left to what stands behind it:
 * as its " ?" if it is U+0020, else alone.
 */
enum gpt2_kind { GPT2_SPACE, GPT2_LETTER, GPT2_NUMBER, GPT2_SIGN };

static enum gpt2_kind gpt2_kind(uint32_t character)
{
    if (unicode_is_letter(character))
        return GPT2_LETTER;
    if (unicode_is_number(character))
        return GPT2_NUMBER;
    return unicode_is_whitespace(character) ? GPT2_SPACE : GPT2_SIGN;
}

/* Bytes of the contraction at the front of text[length]; 0: none stands there. */
static size_t contraction(const char *text, size_t length)
{
    static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t size = strlen(endings[i]);
        if (size <= length && memcmp(text, endings[i], size) == 0)
            return size;
    }
    return 0;
}

/* *at, where a run of one kind begins, becomes where it ends; *last: where its last character begins. */
static sembed_status run_end(const struct pretokenizer_pass *pass, size_t *at, size_t stop,
                             enum gpt2_kind kind, size_t *last)
{
    const char *text = pass->text->bytes;
    size_t size, next = *at + PRETOKENIZER_POLL_BYTES;
    while (*at < stop && gpt2_kind(unicode_decode(text + *at, &size)) == kind) {
        if (poll_wants_stop_past(pass->poll, *at, &next))
            return error_canceled(pass->error);
        *last = *at;
        *at += size;
    }
    return SEMBED_OK;
}

/* Where the match that begins at `at` ends. */
static sembed_status gpt2_match(const struct pretokenizer_pass *pass, size_t at, size_t stop,
                                size_t *end)
{
    const char *text = pass->text->bytes;
    size_t size = 0, last = at;
    *end = at;
    if (text[at] == '\'' && (size = contraction(text + at, stop - at))) {
        *end = at + size;
        return SEMBED_OK;
    }
    enum gpt2_kind kind = gpt2_kind(unicode_decode(text + at, &size));
    if (text[at] == ' ' && at + 1 < stop) {
        enum gpt2_kind behind = gpt2_kind(unicode_decode(text + at + 1, &size));
        if (behind != GPT2_SPACE) {
            *end = at + 1;
            return run_end(pass, end, stop, behind, &last);
        }
    }
    sembed_status status = run_end(pass, end, stop, kind, &last);
    if (kind == GPT2_SPACE && *end < stop && last > at)
        *end = last;
    return status;
}

sembed_status split_gpt2(const struct pretokenizer_pass *pass, struct split split)
{
    size_t next = 0;
    for (size_t at = split.start, end; at < split.stop; at = end) {
        sembed_status status = gpt2_match(pass, at, split.stop, &end);
        if (status == SEMBED_OK)
            status = pretokenizer_check(pass, at, &next);
        if (status == SEMBED_OK)
            status = append(pass, at, end);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

/* ------------------------------------------------------------------------------- matches */

static sembed_status add_match(const struct pretokenizer_pass *pass, size_t start, size_t stop,
                               bool is_match)
{
    struct pretokenizer_scratch *scratch = pass->scratch;
    if (scratch->match_count == scratch->match_capacity &&
        !memory_grow((void **)&scratch->matches, &scratch->match_capacity, scratch->match_count + 1,
                     sizeof *scratch->matches))
        return error_no_memory(pass->error, "the splits of a text");
    scratch->matches[scratch->match_count++] =
        (struct match){(uint32_t)start, (uint32_t)stop, is_match};
    return SEMBED_OK;
}

/* Whether a run is joined to the one before it. */
static bool joins(enum split_behavior behavior, const struct match *run, bool match_before)
{
    if (behavior == BEHAVIOR_CONTIGUOUS)
        return run->is_match == match_before;
    if (behavior == BEHAVIOR_MERGED_WITH_NEXT)
        return !run->is_match && match_before;
    return behavior == BEHAVIOR_MERGED_WITH_PREVIOUS && run->is_match && !match_before;
}

/* Turns the matches, which cover a split without gaps, into splits. Source: the library's
 * NormalizedString::split. */
static sembed_status append_matches(const struct pretokenizer_pass *pass,
                                    enum split_behavior behavior)
{
    const struct match *matches = pass->scratch->matches;
    size_t count = pass->scratch->match_count;
    for (size_t i = 0, next = PRETOKENIZER_POLL_BYTES; i < count;) {
        size_t first = i;
        if (poll_wants_stop_past(pass->poll, i, &next))
            return error_canceled(pass->error);
        if (behavior == BEHAVIOR_REMOVED && matches[i].is_match) {
            i++;
            continue;
        }
        bool match_before = matches[i++].is_match;
        while (i < count && joins(behavior, &matches[i], match_before))
            match_before = matches[i++].is_match;
        sembed_status status = append(pass, matches[first].start, matches[i - 1].stop);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

sembed_status split_by_class(const struct pretokenizer_pass *pass, struct split split,
                             bool (*is_match)(uint32_t), enum split_behavior behavior)
{
    size_t done = split.start;
    pass->scratch->match_count = 0;
    for (size_t at = split.start, size, next = 0; at < split.stop; at += size) {
        uint32_t character = unicode_decode(pass->text->bytes + at, &size);
        sembed_status status = pretokenizer_check(pass, at, &next);
        if (status == SEMBED_OK && !is_match(character))
            continue;
        if (status == SEMBED_OK && at > done)
            status = add_match(pass, done, at, false);
        if (status == SEMBED_OK)
            status = add_match(pass, at, at + size, true);
        if (status != SEMBED_OK)
            return status;
        done = at + size;
    }
    if (done < split.stop) {
        sembed_status status = add_match(pass, done, split.stop, false);
        if (status != SEMBED_OK)
            return status;
    }
    return append_matches(pass, behavior);
}

sembed_status split_by_regex(const struct pretokenizer_pass *pass, struct split split,
                             const struct regex *regex, bool invert, enum split_behavior behavior)
{
    struct regex_search search = {.text = pass->text->bytes + split.start,
                                  .length = split.stop - split.start};
    size_t done = split.start;
    pass->scratch->match_count = 0;
    for (size_t next = 0;;) {
        bool found;
        size_t start, stop;
        sembed_status status =
            regex_next(regex, &pass->scratch->regex, &search, &found, &start, &stop, pass->error);
        if (status == SEMBED_OK && found && split.start + start > done)
            status = add_match(pass, done, split.start + start, invert);
        if (status == SEMBED_OK && found)
            status = add_match(pass, split.start + start, split.start + stop, !invert);
        if (status != SEMBED_OK)
            return status;
        if (!found)
            break;
        done = split.start + stop;
        status = pretokenizer_check(pass, done, &next);
        if (status != SEMBED_OK)
            return status;
    }
    if (done < split.stop) {
        sembed_status status = add_match(pass, done, split.stop, invert);
        if (status != SEMBED_OK)
            return status;
    }
    return append_matches(pass, behavior);
}
