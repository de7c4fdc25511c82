/* Texts that are not valid UTF-8: read as Rust's String::from_utf8_lossy reads them, one U+FFFD for
 * each fault (unicode_fault_length), and how to find a place again in the bytes that were given. */
#ifndef SEMBED_TEXT_REPAIR_H
#define SEMBED_TEXT_REPAIR_H

#include "core/base/error.h"

#include <stdbool.h>

/* Grows and is reused; zero-initialise; free with repair_free. */
struct repair {
    char *bytes;
    uint32_t *origins; /* [length + 1]: where each byte, and the end, stood in the text given */
    size_t capacity, origins_capacity;
};

/*
 * *valid: the text itself if it is valid UTF-8, else a repaired copy, which lives until the next
 * call. with_origins: note where each of its bytes stood. Texts whose copy would take over
 * UINT32_MAX bytes are SEMBED_LIMIT.
 */
SEMBED_MUST_CHECK sembed_status repair_text(struct repair *repair, sembed_text text,
                                            bool with_origins, const sembed_poll *poll,
                                            sembed_text *valid, sembed_error *error);

void repair_free(struct repair *repair);

#endif
