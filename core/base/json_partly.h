/*
 * JSON files of which large values stay text instead of becoming part of a tree.
 *
 * A tokenizer.json is nearly all vocabulary: as a tree, XLM-R's 250,002 pieces take 0.2 s and 170 MB.
 * json_file_open_partly leaves named values out of the tree; json_text_of gives their text (or that
 * of a value in a tree, written out again, so that readers need no second way), for a json_reader.
 */
#ifndef SEMBED_BASE_JSON_PARTLY_H
#define SEMBED_BASE_JSON_PARTLY_H

#include "core/base/json.h"

/*
 * As json_file_open, but the arrays and objects root[outer][inner[0 … count)] are left out: in the tree
 * stands an empty one in their place. count is at most JSON_MOST_LEFT_OUT; inner's strings outlive the
 * file; poll may be NULL. The text of what is left out is not checked before it is read.
 */
#define JSON_MOST_LEFT_OUT 2
SEMBED_MUST_CHECK sembed_status json_file_open_partly(const char *path, const char *outer,
                                                      const char *const *inner, size_t count,
                                                      const sembed_poll *poll,
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

#endif
