#define _GNU_SOURCE           /* memmem */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "core/text/regex.h"

#include "core/base/memory.h"
#include "core/text/regex_syntax.h"
#include "core/text/unicode.h"

#include <pcre2.h>
#include <string.h>

/*
 * How much a match may try before it is given up as SEMBED_LIMIT: some 0.1 s, for poll cannot be asked on
 * the way. Compiled code takes some 15 ns a try; what needs more stack than that has is interpreted, at
 * 300 ns, and is no pattern of a published tokenizer.
 */
#define MOST_TRIES             5000000
#define MOST_INTERPRETED_TRIES 250000

struct regex {
    pcre2_code *code; /* NULL: the literal */
    char *literal;
    size_t literal_length;
    char *pattern; /* of code */
    size_t pattern_length;
};

static void *allocate(size_t size, void *state)
{
    (void)state;
    return memory_alloc(size);
}

static void release(void *pointer, void *state)
{
    (void)state;
    memory_free(pointer);
}

static sembed_status compile(const char *name, const char *pattern, size_t length,
                             struct regex *regex, sembed_error *error)
{
    char *text = NULL;
    size_t text_length;
    pcre2_compile_context *compile_context = NULL;
    sembed_status status = regex_to_pcre2(name, pattern, length, &text, &text_length, error);
    if (status != SEMBED_OK)
        return status;
    status = SEMBED_NO_MEMORY;
    pcre2_general_context *general = pcre2_general_context_create(allocate, release, NULL);
    if (!general)
        goto cleanup;
    compile_context = pcre2_compile_context_create(general);
    if (!compile_context)
        goto cleanup;
    pcre2_set_newline(compile_context, PCRE2_NEWLINE_LF);
    pcre2_set_bsr(compile_context, PCRE2_BSR_UNICODE);

    int code;
    PCRE2_SIZE at;
    regex->code = pcre2_compile((PCRE2_SPTR)text, text_length,
                                PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                                &code, &at, compile_context);
    if (!regex->code && code == PCRE2_ERROR_HEAP_FAILED)
        goto cleanup;
    if (!regex->code) {
        PCRE2_UCHAR message[128] = "";
        pcre2_get_error_message(code, message, sizeof message);
        status = error_set(error, SEMBED_UNSUPPORTED, "%s: regular expression '%.*s': %s", name,
                           (int)(length < 200 ? length : 200), pattern, (char *)message);
        goto cleanup;
    }
    /* Where the host forbids code made at run time, PCRE2 goes without. */
    pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    status = SEMBED_OK;
cleanup:
    memory_free(text);
    pcre2_compile_context_free(compile_context);
    pcre2_general_context_free(general);
    return status == SEMBED_NO_MEMORY ? error_no_memory(error, "a regular expression") : status;
}

sembed_status regex_create(const char *name, const char *pattern, size_t length,
                           struct regex **regex, sembed_error *error)
{
    struct regex *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a regular expression");
    made->pattern = memory_alloc(length + 1);
    sembed_status status = made->pattern ? compile(name, pattern, length, made, error)
                                         : error_no_memory(error, "a regular expression");
    if (status == SEMBED_OK) {
        memcpy(made->pattern, pattern, length);
        made->pattern_length = length;
    } else {
        regex_destroy(made);
        return status;
    }
    *regex = made;
    return SEMBED_OK;
}

sembed_status regex_create_literal(const char *text, size_t length, struct regex **regex,
                                   sembed_error *error)
{
    struct regex *made = memory_calloc(1, sizeof *made);
    if (!made || !(made->literal = memory_alloc(length))) {
        regex_destroy(made);
        return error_no_memory(error, "a pattern");
    }
    memcpy(made->literal, text, length);
    made->literal_length = length;
    *regex = made;
    return SEMBED_OK;
}

sembed_status regex_create_from_json(const struct json_file *file, const json_t *pattern,
                                     struct regex **regex, sembed_error *error)
{
    const json_t *literal = json_object_get(pattern, "String");
    const json_t *text = json_object_get(pattern, "Regex");
    if (json_is_string(literal))
        return regex_create_literal(json_string_value(literal), json_string_length(literal), regex,
                                    error);
    if (json_is_string(text))
        return regex_create(file->path, json_string_value(text), json_string_length(text), regex,
                            error);
    return json_expected(file, "pattern", "a String or a Regex", pattern, error);
}

void regex_destroy(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    memory_free(regex->literal);
    memory_free(regex->pattern);
    memory_free(regex);
}

void regex_store(struct archive *archive, struct regex **regex)
{
    struct regex *stored = archive_struct(archive, (void **)regex, sizeof *stored);
    if (!stored)
        return;
    bool is_literal = stored->literal != NULL;
    archive_value(archive, &is_literal);
    if (is_literal) {
        archive_text(archive, &stored->literal, &stored->literal_length);
        return;
    }
    archive_text(archive, &stored->pattern, &stored->pattern_length);
    if (archive->opening && archive->status == SEMBED_OK)
        archive_fail(archive, compile("tokenizer.json", stored->pattern, stored->pattern_length,
                                      stored, archive->error));
}

void regex_scratch_free(struct regex_scratch *scratch)
{
    pcre2_match_data_free(scratch->match_data);
    pcre2_match_context_free(scratch->match_context);
    *scratch = (struct regex_scratch){0};
}

static bool find_literal(const struct regex *regex, const struct regex_search *search,
                         size_t *start, size_t *stop)
{
    const char *text = search->text + search->at;
    size_t left = search->length - search->at;
    /* Most words do not have it, and an empty literal is everywhere. */
    const char *first = regex->literal_length ? memchr(text, regex->literal[0], left) : text;
    if (!first)
        return false;
    /* In proportion to both lengths, which memcmp at each such place is not. */
    const char *found =
        memmem(first, left - (size_t)(first - text), regex->literal, regex->literal_length);
    if (!found)
        return false;
    *start = (size_t)(found - search->text);
    *stop = *start + regex->literal_length;
    return true;
}

static bool scratch_reserve(struct regex_scratch *scratch)
{
    if (scratch->match_data && scratch->match_context)
        return true;
    pcre2_general_context *general = pcre2_general_context_create(allocate, release, NULL);
    if (general && !scratch->match_data)
        scratch->match_data = pcre2_match_data_create(1, general);
    if (general && !scratch->match_context)
        scratch->match_context = pcre2_match_context_create(general);
    pcre2_general_context_free(general);
    return scratch->match_data && scratch->match_context;
}

static int match(const struct regex *regex, const struct regex_scratch *scratch,
                 const struct regex_search *search, uint32_t options, uint32_t most_tries)
{
    pcre2_set_match_limit(scratch->match_context, most_tries);
    return pcre2_match(regex->code, (PCRE2_SPTR)search->text, search->length, search->at,
                       PCRE2_NO_UTF_CHECK | options, scratch->match_data, scratch->match_context);
}

static sembed_status find_pattern(const struct regex *regex, struct regex_scratch *scratch,
                                  const struct regex_search *search, bool *found, size_t *start,
                                  size_t *stop, sembed_error *error)
{
    if (!scratch_reserve(scratch))
        return error_no_memory(error, "a regular expression's matches");
    int result = match(regex, scratch, search, 0, MOST_TRIES);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT)
        result = match(regex, scratch, search, PCRE2_NO_JIT, MOST_INTERPRETED_TRIES);
    *found = result >= 0;
    if (*found) {
        const PCRE2_SIZE *pair = pcre2_get_ovector_pointer(scratch->match_data);
        /* \K in an assertion can set the start behind the stop, or before the place where the search
         * began, at which the next one would then begin again. */
        *start = pair[0] < search->at ? search->at : pair[0];
        *stop = pair[1] < *start ? *start : pair[1];
        return SEMBED_OK;
    }
    if (result == PCRE2_ERROR_NOMATCH)
        return SEMBED_OK;
    if (result == PCRE2_ERROR_NOMEMORY)
        return error_no_memory(error, "a regular expression's matches");
    PCRE2_UCHAR message[128] = "";
    pcre2_get_error_message(result, message, sizeof message);
    return error_set(error, SEMBED_LIMIT, "a regular expression of the tokenizer failed: %s",
                     (char *)message);
}

sembed_status regex_next(const struct regex *regex, struct regex_scratch *scratch,
                         struct regex_search *search, bool *found, size_t *start, size_t *stop,
                         sembed_error *error)
{
    *found = false;
    while (search->at <= search->length) {
        sembed_status status = SEMBED_OK;
        if (regex->literal)
            *found = find_literal(regex, search, start, stop);
        else
            status = find_pattern(regex, scratch, search, found, start, stop, error);
        if (status != SEMBED_OK || !*found)
            return status;
        if (*start < *stop || !search->has_last || search->last != *stop) {
            search->at = search->last = *stop;
            search->has_last = true;
            return SEMBED_OK;
        }
        /* Empty, and where the last match ended: one character on. */
        size_t size = 1;
        if (search->at < search->length)
            unicode_decode(search->text + search->at, &size);
        search->at += size;
        *found = false;
    }
    return SEMBED_OK;
}
