/*
 * Large values of a JSON file, read from their text instead of a tree.
 *
 * A tokenizer.json is nearly all vocabulary: as a tree, XLM-R's 250,002 pieces take 0.2 s and 170 MB.
 * json_file_open_partly leaves named values out of the tree; json_text_of gives their text (or that
 * of a value in a tree, written out again, so that readers need no second way); a json_reader takes
 * it apart, token by token, with no memory for what it has read.
 */
#ifndef SEMBED_BASE_JSON_STREAM_H
#define SEMBED_BASE_JSON_STREAM_H

#include "core/base/json.h"

/*
 * As json_file_open, but the values root[outer][inner[0 … count)] are left out: in the tree stands an
 * empty array or object in their place. count is at most JSON_MOST_LEFT_OUT. The text of what is left
 * out is not checked before it is read.
 */
#define JSON_MOST_LEFT_OUT 2
SEMBED_MUST_CHECK sembed_status json_file_open_partly(const char *path, const char *outer,
                                                      const char *const *inner, size_t count,
                                                      struct json_file *file, sembed_error *error);

void json_left_out_free(struct json_left_out *left_out); /* for json_file_close */

/* The text of a value. Zero-initialise; free with json_text_free, before the file is closed. */
struct json_text {
    const char *data; /* not zero-terminated */
    size_t size;
    char *owned; /* NULL: the text is the file's */
};

/* The text of object[key], also where object is a copy of one in the tree; size 0 where there is no
 * such value. */
SEMBED_MUST_CHECK sembed_status json_text_of(const struct json_file *file, const json_t *object,
                                             const char *key, struct json_text *text,
                                             sembed_error *error);
void json_text_free(struct json_text *text);

/*
 * Reads a JSON text (RFC 8259) from left to right. Every function skips white space, takes what it
 * is named after and moves on, or returns false and leaves the reader where it stands.
 */
struct json_reader {
    const char *at, *end;
};

struct json_string {
    const char
        *data;     /* UTF-8, in the text itself or in buffer; valid until the next use of either */
    size_t length; /* bytes; zero bytes may be among them */
    char *buffer;  /* for strings with escapes; free with memory_free */
    size_t capacity;
};

/* One of []{},: */
bool json_reader_take(struct json_reader *reader, char character);

/* Whether this character is next. */
bool json_reader_sees(struct json_reader *reader, char character);

/* Whether nothing but white space is left. */
bool json_reader_at_end(struct json_reader *reader);

/* False also where there is no memory for a string with escapes. */
bool json_reader_string(struct json_reader *reader, struct json_string *string);

/* A number rounded to the nearest double. */
bool json_reader_number(struct json_reader *reader, double *number);

/* A number without fraction or exponent, no less than 0 and no more than UINT32_MAX. */
bool json_reader_u32(struct json_reader *reader, uint32_t *number);

/* "<file>: key '<key>': expected <expected>, found '<the text there>'" */
sembed_status json_reader_expected(const struct json_reader *reader, const struct json_file *file,
                                   const char *key, const char *expected, sembed_error *error);

#endif
