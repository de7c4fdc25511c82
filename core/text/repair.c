#include "core/text/repair.h"

#include "core/base/memory.h"
#include "core/text/unicode.h"

#include <string.h>

/* Bytes that are worked through between two questions to poll: to check them takes little, to write
 * them anew more. */
#define PIECE_BYTES  ((size_t)1 << 20)
#define REPAIR_BYTES ((size_t)1 << 18)

static size_t piece_length(sembed_text text, size_t at)
{
    return text.length - at < PIECE_BYTES ? text.length - at : PIECE_BYTES;
}

static sembed_status check(sembed_text text, const sembed_poll *poll, bool *valid,
                           sembed_error *error)
{
    *valid = true;
    for (size_t at = 0; at < text.length && *valid;) {
        size_t piece = piece_length(text, at);
        size_t checked = unicode_valid_prefix(text.data + at, piece);
        /* The piece may end inside a character: then some bytes of it are left for the next. */
        *valid = checked == piece || (piece == PIECE_BYTES && piece - checked < UNICODE_LONGEST);
        at += checked;
        if (at < text.length && poll_wants_stop(poll))
            return error_canceled(error);
    }
    return SEMBED_OK;
}

static sembed_status reserve(struct repair *repair, size_t size, bool with_origins,
                             sembed_error *error)
{
    if (size > UINT32_MAX)
        return error_set(error, SEMBED_LIMIT, "the text takes over 4 GB");
    if (!memory_grow((void **)&repair->bytes, &repair->capacity, size, 1) ||
        (with_origins && !memory_grow((void **)&repair->origins, &repair->origins_capacity, size,
                                      sizeof *repair->origins)))
        return error_no_memory(error, "a text that is not valid UTF-8");
    return SEMBED_OK;
}

/* Copies what is valid at the front of text[at …), or puts U+FFFD for the fault there; moves on. */
static sembed_status copy_piece(struct repair *repair, sembed_text text, bool with_origins,
                                size_t *at, size_t *size, sembed_error *error)
{
    size_t used = unicode_valid_prefix(text.data + *at, piece_length(text, *at));
    sembed_status status = reserve(repair, *size + used + UNICODE_LONGEST, with_origins, error);
    if (status != SEMBED_OK)
        return status;
    size_t put = used;
    memcpy(repair->bytes + *size, text.data + *at, used);
    for (size_t i = 0; with_origins && i < used; i++)
        repair->origins[*size + i] = (uint32_t)(*at + i);
    if (used == 0) {
        put = unicode_encode(UNICODE_REPLACEMENT, repair->bytes + *size);
        used = unicode_fault_length(text.data + *at, text.length - *at);
        for (size_t i = 0; with_origins && i < put; i++)
            repair->origins[*size + i] = (uint32_t)*at;
    }
    *size += put;
    *at += used;
    return SEMBED_OK;
}

sembed_status repair_text(struct repair *repair, sembed_text text, bool with_origins,
                          const sembed_poll *poll, sembed_text *valid, sembed_error *error)
{
    bool is_valid;
    sembed_status status = check(text, poll, &is_valid, error);
    *valid = text;
    if (status != SEMBED_OK || is_valid)
        return status;
    size_t size = 0;
    for (size_t at = 0, next_poll = REPAIR_BYTES; at < text.length;) {
        status = copy_piece(repair, text, with_origins, &at, &size, error);
        if (status != SEMBED_OK)
            return status;
        if (at < next_poll)
            continue;
        if (poll_wants_stop(poll))
            return error_canceled(error);
        next_poll = at + REPAIR_BYTES;
    }
    if (with_origins)
        repair->origins[size] = (uint32_t)text.length;
    *valid = (sembed_text){repair->bytes, size};
    return SEMBED_OK;
}

void repair_free(struct repair *repair)
{
    memory_free(repair->bytes);
    memory_free(repair->origins);
    *repair = (struct repair){0};
}
