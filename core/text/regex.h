/*
 * Regular expressions of tokenizer.json. The tokenizers library runs them with Oniguruma in Ruby's
 * syntax; here PCRE2 does, set so that the patterns in use mean the same: Unicode classes, ^ and $
 * at every line, lines that end in a line feed.
 *
 * Classes of characters are the library's whatever Unicode PCRE2 knows, see regex_syntax.c. What still
 * differs: \p{Cn} and the negated \S, \W, \D, \P{…} within a set are PCRE2's, and letters fold case
 * one by one. ByteLevel's own pattern is not run by PCRE2 (split_gpt2).
 */
#ifndef SEMBED_TEXT_REGEX_H
#define SEMBED_TEXT_REGEX_H

#include "core/base/archive.h"
#include "core/base/json.h"

struct regex;

/* Working memory of one thread for any regex; zero-initialise; free with regex_scratch_free. */
struct regex_scratch {
    void *match_data, *match_context;
};

/* pattern[length] is UTF-8; name stands for its file and key in messages. */
SEMBED_MUST_CHECK sembed_status regex_create(const char *name, const char *pattern, size_t length,
                                             struct regex **regex, sembed_error *error);

/* A regex that matches the text itself. */
SEMBED_MUST_CHECK sembed_status regex_create_literal(const char *text, size_t length,
                                                     struct regex **regex, sembed_error *error);

/* The pattern of Split and Replace: {"String": …} or {"Regex": …}. */
SEMBED_MUST_CHECK sembed_status regex_create_from_json(const struct json_file *file,
                                                       const json_t *pattern, struct regex **regex,
                                                       sembed_error *error);
void regex_destroy(struct regex *regex); /* NULL is allowed */

/* To and from an image: the pattern is compiled again. *regex may be NULL. */
void regex_store(struct archive *archive, struct regex **regex);

/* A search through one text. Zero-initialise all but text and length. */
struct regex_search {
    const char *text; /* valid UTF-8, all that the pattern sees */
    size_t length;
    size_t at;   /* where to look next */
    size_t last; /* where the last match ended, if has_last */
    bool has_last;
};

/*
 * The next match, bytes [*start, *stop), which is not before the last one's end; *found says whether
 * there is one. Matches may be empty, but not where the last one ended, as Oniguruma's Rust binding has
 * it (onig, FindMatches).
 */
SEMBED_MUST_CHECK sembed_status regex_next(const struct regex *regex, struct regex_scratch *scratch,
                                           struct regex_search *search, bool *found, size_t *start,
                                           size_t *stop, sembed_error *error);

void regex_scratch_free(struct regex_scratch *scratch);

#endif
