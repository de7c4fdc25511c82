/*
 * Reads a JSON text (RFC 8259) from left to right, token by token, with no memory for what has been
 * read: for json_tree, and for values that are too large for a tree.
 */
#ifndef SEMBED_BASE_JSON_READER_H
#define SEMBED_BASE_JSON_READER_H

#include "core/base/json.h"

/*
 * Every function skips white space, takes what it is named after and moves on, or returns false and
 * leaves the reader where it stands.
 */
struct json_reader {
    const char *at, *end;
    bool no_memory; /* why a string or a number was not read */
    const sembed_poll
        *poll;     /* asked in long strings and where a container is skipped; may be NULL */
    bool canceled; /* by poll; why a string was not read or nothing was skipped */
};

struct json_string {
    const char
        *data;     /* UTF-8, in the text itself or in buffer; valid until the next use of either */
    size_t length; /* bytes; zero bytes may be among them */
    char *buffer;  /* for strings with escapes; free with memory_free */
    size_t capacity;
};

void json_reader_skip_space(struct json_reader *reader);

/* One of []{},: */
bool json_reader_take(struct json_reader *reader, char character);

/* Whether this character is next. */
bool json_reader_sees(struct json_reader *reader, char character);

/* true, false or null. */
bool json_reader_word(struct json_reader *reader, const char *word);

/* Whether nothing but white space is left. */
bool json_reader_at_end(struct json_reader *reader);

/* False also where there is no memory for a string with escapes, which json_reader_expected then says, and
 * where poll said stop. */
bool json_reader_string(struct json_reader *reader, struct json_string *string);

/* A number rounded to the nearest double; false where that is infinite. */
bool json_reader_number(struct json_reader *reader, double *number);

/*
 * A number as Rust's serde_json reads it unless told to be exact: the first digits that fit 64 bits,
 * rounded to a double and divided by a power of ten, which rounds again. Of numbers with 17 digits a
 * quarter come out one unit in the last place beside the nearest double.
 */
bool json_reader_number_as_serde(struct json_reader *reader, double *number);

/* A number without fraction or exponent that fits. */
bool json_reader_integer(struct json_reader *reader, int64_t *number);
bool json_reader_u32(struct json_reader *reader, uint32_t *number);

/* An array or an object; of what is in it only strings and the depth of brackets are looked at. */
bool json_reader_skip_container(struct json_reader *reader);

/* "expected <expected>, found '<the text there>'" */
void json_reader_found(const struct json_reader *reader, const char *expected, char *message,
                       size_t size);

/* "<file>: key '<key>': <json_reader_found>"; SEMBED_NO_MEMORY where that is why. */
sembed_status json_reader_expected(const struct json_reader *reader, const struct json_file *file,
                                   const char *key, const char *expected, sembed_error *error);

#endif
