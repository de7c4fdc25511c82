/*
 * The `Precompiled` normalizer: SentencePiece's precompiled_charsmap, mostly NFKC plus some house
 * rules, as the spm_precompiled crate and tokenizers' normalizers/precompiled.rs apply it.
 *
 * The blob is a little-endian size, a double-array trie of that many bytes (darts-clone's format) and
 * replacement strings, each ended by a zero byte. The text is taken by extended grapheme clusters
 * (UAX #29, Unicode 17 as the library's): a cluster under 6 bytes is looked up first, and what is
 * found for its shortest prefix in the trie replaces all of it; else each character is looked up
 * alone. Every index into the blob is checked, so a hostile blob gives other text, never a bad read.
 */
#ifndef SEMBED_TEXT_CHARSMAP_H
#define SEMBED_TEXT_CHARSMAP_H

#include "core/base/archive.h"
#include "core/base/json.h"

#include <stdbool.h>

struct charsmap;

/* blob[size] is copied. SEMBED_MALFORMED where it is cut short or its strings are not UTF-8; name
 * stands for the file in messages. Free with charsmap_destroy. */
SEMBED_MUST_CHECK sembed_status charsmap_create(const char *name, const unsigned char *blob,
                                                size_t size, struct charsmap **charsmap,
                                                sembed_error *error);

/* The same from a normalizer object of tokenizer.json, whose "precompiled_charsmap" is base64. */
SEMBED_MUST_CHECK sembed_status charsmap_create_from_json(const struct json_file *file,
                                                          const json_t *object,
                                                          struct charsmap **charsmap,
                                                          sembed_error *error);
void charsmap_destroy(struct charsmap *charsmap); /* NULL is allowed */

/* To and from an image. */
void charsmap_store(struct archive *archive, struct charsmap **charsmap);

#define CHARSMAP_NO_SOURCE UINT32_MAX

/* What comes out; belongs to the caller, who zero-initialises it, sets count to what should be
 * kept, and frees both arrays with memory_free. Both grow with memory_grow. */
struct charsmap_output {
    char *bytes; /* [count], UTF-8 */
    size_t bytes_capacity;
    uint32_t *sources; /* [count] where asked for, see below */
    size_t sources_capacity;
    size_t count;
};

/*
 * Appends the normalized form of text[length] (valid UTF-8, under 4 GiB) to output. *changed, if
 * changed is not NULL, says whether any rule was applied; where none was, what is appended is text.
 *
 * With with_sources, output->sources[i] is the byte of text that output byte i belongs to: its
 * offsets in the original are those of that byte of text, or (0, 0) for CHARSMAP_NO_SOURCE. This is
 * NormalizedString::transform's alignment: a replacement's first characters belong to the characters
 * replaced, one by one; those it has more of, to the last byte before. Nothing removed at the very
 * beginning is accounted for there, so all that follows is taken to be that much earlier. poll may be
 * NULL.
 */
SEMBED_MUST_CHECK sembed_status charsmap_normalize(const struct charsmap *charsmap,
                                                   const char *text, size_t length,
                                                   bool with_sources, const sembed_poll *poll,
                                                   struct charsmap_output *output, bool *changed,
                                                   sembed_error *error);

#endif
