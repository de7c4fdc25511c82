/*
 * What an image is of, as text, a line for each thing that decides about its bytes:
 *
 *     sembed 0.1.0 3141592653-271828
 *     weights 1, oneDNN 2.6.3, instructions 3e7, f32
 *     folder /usr/share/sembed/all-MiniLM-L6-v2
 *     file 612 1700000000.000000000 1234 config.json
 *     …
 *
 * A file stands there with size, time of its last change and inode, for those kinds of files that a
 * model is read from, in the folder and those below it. So a file that is replaced, or written to in
 * place, gives another identity, and nothing is read to find out.
 */
#ifndef SEMBED_MODEL_IDENTITY_H
#define SEMBED_MODEL_IDENTITY_H

#include "core/base/error.h"
#include "core/compute/tensor.h"

#include <stdbool.h>

/* The identity of an image made now of that folder; freed with memory_free. SEMBED_UNSUPPORTED where the
 * folder's name, without links, would be two lines. */
SEMBED_MUST_CHECK sembed_status identity_create(const char *folder, enum precision precision,
                                                char **identity, sembed_error *error);

/* The first lines, up to the folder: all but the files; freed with memory_free. NULL: no memory. */
char *identity_without_files(const char *identity);

/* The folder, by its name without links; freed with memory_free. NULL: no memory. */
char *identity_folder(const char *identity);

/* Whether that is the folder the name leads to now, by links or not; also where it leads nowhere. */
bool identity_is_of(const char *identity, const char *folder);

/* Whether the folder is gone or has other files now. */
bool identity_is_stale(const char *identity);

#endif
