/* Patterns as the tokenizers library writes them, in PCRE2's words. */
#ifndef SEMBED_TEXT_REGEX_SYNTAX_H
#define SEMBED_TEXT_REGEX_SYNTAX_H

#include "core/base/error.h"

/*
 * The pattern that means to PCRE2 what pattern[length] means to Oniguruma with Ruby's syntax and
 * Unicode 16. *text is the caller's, freed with memory_free. SEMBED_UNSUPPORTED where PCRE2 has no
 * words for it and would read it otherwise; name stands for the file in messages.
 */
SEMBED_MUST_CHECK sembed_status regex_to_pcre2(const char *name, const char *pattern, size_t length,
                                               char **text, size_t *text_length,
                                               sembed_error *error);

#endif
