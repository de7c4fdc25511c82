/*
 * The two kinds of expressions agree in nearly everything. What is put in other words:
 *
 *     \p{L} \p{Han} …   the same and the characters that came after Unicode 14
 *     \w \b [:word:]    Oniguruma's words hold marks, connectors, numerals: नमस्ते is one word
 *     \s \d [:punct:]   Unicode's white space (without U+180E), decimal digits, P and S
 *     \h                a hexadecimal digit
 *     \uHHHH            \x{HHHH}
 *     (?m)              (?s): that a dot is a line feed too
 *     x{1,3}+           x+: what is in braces is never possessive, but repeated again
 *
 * For example, `[^\s\p{Thai}]` becomes
 *
 *     [^\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\p{sc:Thai}]
 *
 * Sets within sets and && have no counterpart and are refused. \S, \W, \D and \P{…} within a set are
 * left to PCRE2. Source: Oniguruma's doc/RE and doc/UNICODE_PROPERTIES; pcre2pattern(3).
 */
#include "core/text/regex_syntax.h"

#include "core/base/memory.h"
#include "core/text/regex_tables.h"

#include <stdio.h>
#include <string.h>

struct translation {
    const char *pattern;
    size_t length, at;
    bool in_set;
    char *text;
    size_t count, capacity;
    bool no_memory;
};

static void put(struct translation *translation, const char *text, size_t length)
{
    if (translation->no_memory || !memory_grow((void **)&translation->text, &translation->capacity,
                                               translation->count + length, 1)) {
        translation->no_memory = true;
        return;
    }
    memcpy(translation->text + translation->count, text, length);
    translation->count += length;
}

static void put_text(struct translation *translation, const char *text)
{
    put(translation, text, strlen(text));
}

/* ------------------------------------------------------------------------- members of a set */

static void put_late_runs(struct translation *translation, const char *name)
{
    bool of_group = name[1] == '\0'; /* L: Lu, Ll, … */
    for (size_t i = 0; i < regex_late_run_count; i++) {
        const struct regex_late_run *run = &regex_late_runs[i];
        bool same = of_group ? run->name[0] == name[0] && run->name[2] == '\0'
                             : strcmp(run->name, name) == 0;
        char text[32];
        if (!same)
            continue;
        snprintf(text, sizeof text, "\\x{%X}-\\x{%X}", run->first, run->last);
        put_text(translation, text);
    }
}

/* Members of a set: a category ("L", "Lu"), or a script that has late characters. */
static void put_property(struct translation *translation, const char *name)
{
    put_text(translation, strlen(name) > 2 ? "\\p{sc:" : "\\p{");
    put_text(translation, name);
    put_text(translation, "}");
    put_late_runs(translation, name);
}

static void put_space(struct translation *translation)
{
    put_text(translation, "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}"
                          "\\x{202F}\\x{205F}\\x{3000}");
}

static void put_digit(struct translation *translation)
{
    put_property(translation, "Nd");
}

static void put_hexadecimal(struct translation *translation)
{
    put_text(translation, "0-9A-Fa-f");
}

/* Letters, marks, decimal digits, connectors; what else is alphabetic; superscripts and fractions
 * of Latin-1. */
static void put_word(struct translation *translation)
{
    static const char *const properties[] = {"L", "M", "Nd", "Nl", "Pc"};
    for (size_t i = 0; i < sizeof properties / sizeof *properties; i++)
        put_property(translation, properties[i]);
    put_text(translation, "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}\\x{24B6}-\\x{24E9}"
                          "\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}");
}

static void put_punctuation(struct translation *translation)
{
    put_property(translation, "P");
    put_property(translation, "S");
}

typedef void put_members(struct translation *translation);

/* ---------------------------------------------------------------------------------- escapes */

/* A set of its own, or members of the one that is open. */
static void put_set(struct translation *translation, bool negated, put_members *members)
{
    if (!translation->in_set)
        put_text(translation, negated ? "[^" : "[");
    members(translation);
    if (!translation->in_set)
        put_text(translation, "]");
}

/* \b or \B: between a word and what is none, or not. */
static void put_boundary(struct translation *translation, bool negated)
{
    static const char *const places[2][4] = {
        {"(?:(?<=[", "])(?![", "])|(?<![", "])(?=["},
        {"(?:(?<=[", "])(?=[", "])|(?<![", "])(?!["},
    };
    for (size_t i = 0; i < 4; i++) {
        put_text(translation, places[negated][i]);
        put_word(translation);
    }
    put_text(translation, "]))");
}

/* What \s and its like stand for. */
static put_members *members_of(char letter)
{
    switch (letter) {
    case 's':
        return put_space;
    case 'd':
        return put_digit;
    case 'w':
        return put_word;
    case 'h':
        return put_hexadecimal;
    default:
        return NULL;
    }
}

static bool is_late(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < regex_late_run_count; i++)
        if (strcmp(regex_late_runs[i].name, name) == 0 ||
            (length == 1 && regex_late_runs[i].name[0] == name[0] &&
             regex_late_runs[i].name[2] == '\0'))
            return true;
    return false;
}

/* \p{Name}, \p{^Name} or \P{Name} at `at`; false where it is to be left as it is. */
static bool take_property(struct translation *translation)
{
    const char *from = translation->pattern + translation->at;
    size_t left = translation->length - translation->at;
    const char *end = left > 3 && from[2] == '{' ? memchr(from, '}', left) : NULL;
    char name[sizeof regex_late_runs->name];
    if (!end)
        return false;
    bool caret = from[3] == '^', negated = caret != (from[1] == 'P');
    const char *start = from + 3 + caret;
    size_t length = (size_t)(end - start);
    if (length >= sizeof name || (negated && translation->in_set))
        return false;
    memcpy(name, start, length);
    name[length] = '\0';
    if (!is_late(name))
        return false;
    if (!translation->in_set)
        put_text(translation, negated ? "[^" : "[");
    put_property(translation, name);
    if (!translation->in_set)
        put_text(translation, "]");
    translation->at += (size_t)(end - from) + 1;
    return true;
}

static bool is_hexadecimal(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

/* \uHHHH */
static bool take_code(struct translation *translation)
{
    const char *digits = translation->pattern + translation->at + 2;
    if (translation->length - translation->at < 6)
        return false;
    for (int i = 0; i < 4; i++)
        if (!is_hexadecimal(digits[i]))
            return false;
    put_text(translation, "\\x{");
    put(translation, digits, 4);
    put_text(translation, "}");
    translation->at += 6;
    return true;
}

/* The escape at `at`. */
static void take_escape(struct translation *translation)
{
    const char *from = translation->pattern + translation->at;
    size_t left = translation->length - translation->at;
    char letter = left > 1 ? from[1] : '\0';
    char lower = (char)(letter | 0x20);
    bool upper = letter >= 'A' && letter <= 'Z';
    if ((lower == 'p' && take_property(translation)) || (letter == 'u' && take_code(translation)))
        return;
    put_members *members = upper || (letter >= 'a' && letter <= 'z') ? members_of(lower) : NULL;
    if (members && !(upper && translation->in_set)) {
        put_set(translation, upper, members);
        translation->at += 2;
    } else if (lower == 'b' && left > 1 && !translation->in_set && (upper || letter == 'b')) {
        put_boundary(translation, upper);
        translation->at += 2;
    } else {
        size_t size = left > 1 ? 2 : 1;
        put(translation, from, size);
        translation->at += size;
    }
}

/* ------------------------------------------------------------------------------------- sets */

static bool starts_with(const struct translation *translation, const char *text)
{
    size_t length = strlen(text);
    return translation->length - translation->at >= length &&
           memcmp(translation->pattern + translation->at, text, length) == 0;
}

/* [:name:] at `at`. */
static void take_posix_class(struct translation *translation)
{
    static const struct {
        const char *name;
        put_members *members;
    } classes[] = {{"[:space:]", put_space},
                   {"[:digit:]", put_digit},
                   {"[:word:]", put_word},
                   {"[:punct:]", put_punctuation}};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (starts_with(translation, classes[i].name)) {
            classes[i].members(translation);
            translation->at += strlen(classes[i].name);
            return;
        }
    }
    put_text(translation, "[:");
    translation->at += 2;
}

/* One piece of a set's inside; false where PCRE2 would read it otherwise. */
static bool take_in_set(struct translation *translation)
{
    char c = translation->pattern[translation->at];
    if (starts_with(translation, "[:")) {
        take_posix_class(translation);
        return true;
    }
    if (c == '[' || starts_with(translation, "&&"))
        return false;
    translation->in_set = c != ']';
    put(translation, &c, 1);
    translation->at++;
    return true;
}

/* [ or [^ and a ] that is a member. */
static void open_set(struct translation *translation)
{
    translation->in_set = true;
    do {
        put(translation, translation->pattern + translation->at++, 1);
    } while (starts_with(translation, "^") && translation->pattern[translation->at - 1] == '[');
    if (starts_with(translation, "]"))
        put(translation, translation->pattern + translation->at++, 1);
}

/* --------------------------------------------------------------------------------- the rest */

/* (?imx-imx) or (?imx-imx: at `at`. */
static bool take_options(struct translation *translation)
{
    const char *from = translation->pattern + translation->at;
    size_t left = translation->length - translation->at, size = 2;
    while (size < left && from[size] && strchr("imx-", from[size]))
        size++;
    if (size == 2 || size == left || (from[size] != ')' && from[size] != ':'))
        return false;
    for (size_t i = 0; i < size; i++)
        put_text(translation, from[i] == 'm' ? "s" : (char[2]){from[i], '\0'});
    translation->at += size;
    return true;
}

/* {0,n}+ or {1,n}+ at `at`. */
static bool take_repeated_interval(struct translation *translation)
{
    const char *from = translation->pattern + translation->at;
    size_t left = translation->length - translation->at, size = 3;
    if (left < 5 || (from[1] != '0' && from[1] != '1') || from[2] != ',')
        return false;
    while (size < left && from[size] >= '0' && from[size] <= '9')
        size++;
    if (left - size < 2 || from[size] != '}' || from[size + 1] != '+')
        return false;
    put_text(translation, from[1] == '0' ? "*" : "+");
    translation->at += size + 2;
    return true;
}

/* One piece of the pattern; false where PCRE2 would read it otherwise. */
static bool take(struct translation *translation)
{
    char c = translation->pattern[translation->at];
    if (c == '\\')
        take_escape(translation);
    else if (translation->in_set)
        return take_in_set(translation);
    else if (c == '[')
        open_set(translation);
    else if (!(starts_with(translation, "(?") && take_options(translation)) &&
             !(c == '{' && take_repeated_interval(translation)))
        put(translation, translation->pattern + translation->at++, 1);
    return true;
}

sembed_status regex_to_pcre2(const char *name, const char *pattern, size_t length, char **text,
                             size_t *text_length, sembed_error *error)
{
    struct translation translation = {.pattern = pattern, .length = length};
    bool readable = true;
    translation.no_memory =
        !memory_grow((void **)&translation.text, &translation.capacity, length + 1, 1);
    while (readable && translation.at < length && !translation.no_memory)
        readable = take(&translation);
    if (readable && !translation.no_memory) {
        *text = translation.text;
        *text_length = translation.count;
        return SEMBED_OK;
    }
    memory_free(translation.text);
    if (translation.no_memory)
        return error_no_memory(error, "a regular expression");
    return error_set(error, SEMBED_UNSUPPORTED,
                     "%s: regular expression '%.*s': at byte %zu: a set within a set", name,
                     (int)(length < 200 ? length : 200), pattern, translation.at);
}
