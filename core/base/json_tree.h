/*
 * A JSON text (RFC 8259) as a tree of jansson's values.
 *
 * Why not by jansson's own parser: where it finds no memory for the characters of a string it leaves
 * some out and reads on, or ends the process by an assertion. Its values say when they find none.
 *
 * Of members of one name the last counts. Whole numbers that fit 64 bits are integers, other numbers
 * the nearest double; one that is beyond any double is refused. Strings may hold zero bytes, keys may
 * not.
 */
#ifndef SEMBED_BASE_JSON_TREE_H
#define SEMBED_BASE_JSON_TREE_H

#include "core/base/error.h"

#include <jansson.h>

/* Where a text is not JSON. */
struct json_fault {
    size_t offset;     /* bytes */
    size_t line;       /* from 1 */
    char message[200]; /* "expected a value, found 'x'" */
};

/*
 * An array or an object that is left out of the tree, where an empty one stands in for it. Its text is
 * not checked but for where it ends.
 */
struct json_omission {
    const char *key;
    const char *data, *end; /* its text; NULL where nothing is left out */
    const json_t *stand_in; /* the tree's */
};

/* The members of root[outer] that are to be left out. */
struct json_omissions {
    const char *outer;
    struct json_omission *list;
    size_t count;
};

/*
 * The tree of the value that the text is, the caller's. poll and omissions may be NULL.
 * SEMBED_MALFORMED: *fault says why. SEMBED_NO_MEMORY, SEMBED_CANCELED: there is no more to say.
 */
SEMBED_MUST_CHECK sembed_status json_tree_read(const char *data, size_t size,
                                               const sembed_poll *poll,
                                               const struct json_omissions *omissions,
                                               json_t **root, struct json_fault *fault);

/* jansson's json_object(): PostgreSQL has a function of that name, which the linker would take inside a
 * server. */
json_t *json_empty_object(void);

#endif
