/* Marks beside images: see cache.h. */
#ifndef SEMBED_IMAGE_MARK_H
#define SEMBED_IMAGE_MARK_H

#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

/* Whether the file of that name in the folder, now in the state info, was found right in that state.
 * Notes that it is used. */
bool mark_fits(int folder, const char *name, const struct stat *info);

/* Says that it was. Where that cannot be written, the next reader will have to look again. */
void mark_write(int folder, const char *name, const struct stat *info);

/* When the image was last used, as far as that is known: 0 for never. */
time_t mark_last_use(int folder, const char *name);

#endif
