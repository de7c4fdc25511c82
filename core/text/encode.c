/*
 * From a text to its tokens.
 *
 * A text is worked through in parts, so that a long one of which only the first tokens are wanted
 * costs no more than those. A part ends before an added token, at the end of the text, or, where
 * the tokenizer's components allow it, between an ASCII letter or digit and a space, or before an
 * ideograph that is a word of its own:
 *
 *     the text        We met in [MASK] last   year and …
 *     parts           ├───────┤ token ├───────────────┤├─
 */
#include "core/text/repair.h"
#include "core/text/tokenizer_internal.h"
#include "core/text/trim_offsets.h"

#include <string.h>

#define PART_BYTES 2048
#define POLL_BYTES ((size_t)1 << 20)
#define POLL_WORDS ((size_t)64 << 10) /* bytes of words; a longer word asks by itself */
#define LONG_TEXT  ((size_t)64 << 10) /* one that takes more memory than a trim leaves */
#define LARGE_TEXT ((size_t)1 << 20)  /* one whose memory the system shall have back */

struct tokenizer_scratch {
    struct aligned_text text;
    struct normalizer_scratch normalizer;
    struct pretokenizer_scratch pretokenizer;
    struct splits splits;
    struct wordpiece_scratch wordpiece;
    struct bpe_scratch bpe;
    struct unigram_scratch unigram;
    struct pieces pieces;
    struct encoding sequences[2];
    struct repair repair;
    size_t longest; /* bytes of the longest text since it was empty */
};

sembed_status tokenizer_scratch_create(struct tokenizer_scratch **scratch, sembed_error *error)
{
    *scratch = memory_calloc(1, sizeof **scratch);
    return *scratch ? SEMBED_OK : error_no_memory(error, "the tokenizer's working memory");
}

static void free_buffers(struct tokenizer_scratch *scratch)
{
    aligned_text_free(&scratch->text);
    normalizer_scratch_free(&scratch->normalizer);
    pretokenizer_scratch_free(&scratch->pretokenizer);
    memory_free(scratch->splits.items);
    wordpiece_scratch_free(&scratch->wordpiece);
    bpe_scratch_free(&scratch->bpe);
    unigram_scratch_free(&scratch->unigram);
    memory_free(scratch->pieces.items);
    encoding_free(&scratch->sequences[0]);
    encoding_free(&scratch->sequences[1]);
    repair_free(&scratch->repair);
}

void tokenizer_scratch_destroy(struct tokenizer_scratch *scratch)
{
    if (!scratch)
        return;
    free_buffers(scratch);
    memory_free(scratch);
}

void tokenizer_scratch_trim(struct tokenizer_scratch *scratch)
{
    if (scratch->longest <= LONG_TEXT)
        return;
    bool large = scratch->longest > LARGE_TEXT;
    free_buffers(scratch);
    *scratch = (struct tokenizer_scratch){0};
    if (large)
        memory_trim();
}

/* ------------------------------------------------------------------------------- encodings */

void encoding_free(struct encoding *encoding)
{
    memory_free(encoding->ids);
    memory_free(encoding->types);
    memory_free(encoding->start);
    memory_free(encoding->stop);
    *encoding = (struct encoding){0};
}

static sembed_status encoding_reserve(struct encoding *encoding, size_t more, sembed_error *error)
{
    size_t wanted;
    if (!size_add(encoding->count, more, &wanted))
        return error_no_memory(error, "the tokens of a text");
    if (wanted <= encoding->capacity)
        return SEMBED_OK;
    size_t capacities[4] = {encoding->capacity, encoding->capacity, encoding->capacity,
                            encoding->capacity};
    if (!memory_grow((void **)&encoding->ids, &capacities[0], wanted, sizeof *encoding->ids) ||
        !memory_grow((void **)&encoding->types, &capacities[1], wanted, sizeof *encoding->types) ||
        !memory_grow((void **)&encoding->start, &capacities[2], wanted, sizeof *encoding->start) ||
        !memory_grow((void **)&encoding->stop, &capacities[3], wanted, sizeof *encoding->stop))
        return error_no_memory(error, "the tokens of a text");
    encoding->capacity = capacities[0];
    return SEMBED_OK;
}

/* As memmove, with questions to poll; where they overlap, `to` is before `from`. */
static sembed_status move_bytes(void *to, const void *from, size_t size, const sembed_poll *poll,
                                sembed_error *error)
{
    for (size_t done = 0; done < size; done += POLL_BYTES) {
        size_t piece = size - done < POLL_BYTES ? size - done : POLL_BYTES;
        memmove((char *)to + done, (const char *)from + done, piece);
        if (done + piece < size && poll_wants_stop(poll))
            return error_canceled(error);
    }
    return SEMBED_OK;
}

/* ------------------------------------------------------------------------------- one sequence */

/* The work on one text. */
struct job {
    const struct tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    const sembed_poll *poll;
    sembed_error *error;
    struct encoding *out;
    const char *text; /* valid UTF-8 */
    size_t length;
    bool with_offsets;
    size_t enough; /* stop behind the word with which there are this many tokens */
    bool stopped;
    size_t first; /* the token before which those that are over the limit are cut off */
};

static bool keeps_spans(const struct job *job)
{
    return job->with_offsets || job->tokenizer->needs_spans;
}

/* The place of bytes [start, stop) of the working text in the text itself, spaces taken off as the
 * post-processor wants it. */
static struct span find_offsets(const struct job *job, uint32_t id, bool added, size_t start,
                                size_t stop)
{
    const struct aligned_text *text = &job->scratch->text;
    const struct postprocessor *postprocessor = &job->tokenizer->postprocessor;
    struct span span = text->spans[start];
    if (stop > start)
        span.stop = text->spans[stop - 1].stop;
    /* An added token is what stands there, with the spaces that it took. */
    const char *token = text->bytes + start;
    size_t length = stop - start;
    if (!added && postprocessor->trim_count)
        token = vocabulary_token(job->tokenizer->vocabulary, id, &length);
    for (size_t i = 0; token && i < postprocessor->trim_count; i++)
        trim_offsets(job->text, token, length, job->out->count == job->first,
                     postprocessor->trims[i].add_prefix_space, &span);
    return span;
}

static sembed_status emit(struct job *job, uint32_t id, bool added, size_t start, size_t stop)
{
    struct encoding *out = job->out;
    if (out->count == out->capacity) {
        sembed_status status = encoding_reserve(out, 1, job->error);
        if (status != SEMBED_OK)
            return status;
    }
    out->ids[out->count] = id;
    if (job->with_offsets) {
        struct span span = find_offsets(job, id, added, start, stop);
        out->start[out->count] = span.start;
        out->stop[out->count] = span.stop;
    }
    out->count++;
    return SEMBED_OK;
}

static sembed_status split_word(struct job *job, const char *word, size_t length)
{
    struct tokenizer_scratch *scratch = job->scratch;
    switch (job->tokenizer->subword_type) {
    case SUBWORD_WORDPIECE:
        return wordpiece_split(job->tokenizer->wordpiece, &scratch->wordpiece, word, length,
                               job->poll, &scratch->pieces, job->error);
    case SUBWORD_BPE:
        return bpe_split(job->tokenizer->bpe, &scratch->bpe, word, length, job->poll,
                         &scratch->pieces, job->error);
    case SUBWORD_UNIGRAM:
        return unigram_split(job->tokenizer->unigram, &scratch->unigram, word, length, job->poll,
                             &scratch->pieces, job->error);
    case SUBWORD_NONE:
        break;
    }
    return error_set(job->error, SEMBED_INVALID_ARGUMENT, "the tokenizer has no model");
}

static sembed_status emit_word(struct job *job, struct split split)
{
    struct pieces *pieces = &job->scratch->pieces;
    pieces->count = 0;
    sembed_status status =
        split_word(job, job->scratch->text.bytes + split.start, split.stop - split.start);
    for (size_t i = 0; i < pieces->count && status == SEMBED_OK; i++) {
        if (poll_wants_stop_at(job->poll, i))
            return error_canceled(job->error);
        status = emit(job, pieces->items[i].id, false, split.start + pieces->items[i].start,
                      split.start + pieces->items[i].stop);
    }
    return status;
}

static sembed_status emit_splits(struct job *job)
{
    const struct splits *splits = &job->scratch->splits;
    for (size_t i = 0, next = POLL_WORDS; i < splits->count; i++) {
        struct split split = splits->items[i];
        if (poll_wants_stop_past(job->poll, split.start, &next))
            return error_canceled(job->error);
        sembed_status status;
        if (split.token != VOCABULARY_NONE) {
            status = emit(job, split.token, true, split.start, split.stop);
        } else {
            status = emit_word(job, split);
            if (job->out->count >= job->enough) {
                job->stopped = true;
                return status;
            }
        }
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

/* The next added token that begins before `limit`, if any. */
static sembed_status next_added(const struct job *job, struct added_search *search, size_t limit,
                                bool *found, uint32_t *id, size_t *start, size_t *stop)
{
    *found = false;
    while (!*found && search->at < limit) {
        size_t step = limit - search->at < POLL_BYTES ? limit : search->at + POLL_BYTES;
        *found = added_tokens_next(job->tokenizer->added_tokens, search, step, id, start, stop);
        bool tired = search->work >= ADDED_MOST_WORK;
        if (tired)
            search->work = 0;
        if ((tired || (!*found && step < limit)) && poll_wants_stop(job->poll))
            return error_canceled(job->error);
    }
    return SEMBED_OK;
}

/* Cuts the added tokens out of the normalized part. */
static sembed_status split_normalized(struct job *job)
{
    struct tokenizer_scratch *scratch = job->scratch;
    size_t length = scratch->text.length;
    struct added_search search = {
        .text = scratch->text.bytes, .length = length, .normalized = true};
    size_t done = 0, start, stop;
    uint32_t id;
    bool found;
    scratch->splits.count = 0;
    sembed_status status = next_added(job, &search, length, &found, &id, &start, &stop);
    for (size_t step = 0; status == SEMBED_OK && found; step++) {
        if (poll_wants_stop_at(job->poll, step))
            return error_canceled(job->error);
        status = splits_append(&scratch->splits, done, start, VOCABULARY_NONE, job->error);
        if (status == SEMBED_OK)
            status = splits_append(&scratch->splits, start, stop, id, job->error);
        done = stop;
        if (status == SEMBED_OK)
            status = next_added(job, &search, length, &found, &id, &start, &stop);
    }
    if (status == SEMBED_OK)
        status = splits_append(&scratch->splits, done, length, VOCABULARY_NONE, job->error);
    return status;
}

/* Bytes [start, stop) of the text, in which no added token is left but in normalized spelling. */
static sembed_status encode_part(struct job *job, size_t start, size_t stop, bool at_start,
                                 bool at_end)
{
    if (start == stop)
        return SEMBED_OK;
    if (poll_wants_stop(job->poll))
        return error_canceled(job->error);
    struct tokenizer_scratch *scratch = job->scratch;
    sembed_status status = aligned_text_set(&scratch->text, job->text + start, stop - start, start,
                                            keeps_spans(job), job->poll, job->error);
    if (status == SEMBED_OK)
        status = normalizer_apply(job->tokenizer->normalizer, &scratch->normalizer, &scratch->text,
                                  at_start, at_end, job->poll, job->error);
    if (status == SEMBED_OK)
        status = split_normalized(job);
    if (status == SEMBED_OK)
        status = pretokenizer_apply(job->tokenizer->pretokenizer, &scratch->pretokenizer,
                                    &scratch->text, &scratch->splits, job->poll, job->error);
    return status == SEMBED_OK ? emit_splits(job) : status;
}

static sembed_status emit_added(struct job *job, uint32_t id, size_t start, size_t stop)
{
    sembed_status status = aligned_text_set(&job->scratch->text, job->text + start, stop - start,
                                            start, keeps_spans(job), job->poll, job->error);
    return status == SEMBED_OK ? emit(job, id, true, 0, stop - start) : status;
}

static bool is_ascii_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_cut(const struct job *job, size_t at)
{
    const char *text = job->text;
    size_t size;
    if (text[at] == ' ')
        return is_ascii_alphanumeric(text[at - 1]);
    return job->tokenizer->cuts_at_chinese && ((unsigned char)text[at] & 0xC0) == 0xC0 &&
           unicode_is_chinese(unicode_decode(text + at, &size));
}

/* The last place in (start, stop) where the text may be cut; start where there is none. */
static sembed_status find_cut(const struct job *job, size_t start, size_t stop, size_t *cut)
{
    *cut = start;
    if (!job->tokenizer->allows_cuts)
        return SEMBED_OK;
    for (size_t at = stop - 1; at > start; at--) {
        if (poll_wants_stop_at(job->poll, at))
            return error_canceled(job->error);
        if (is_cut(job, at)) {
            *cut = at;
            break;
        }
    }
    return SEMBED_OK;
}

static sembed_status encode_sequence(struct job *job)
{
    struct added_search search = {.text = job->text, .length = job->length};
    size_t segment = 0;             /* where the current run without added tokens began */
    size_t done = 0;                /* what is before has been tokenized */
    size_t part_bytes = PART_BYTES; /* grows where there is no place to cut */
    sembed_status status = SEMBED_OK;
    job->out->count = 0;
    for (size_t step = 0; done < job->length && status == SEMBED_OK && !job->stopped; step++) {
        size_t limit = job->length - done > part_bytes ? done + part_bytes : job->length;
        uint32_t id;
        size_t start, stop, cut = limit;
        bool found;
        if (poll_wants_stop_at(job->poll, step))
            return error_canceled(job->error);
        status = next_added(job, &search, limit, &found, &id, &start, &stop);
        if (status == SEMBED_OK && found) {
            status = encode_part(job, done, start, done == segment, true);
            if (status == SEMBED_OK && !job->stopped)
                status = emit_added(job, id, start, stop);
            segment = done = stop;
            part_bytes = PART_BYTES;
            continue;
        }
        if (status == SEMBED_OK && limit < job->length)
            status = find_cut(job, done, limit, &cut);
        if (status != SEMBED_OK)
            return status;
        if (cut == done) {
            part_bytes = part_bytes > SIZE_MAX / 2 ? SIZE_MAX : part_bytes * 2;
            continue;
        }
        status = encode_part(job, done, cut, done == segment, cut == job->length);
        done = cut;
        part_bytes = PART_BYTES;
    }
    return status;
}

/* Offsets in the repaired text become offsets in the text that was given. */
static sembed_status restore_offsets(struct encoding *encoding, const uint32_t *origins,
                                     const sembed_poll *poll, sembed_error *error)
{
    for (size_t i = 0; i < encoding->count; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        encoding->start[i] = origins[encoding->start[i]];
        encoding->stop[i] = origins[encoding->stop[i]];
    }
    return SEMBED_OK;
}

/* Tokenizes any text into job->out. */
static sembed_status encode_text(struct job *job, sembed_text text)
{
    struct repair *repair = &job->scratch->repair;
    if (text.length > UINT32_MAX)
        return error_set(job->error, SEMBED_LIMIT, "the text takes %zu bytes, over 4 GB",
                         text.length);
    if (text.length > job->scratch->longest)
        job->scratch->longest = text.length;
    /* Poll is asked as often for a text, whatever went before it. */
    job->scratch->wordpiece.work = job->scratch->bpe.work = job->scratch->unigram.work = 0;
    sembed_text valid;
    sembed_status status =
        repair_text(repair, text, job->with_offsets, job->poll, &valid, job->error);
    job->text = valid.data;
    job->length = valid.length;
    if (status == SEMBED_OK)
        status = encode_sequence(job);
    if (status == SEMBED_OK && job->with_offsets && valid.data != text.data)
        status = restore_offsets(job->out, repair->origins, job->poll, job->error);
    return status;
}

/* ------------------------------------------------------------------------------- templates */

static sembed_status append_sequence(struct encoding *encoding, const struct encoding *sequence,
                                     uint8_t type, bool with_offsets, const sembed_poll *poll,
                                     sembed_error *error)
{
    sembed_status status = encoding_reserve(encoding, sequence->count, error);
    if (status != SEMBED_OK || sequence->count == 0)
        return status;
    size_t at = encoding->count, count = sequence->count;
    size_t size = count * sizeof *encoding->ids; /* and of the offsets */
    memset(encoding->types + at, type, count);
    status = move_bytes(encoding->ids + at, sequence->ids, size, poll, error);
    if (status == SEMBED_OK && with_offsets)
        status = move_bytes(encoding->start + at, sequence->start, size, poll, error);
    if (status == SEMBED_OK && with_offsets)
        status = move_bytes(encoding->stop + at, sequence->stop, size, poll, error);
    encoding->count += count;
    return status;
}

static sembed_status append_special(struct encoding *encoding, struct template_part part,
                                    sembed_error *error)
{
    sembed_status status = encoding_reserve(encoding, 1, error);
    if (status != SEMBED_OK)
        return status;
    size_t at = encoding->count++;
    encoding->ids[at] = part.id;
    encoding->types[at] = part.type;
    encoding->start[at] = encoding->stop[at] = 0;
    return SEMBED_OK;
}

static sembed_status fill_template(const struct template *template,
                                   const struct encoding sequences[2], bool with_offsets,
                                   const sembed_poll *poll, struct encoding *encoding,
                                   sembed_error *error)
{
    encoding->count = 0;
    for (size_t i = 0; i < template->count; i++) {
        struct template_part part = template->parts[i];
        sembed_status status = part.id < TEMPLATE_FIRST
                                   ? append_special(encoding, part, error)
                                   : append_sequence(encoding, &sequences[part.id - TEMPLATE_FIRST],
                                                     part.type, with_offsets, poll, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static sembed_status room_for_sequences(const struct template *template, size_t limit, size_t *room,
                                        sembed_error *error)
{
    if (limit < template->special_count)
        return error_set(error, SEMBED_INVALID_ARGUMENT,
                         "a limit of %zu tokens leaves no room for the %zu special tokens", limit,
                         template->special_count);
    *room = limit - template->special_count;
    return SEMBED_OK;
}

/* Leaves `count` of a text's tokens: the first ones, or the last where the tokenizer truncates left. */
static sembed_status keep_tokens(struct job *job, sembed_text text, struct encoding *sequence,
                                 size_t count)
{
    size_t excess = sequence->count - count;
    if (excess && job->tokenizer->truncates_left) {
        /* Offsets are trimmed according to which token is the first. */
        if (job->with_offsets && job->tokenizer->postprocessor.trim_count) {
            job->out = sequence;
            job->first = excess;
            sembed_status status = encode_text(job, text);
            if (status != SEMBED_OK)
                return status;
        }
        uint32_t *const arrays[] = {sequence->ids, sequence->start, sequence->stop};
        for (size_t i = 0; i < (job->with_offsets ? 3 : 1); i++) {
            sembed_status status = move_bytes(arrays[i], arrays[i] + excess,
                                              count * sizeof *arrays[i], job->poll, job->error);
            if (status != SEMBED_OK)
                return status;
        }
    }
    sequence->count = count;
    return SEMBED_OK;
}

/* How many tokens of a text to make where `room` of them are wanted: one more shows that it is too
 * long. To truncate left takes all. */
static size_t enough_tokens(const struct tokenizer *tokenizer, size_t room)
{
    return room == SIZE_MAX || tokenizer->truncates_left ? SIZE_MAX : room + 1;
}

sembed_status tokenizer_encode(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                               sembed_text text, size_t limit, bool with_offsets,
                               const sembed_poll *poll, struct encoding *encoding,
                               sembed_error *error)
{
    const struct template *template = &tokenizer->postprocessor.single;
    struct encoding *sequence = &scratch->sequences[0];
    size_t room = 0;
    sembed_status status = room_for_sequences(template, limit, &room, error);
    if (status != SEMBED_OK)
        return status;
    struct job job = {.tokenizer = tokenizer,
                      .scratch = scratch,
                      .poll = poll,
                      .error = error,
                      .out = sequence,
                      .with_offsets = with_offsets,
                      .enough = enough_tokens(tokenizer, room)};
    status = encode_text(&job, text);
    encoding->truncated = sequence->count > room;
    if (status == SEMBED_OK && encoding->truncated)
        status = keep_tokens(&job, text, sequence, room);
    if (status != SEMBED_OK)
        return status;
    return fill_template(template, scratch->sequences, with_offsets, poll, encoding, error);
}

/* The tokenizers library's TruncationStrategy::LongestFirst: the longer sequence is cut to what the
 * shorter leaves; where that would make it the shorter, both get half, and the odd token goes to
 * the longer one, or to the second where both are as long. Source: src/utils/truncation.rs. */
static void share_room(size_t room, size_t *first, size_t *second)
{
    bool first_is_longer = *first > *second;
    size_t shorter = first_is_longer ? *second : *first;
    size_t longer;
    if (shorter <= room && shorter <= room - shorter) {
        longer = room - shorter;
    } else {
        shorter = room / 2;
        longer = shorter + room % 2;
    }
    *first = first_is_longer ? longer : shorter;
    *second = first_is_longer ? shorter : longer;
}

/* Both texts of a pair, each until it has `enough` tokens; *stopped: both had so many. */
static sembed_status encode_both(struct job *job, const sembed_text texts[2], size_t enough,
                                 bool *stopped)
{
    *stopped = true;
    for (int i = 0; i < 2; i++) {
        job->out = &job->scratch->sequences[i];
        job->enough = enough;
        job->stopped = false;
        sembed_status status = encode_text(job, texts[i]);
        if (status != SEMBED_OK)
            return status;
        *stopped &= job->stopped;
    }
    return SEMBED_OK;
}

sembed_status tokenizer_encode_pair(const struct tokenizer *tokenizer,
                                    struct tokenizer_scratch *scratch, sembed_text first,
                                    sembed_text second, size_t limit, bool with_offsets,
                                    const sembed_poll *poll, struct encoding *encoding,
                                    sembed_error *error)
{
    const struct template *template = &tokenizer->postprocessor.pair;
    struct encoding *sequences = scratch->sequences;
    const sembed_text texts[2] = {first, second};
    struct job job = {.tokenizer = tokenizer,
                      .scratch = scratch,
                      .poll = poll,
                      .error = error,
                      .with_offsets = with_offsets};
    size_t room = 0;
    bool both_stopped = false;
    sembed_status status = room_for_sequences(template, limit, &room, error);
    if (status == SEMBED_OK)
        status = encode_both(&job, texts, enough_tokens(tokenizer, room), &both_stopped);
    /* Who gets the odd token depends on which text is longer, so both are read to their ends. */
    if (status == SEMBED_OK && both_stopped && room % 2 == 1)
        status = encode_both(&job, texts, SIZE_MAX, &both_stopped);
    if (status != SEMBED_OK)
        return status;

    size_t counts[2] = {sequences[0].count, sequences[1].count};
    encoding->truncated = counts[0] > room || counts[1] > room - counts[0];
    if (encoding->truncated)
        share_room(room, &counts[0], &counts[1]);
    for (int i = 0; i < 2 && status == SEMBED_OK; i++)
        if (counts[i] < sequences[i].count)
            status = keep_tokens(&job, texts[i], &sequences[i], counts[i]);
    if (status != SEMBED_OK)
        return status;
    return fill_template(template, sequences, with_offsets, poll, encoding, error);
}
