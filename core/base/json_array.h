/*
 * A JSON array read element by element, for one that may be too long for a tree: nothing but what the
 * caller keeps is allocated, and so nothing else has to be freed, which no poll could stop.
 */
#ifndef SEMBED_BASE_JSON_ARRAY_H
#define SEMBED_BASE_JSON_ARRAY_H

#include "core/base/json_reader.h"

/* Takes the element that is next; false where it is none that is wanted, the reader says that memory is
 * short, or poll said stop. */
typedef bool json_take_element(struct json_reader *reader, void *state);

#define JSON_NO_ELEMENT SIZE_MAX

/* Why a text is not an array of what is wanted. */
struct json_array_fault {
    const char
        *found;    /* "an object", where an element or the array should be; NULL: it is not JSON */
    size_t index;  /* of that element; JSON_NO_ELEMENT: it stands for the array */
    size_t offset; /* bytes */
    char expected[200]; /* where it is not JSON: "expected a value, found 'x'" */
};

/*
 * Gives each element of the array that the text is to `take`, with the state. poll may be NULL.
 * SEMBED_MALFORMED: *fault says why. SEMBED_NO_MEMORY, SEMBED_CANCELED: there is no more to say. Of what is
 * wrong the first is told; what stands behind it is not looked at.
 */
SEMBED_MUST_CHECK sembed_status json_array_read(const char *data, size_t size,
                                                const sembed_poll *poll, json_take_element *take,
                                                void *state, struct json_array_fault *fault);

#endif
