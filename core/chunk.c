/*
 * A long text → pieces that a model reads whole.
 *
 * The text is tokenized once. Between two tokens there is a boundary, unless they share a character
 * (bytes of an emoji). White space around it belongs to no chunk: a boundary knows where the text
 * before it stops and where the text behind it starts. What may end there gives it a rank:
 *
 *     sentence   behind . ! ? … and the like, with closing quotes and brackets, and white space; behind
 *                the full-width 。！？ and the like, white space or not; at a blank line
 *     word       at white space; between characters of scripts that are written without it
 *     token      anywhere else
 *
 * Abbreviations are not known: "Dr. Who" is two sentences.
 *
 *     text      It rains .  ( We stay in .)  Un believ able !
 *     token      1   2   3  4  5   6   7 89  10   11    12  13
 *     before it      w   t  s  t   w   w tt  s    t     t   t   s
 *
 * With room for 6 tokens, chunks are cut greedily. From 1, tokens 1 … 6 fit; the last sentence end
 * among them is behind 3: chunk "It rains." From 4, tokens 4 … 9 fit and end a sentence: chunk
 * "(We stay in.)" Then 10 … 13.
 *
 * With an overlap of 3 a chunk begins up to 3 tokens before the last one's end, at the earliest
 * sentence there, else word, else at that end; but never so early that it could no longer end at the
 * sentence (or word) where without overlap it could. So the second chunk still begins at 4: from 2
 * on, 6 tokens end at 7, inside the sentence. The third begins at 7, with room for 8 tokens:
 * "in.) Unbelievable!"
 *
 * A piece by itself may have other tokens than the same piece in its text: a tokenizer puts a space
 * before the first word, joins what a cut has parted, or spells out what was ##able. So each chunk is
 * tokenized by itself, and where it is too long it gives up as many tokens at its end and is tried
 * again. What it gives up begins the next chunk.
 *
 * Each token is read some two times, and once more for each chunk that it overlaps into: the time is
 * linear in the length of what is handed out.
 */
#include "core/context.h"
#include "core/text/unicode.h"

#include <string.h>

enum rank { RANK_TOKEN, RANK_WORD, RANK_SENTENCE };

/* A place to cut: text before it stops at byte `stop`, text behind it starts at byte `start`. */
struct boundary {
    uint32_t stop, start;
    uint32_t before; /* tokens that lie before it; those up to `after` are white space */
    uint32_t after;
    uint8_t rank; /* enum rank */
};

/* One call of sembed_chunk_text. */
struct chunking {
    const sembed_model *model;
    sembed_context *context;
    const sembed_poll *poll;
    sembed_text text;
    size_t max_tokens; /* of a chunk, special tokens included */
    size_t room;       /* the same without them */
    size_t overlap;
    struct boundary *boundaries; /* by place; the first at the text's start, the last at its end */
    size_t boundary_count, boundary_capacity;
    sembed_chunk *chunks;
    size_t chunk_count, chunk_capacity;
    sembed_error *error;
};

/* ------------------------------------------------------------------------------------ the scanner */

/* How the text so far ends, white space aside. */
enum ending { ENDING_NONE, ENDING_BEFORE_SPACE, ENDING_ANYWHERE };

/* Walks through the text once, from character to character. */
struct scanner {
    sembed_text text;
    size_t position;
    size_t valid_end; /* valid UTF-8 from position up to here */
    size_t stop;      /* where the last character that is not white space ends */
    uint32_t last;    /* that character */
    enum ending ending;
    bool space;         /* white space between stop and position */
    size_t line_breaks; /* in it */
};

/* Ends a sentence where white space follows. */
static bool ends_before_space(uint32_t character)
{
    switch (character) {
    case '.':
    case '!':
    case '?':
    case 0x2026: /* … */
    case 0x203C: /* ‼ */
    case 0x203D: /* ‽ */
    case 0x2047: /* ⁇ */
    case 0x2048: /* ⁈ */
    case 0x2049: /* ⁉ */
        return true;
    default:
        return false;
    }
}

/* Ends a sentence, whatever follows: marks that are used for nothing else. */
static bool ends_anywhere(uint32_t character)
{
    switch (character) {
    case 0x0589: /* Armenian ։ */
    case 0x061F: /* Arabic ؟ */
    case 0x06D4: /* Urdu ۔ */
    case 0x0964: /* Devanagari । */
    case 0x0965: /* Devanagari ॥ */
    case 0x104B: /* Burmese ။ */
    case 0x1362: /* Ethiopic ። */
    case 0x17D4: /* Khmer ។ */
    case 0x3002: /* 。 */
    case 0xFF01: /* ！ */
    case 0xFF0E: /* ． */
    case 0xFF1F: /* ？ */
    case 0xFF61: /* ｡ */
        return true;
    default:
        return false;
    }
}

/* A quote or bracket that may stand between a sentence's mark and its end. */
static bool closes(uint32_t character)
{
    switch (character) {
    case '"':
    case '\'':
    case ')':
    case ']':
    case '}':
    case 0x00BB: /* » */
    case 0x2019: /* ’ */
    case 0x201D: /* ” */
    case 0x203A: /* › */
    case 0x3009: /* 〉 */
    case 0x300B: /* 》 */
    case 0x300D: /* 」 */
    case 0x300F: /* 』 */
    case 0x3011: /* 】 */
    case 0xFF09: /* ） */
    case 0xFF3D: /* ］ */
    case 0xFF5D: /* ｝ */
        return true;
    default:
        return false;
    }
}

/* The character at the position, which is not the text's end; *size: its bytes. */
static uint32_t peek(struct scanner *scanner, size_t *size)
{
    const char *here = scanner->text.data + scanner->position;
    size_t left = scanner->text.length - scanner->position;
    if (scanner->position >= scanner->valid_end)
        scanner->valid_end = scanner->position + unicode_valid_prefix(here, left);
    if (scanner->position < scanner->valid_end)
        return unicode_decode(here, size);
    *size = unicode_fault_length(here, left);
    return UNICODE_REPLACEMENT;
}

static bool is_line_break(uint32_t character)
{
    return character == '\n' || character == 0x2028 || character == 0x2029;
}

/* Takes note of a character and goes behind it. */
static void step_over(struct scanner *scanner, uint32_t character, size_t size)
{
    scanner->position += size;
    if (unicode_is_whitespace(character)) {
        scanner->space = true;
        /* A paragraph separator is a blank line by itself. */
        scanner->line_breaks += is_line_break(character) + (character == 0x2029);
        return;
    }
    if (ends_before_space(character))
        scanner->ending = ENDING_BEFORE_SPACE;
    else if (ends_anywhere(character))
        scanner->ending = ENDING_ANYWHERE;
    else if (!closes(character) || scanner->space)
        scanner->ending = ENDING_NONE;
    scanner->stop = scanner->position;
    scanner->last = character;
    scanner->space = false;
    scanner->line_breaks = 0;
}

/* Goes to the character that begins at or behind the byte, and on over white space. */
static void scan_to(struct scanner *scanner, size_t byte)
{
    while (scanner->position < scanner->text.length) {
        size_t size;
        uint32_t character = peek(scanner, &size);
        if (scanner->position >= byte && !unicode_is_whitespace(character))
            return;
        step_over(scanner, character, size);
    }
}

/* A mark or closing quote that follows at once still belongs to the sentence. */
static bool is_inside_ending(struct scanner *scanner)
{
    size_t size;
    uint32_t next = peek(scanner, &size);
    return !scanner->space && (closes(next) || ends_before_space(next) || ends_anywhere(next));
}

/* Of a script that puts no white space between words. */
static bool is_spaceless(uint32_t character)
{
    return (character >= 0x0E00 && character <= 0x0EFF) || /* Thai, Lao */
           (character >= 0x1000 && character <= 0x109F) || /* Burmese */
           (character >= 0x1780 && character <= 0x17FF) || /* Khmer */
           (character >= 0x2E80 && character <= 0xA4CF) || /* Han, kana, bopomofo, Yi */
           (character >= 0xF900 && character <= 0xFAFF) || /* Han */
           (character >= 0x20000 && character <= 0x3FFFF); /* Han */
}

/* A letter or digit, not a mark on the one before, follows in such a script, or behind it. */
static bool is_between_words(struct scanner *scanner)
{
    size_t size;
    uint32_t next = peek(scanner, &size);
    return scanner->space || ((is_spaceless(next) || is_spaceless(scanner->last)) &&
                              (unicode_is_letter(next) || unicode_is_number(next)));
}

static enum rank rank_here(struct scanner *scanner)
{
    if (scanner->position == scanner->text.length || scanner->line_breaks > 1 ||
        (scanner->ending == ENDING_BEFORE_SPACE && scanner->space) ||
        (scanner->ending == ENDING_ANYWHERE && !is_inside_ending(scanner)))
        return RANK_SENTENCE;
    return is_between_words(scanner) ? RANK_WORD : RANK_TOKEN;
}

/* ------------------------------------------------------------------------------------- boundaries */

/* The scanner's place as a boundary before token `before`; where it is that of the last one, only
 * white space lay between. */
static sembed_status add_boundary(struct chunking *chunking, struct scanner *scanner, size_t before)
{
    size_t count = chunking->boundary_count;
    if (count > 0 && chunking->boundaries[count - 1].start == scanner->position) {
        chunking->boundaries[count - 1].after = (uint32_t)before;
        return SEMBED_OK;
    }
    if (!memory_grow((void **)&chunking->boundaries, &chunking->boundary_capacity, count + 1,
                     sizeof *chunking->boundaries))
        return error_no_memory(chunking->error, "the boundaries of a text");
    chunking->boundaries[count] = (struct boundary){.stop = (uint32_t)scanner->stop,
                                                    .start = (uint32_t)scanner->position,
                                                    .before = (uint32_t)before,
                                                    .after = (uint32_t)before,
                                                    .rank = (uint8_t)rank_here(scanner)};
    chunking->boundary_count++;
    return SEMBED_OK;
}

/* Every boundary of the text, whose tokens are in `encoding`; special ones are passed over. */
static sembed_status find_boundaries(struct chunking *chunking, const struct encoding *encoding)
{
    struct scanner scanner = {.text = chunking->text};
    size_t tokens = 0, last_stop = 0;
    scan_to(&scanner, 0);
    sembed_status status = add_boundary(chunking, &scanner, 0);
    for (size_t i = 0; status == SEMBED_OK && i < encoding->count; i++) {
        if (i % 4096 == 0 && poll_wants_stop(chunking->poll))
            return error_canceled(chunking->error);
        if (encoding->stop[i] == 0)
            continue;
        size_t start = encoding->start[i];
        /* Tokens that share a character leave nothing to cut. */
        if (start >= last_stop && start >= scanner.stop) {
            scan_to(&scanner, start);
            status = add_boundary(chunking, &scanner, tokens);
        }
        last_stop = encoding->stop[i] > last_stop ? encoding->stop[i] : last_stop;
        tokens++;
    }
    scan_to(&scanner, chunking->text.length);
    return status == SEMBED_OK ? add_boundary(chunking, &scanner, tokens) : status;
}

/* ----------------------------------------------------------------------------------------- cuts */

/*
 * The best boundary behind `first` and up to `last`: of the highest rank, and of these the last one.
 * Empty where there is none: returns first.
 */
static size_t best_end(const struct chunking *chunking, size_t first, size_t last)
{
    size_t best = first;
    for (size_t i = last; i > first; i--)
        if (best == first || chunking->boundaries[i].rank > chunking->boundaries[best].rank)
            best = i;
    return best;
}

/* The last boundary that `tokens` tokens behind boundary `first` reach; first where that is none. */
static size_t reach(const struct chunking *chunking, size_t first, size_t tokens)
{
    const struct boundary *boundaries = chunking->boundaries;
    size_t limit = boundaries[first].after + tokens;
    size_t last = first;
    while (last + 1 < chunking->boundary_count && boundaries[last + 1].before <= limit)
        last++;
    return last;
}

/*
 * Where the chunk begins that follows one which ended at boundary `end` and began at `first`: up to
 * overlap tokens before end, but not inside a word, and not so early that the chunk could not end at
 * the sentence, else word, at which it could end if it began at end.
 */
static size_t next_start(const struct chunking *chunking, size_t first, size_t end)
{
    const struct boundary *boundaries = chunking->boundaries;
    size_t must_reach = best_end(chunking, end, reach(chunking, end, chunking->room));
    /* The nearest of that rank is enough. */
    for (size_t i = end + 1; i < must_reach; i++)
        if (boundaries[i].rank == boundaries[must_reach].rank)
            must_reach = i;
    size_t best = end;
    for (size_t i = end; i > first + 1; i--) {
        size_t candidate = i - 1;
        if (boundaries[end].before - boundaries[candidate].after > chunking->overlap ||
            boundaries[must_reach].before - boundaries[candidate].after > chunking->room)
            break;
        if (boundaries[candidate].rank > RANK_TOKEN &&
            (best == end || boundaries[candidate].rank >= boundaries[best].rank))
            best = candidate;
    }
    return best;
}

/* ----------------------------------------------------------------------------------------- chunks */

/* How many tokens bytes [start, stop) are by themselves. */
static sembed_status count_tokens(struct chunking *chunking, size_t start, size_t stop,
                                  size_t *count)
{
    struct encoding *encoding = &chunking->context->encoding;
    sembed_text piece = {chunking->text.data + start, stop - start};
    sembed_status status =
        tokenizer_encode(chunking->model->tokenizer, chunking->context->tokenizer_scratch, piece,
                         SIZE_MAX, false, chunking->poll, encoding, chunking->error);
    *count = encoding->count;
    return status;
}

static sembed_status add_chunk(struct chunking *chunking, sembed_chunk chunk)
{
    if (!memory_grow((void **)&chunking->chunks, &chunking->chunk_capacity,
                     chunking->chunk_count + 1, sizeof chunk))
        return error_no_memory(chunking->error, "the chunks of a text");
    chunking->chunks[chunking->chunk_count++] = chunk;
    return SEMBED_OK;
}

/*
 * Adds the chunk that begins at boundary `first` and ends behind boundary `behind`; *end: where. It is
 * made shorter until it fits; *end is behind again where even one token more does not.
 */
static sembed_status cut_chunk(struct chunking *chunking, size_t first, size_t behind, size_t *end)
{
    const struct boundary *boundaries = chunking->boundaries;
    size_t room = chunking->room;
    for (;;) {
        size_t last = reach(chunking, first, room);
        *end = last > behind ? best_end(chunking, behind, last) : behind;
        if (*end == behind)
            return SEMBED_OK;
        sembed_chunk chunk = {boundaries[first].start, boundaries[*end].stop, 0};
        sembed_status status = count_tokens(chunking, chunk.start, chunk.stop, &chunk.tokens);
        if (status != SEMBED_OK)
            return status;
        if (chunk.tokens <= chunking->max_tokens)
            return add_chunk(chunking, chunk);
        size_t excess = chunk.tokens - chunking->max_tokens;
        size_t used = boundaries[*end].before - boundaries[first].after;
        room = used > excess ? used - excess : 0;
    }
}

static sembed_status refuse_token(const struct chunking *chunking, size_t boundary)
{
    return error_set(chunking->error, SEMBED_INVALID_ARGUMENT,
                     "max_tokens: %zu are too few for what stands at byte %u of the text",
                     chunking->max_tokens, (unsigned)chunking->boundaries[boundary].start);
}

static sembed_status cut(struct chunking *chunking)
{
    size_t last = chunking->boundary_count - 1;
    size_t first = 0, end = 0;
    sembed_status status = SEMBED_OK;
    while (status == SEMBED_OK && end < last) {
        size_t behind = end;
        if (poll_wants_stop(chunking->poll))
            return error_canceled(chunking->error);
        status = cut_chunk(chunking, first, behind, &end);
        if (status != SEMBED_OK)
            break;
        if (end > behind)
            first = next_start(chunking, first, end);
        else if (first < behind)
            first = behind; /* what overlaps left no room */
        else
            status = refuse_token(chunking, behind);
    }
    return status;
}

/* ------------------------------------------------------------------------------------------------ */

/* What is left of max_tokens beside the special tokens. */
static sembed_status find_room(struct chunking *chunking)
{
    size_t special;
    sembed_status status = count_tokens(chunking, 0, 0, &special);
    if (status != SEMBED_OK)
        return status;
    if (chunking->max_tokens > chunking->model->max_tokens)
        return error_set(chunking->error, SEMBED_INVALID_ARGUMENT,
                         "max_tokens: expected at most the %zu that model '%s' reads, found %zu",
                         chunking->model->max_tokens, chunking->model->name, chunking->max_tokens);
    if (chunking->max_tokens <= special)
        return error_set(chunking->error, SEMBED_INVALID_ARGUMENT,
                         "max_tokens: expected more than the %zu special tokens of model '%s', "
                         "found %zu",
                         special, chunking->model->name, chunking->max_tokens);
    chunking->room = chunking->max_tokens - special;
    if (chunking->room > UINT32_MAX) /* no text has more tokens */
        chunking->room = UINT32_MAX;
    if (chunking->overlap >= chunking->room)
        return error_set(chunking->error, SEMBED_INVALID_ARGUMENT,
                         "overlap: expected less than the %zu tokens that a chunk has room for, "
                         "found %zu",
                         chunking->room, chunking->overlap);
    return SEMBED_OK;
}

static sembed_status chunk_text(struct chunking *chunking)
{
    struct encoding *encoding = &chunking->context->encoding;
    sembed_status status = find_room(chunking);
    if (status == SEMBED_OK)
        status = tokenizer_encode(chunking->model->tokenizer, chunking->context->tokenizer_scratch,
                                  chunking->text, SIZE_MAX, true, chunking->poll, encoding,
                                  chunking->error);
    if (status == SEMBED_OK)
        status = find_boundaries(chunking, encoding);
    return status == SEMBED_OK ? cut(chunking) : status;
}

sembed_status sembed_chunk_text(const sembed_model *model, sembed_context *context,
                                sembed_text text, size_t max_tokens, size_t overlap,
                                const sembed_poll *poll, sembed_chunk **chunks, size_t *count,
                                sembed_error *error)
{
    struct chunking chunking = {.model = model,
                                .context = context,
                                .poll = poll,
                                .text = text,
                                .max_tokens = max_tokens ? max_tokens : model->max_tokens,
                                .overlap = overlap,
                                .error = error};
    *chunks = NULL;
    *count = 0;
    sembed_status status = context_check_texts(context, &text, 1, error);
    if (status == SEMBED_OK)
        status = chunk_text(&chunking);
    memory_free(chunking.boundaries);
    if (status != SEMBED_OK) {
        memory_free(chunking.chunks);
        return status;
    }
    *chunks = chunking.chunks;
    *count = chunking.chunk_count;
    return SEMBED_OK;
}
