/*
 * JSON files of a model folder as trees of jansson's, and typed look-ups whose errors name the file,
 * the key, what was expected and what was found.
 *
 * A json_file owns the tree; json_t pointers taken from it are borrowed. Strings may hold zero bytes
 * (a vocabulary's pieces do), so their length is jansson's to say; keys may not.
 */
#ifndef SEMBED_BASE_JSON_H
#define SEMBED_BASE_JSON_H

#include "core/base/json_tree.h"

#include <stdbool.h>

struct json_file {
    char *path; /* for messages */
    json_t *root;
    struct json_left_out *left_out; /* what is not in the tree, see json_partly.h; mostly NULL */
};

/* Reads a whole file whose root is an object or an array. A byte order mark is skipped. */
SEMBED_MUST_CHECK sembed_status json_file_open(const char *path, struct json_file *file,
                                               sembed_error *error);

/* The same from memory, for a header inside a file; name stands for the path in messages. */
SEMBED_MUST_CHECK sembed_status json_memory_open(const char *name, const char *data, size_t size,
                                                 struct json_file *file, sembed_error *error);

/* The same, less what omissions name, which may be NULL; poll may be, too. */
SEMBED_MUST_CHECK sembed_status json_text_open(const char *name, const char *data, size_t size,
                                               const sembed_poll *poll,
                                               const struct json_omissions *omissions,
                                               struct json_file *file, sembed_error *error);

void json_file_close(struct json_file *file); /* a zeroed one is allowed */

/* The word for a value's type, such as "an object"; "nothing" for NULL. */
const char *json_type_word(const json_t *value);

/* "<file>: key '<key>': expected <expected>, found <type of value>" */
sembed_status json_expected(const struct json_file *file, const char *key, const char *expected,
                            const json_t *found, sembed_error *error);

/*
 * Look-ups of object[key]. The plain form writes *value and fails where the key is missing, null or
 * of another type; the _or form leaves the fallback where it is missing or null and fails only
 * where the type is wrong.
 */
SEMBED_MUST_CHECK sembed_status json_get_size(const struct json_file *file, const json_t *object,
                                              const char *key, size_t *value, sembed_error *error);
SEMBED_MUST_CHECK sembed_status json_get_size_or(const struct json_file *file, const json_t *object,
                                                 const char *key, size_t fallback, size_t *value,
                                                 sembed_error *error);
SEMBED_MUST_CHECK sembed_status json_get_bool_or(const struct json_file *file, const json_t *object,
                                                 const char *key, bool fallback, bool *value,
                                                 sembed_error *error);
SEMBED_MUST_CHECK sembed_status json_get_number_or(const struct json_file *file,
                                                   const json_t *object, const char *key,
                                                   double fallback, double *value,
                                                   sembed_error *error);
/* The string is borrowed from the tree and ends in a zero byte. */
SEMBED_MUST_CHECK sembed_status json_get_string(const struct json_file *file, const json_t *object,
                                                const char *key, const char **value,
                                                sembed_error *error);
SEMBED_MUST_CHECK sembed_status json_get_string_or(const struct json_file *file,
                                                   const json_t *object, const char *key,
                                                   const char *fallback, const char **value,
                                                   sembed_error *error);

#endif
