/* Whether a model's folder keeps to the model path. */
#ifndef SEMBED_MODEL_INSIDE_H
#define SEMBED_MODEL_INSIDE_H

#include "core/base/error.h"

#include <stdbool.h>

/*
 * That the folder, and every symbolic link in it, leads to somewhere below the folders of the model path
 * ("a:b:c"). The path is what an administrator says may be read; a folder that was downloaded, whose
 * vocab.txt is a link to somebody's keys, must not make more of it. A link that leads nowhere is no
 * concern here. SEMBED_IO names the link, and not what it leads to; SEMBED_LIMIT where there is too much
 * to be looked at.
 */
SEMBED_MUST_CHECK sembed_status inside_check(const char *folder, const char *model_path,
                                             sembed_error *error);

/* Whether that is so of the folder alone, whatever is in it. */
SEMBED_MUST_CHECK sembed_status inside_path(const char *folder, const char *model_path,
                                            bool *inside, sembed_error *error);

#endif
