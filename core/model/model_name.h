/* Names of models: a folder's name, and behind it a precision: "all-MiniLM-L6-v2@int8". */
#ifndef SEMBED_MODEL_MODEL_NAME_H
#define SEMBED_MODEL_MODEL_NAME_H

#include "core/base/error.h"
#include "core/compute/precision.h"

struct model_name {
    char *base; /* "all-MiniLM-L6-v2" */
    enum precision precision;
    char *canonical; /* the base, and the precision where it is not f32 */
};

/* SEMBED_INVALID_ARGUMENT where it is no folder's name, but a path or nothing. What stands behind an @
 * and is no precision belongs to the base. Free with model_name_free. */
SEMBED_MUST_CHECK sembed_status model_name_parse(const char *text, struct model_name *name,
                                                 sembed_error *error);
void model_name_free(struct model_name *name);

/* The precision that a name ends in; f32 where it names none. */
enum precision model_name_precision(const char *text);

/* Whether two names are of one folder. */
bool model_name_same_base(const char *a, const char *b);

#endif
