/*
 * Extended grapheme clusters: what a reader takes for one character (UAX #29, Unicode 17).
 *
 * utf8proc finds them too, by the Unicode version it was built with: 15.0 on Debian 12, 15.1 on
 * Debian 13. A text's tokens must not depend on that, hence a table of our own.
 */
#ifndef SEMBED_TEXT_GRAPHEME_H
#define SEMBED_TEXT_GRAPHEME_H

#include "core/base/error.h"

#include <stddef.h>

/* Bytes of the cluster at the front of valid UTF-8 text[length], length > 0, that begins where a
 * cluster may begin; 0 where poll, which may be NULL, wants to stop. */
size_t grapheme_length(const char *text, size_t length, const sembed_poll *poll);

#endif
