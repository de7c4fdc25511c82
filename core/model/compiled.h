/*
 * Models by way of images: the folder is read and its matrices are packed once per machine, and every
 * process after that maps what the first one wrote (core/image).
 */
#ifndef SEMBED_MODEL_COMPILED_H
#define SEMBED_MODEL_COMPILED_H

#include "core/model/model.h"

/* Where images are kept. */
struct image_settings {
    const char *folder; /* NULL: nowhere */
    uint64_t limit;     /* bytes of all images together */
};

/*
 * The model of a folder, from its image; where there is none that fits, the folder is loaded and the
 * image made. Where that cannot be written the model is the one loaded, with memory of its own, and
 * notice says why. notice->code stays SEMBED_OK where there is nothing to say.
 */
SEMBED_MUST_CHECK sembed_status compiled_load(const char *name, const char *folder,
                                              enum precision precision,
                                              const struct image_settings *settings,
                                              const sembed_poll *poll, struct sembed_model **model,
                                              sembed_error *notice, sembed_error *error);

/* Says whether the folder has changed since the model was read from it. */
bool compiled_is_stale(const struct sembed_model *model);

#endif
