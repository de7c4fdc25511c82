/* The normalizer, pre-tokenizer and post-processor of tokenizer.json: each an object with a "type",
 * or a Sequence of such, which may hold others. */
#ifndef SEMBED_TEXT_COMPONENTS_H
#define SEMBED_TEXT_COMPONENTS_H

#include "core/base/json.h"

/* Takes one component that is no Sequence. */
typedef sembed_status component_reader(void *owner, const struct json_file *file,
                                       const json_t *json, const char *type, sembed_error *error);

/* What kind of component is read. */
struct component_kind {
    const char *key;      /* of tokenizer.json, for messages: "normalizer" */
    const char *list_key; /* of a Sequence: "normalizers" */
    component_reader *read;
};

/* Hands the components of json to kind->read, from first to last; none where json is NULL or null.
 */
SEMBED_MUST_CHECK sembed_status components_read(const struct component_kind *kind, void *owner,
                                                const struct json_file *file, const json_t *json,
                                                sembed_error *error);

/* SEMBED_UNSUPPORTED, naming file, key and type. */
sembed_status component_unknown(const struct component_kind *kind, const struct json_file *file,
                                const char *type, sembed_error *error);

#endif
