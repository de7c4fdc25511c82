/* Folders of models on a path "a:b:c". */
#ifndef SEMBED_MODEL_MODEL_PATH_H
#define SEMBED_MODEL_MODEL_PATH_H

#include "core/base/error.h"

#include <stdbool.h>

/* Whether there is a model's folder of that name. *failed: there is no memory to know. */
bool model_path_is_model(const char *folder, bool *failed);

/* Copies the next folder of a path a:b:c into memory of the caller; NULL at the end or where there is
 * no memory, told apart by *failed. */
char *model_path_next(const char **rest, bool *failed);

/* The first folder of that name on the path, the caller's to free; NULL: none. */
SEMBED_MUST_CHECK sembed_status model_path_find(const char *path, const char *name, char **found,
                                                sembed_error *error);

/* The folder's path from the root, the caller's to free; NULL where there is no memory. What it names does
 * not change with the working folder. */
char *model_path_absolute(const char *folder);

#endif
