/* Files, read-only: mapped, checked to be regular, never trusted. */
#ifndef SEMBED_BASE_FILE_H
#define SEMBED_BASE_FILE_H

#include "core/base/error.h"

#include <stdbool.h>

struct file_map {
    const unsigned char *data; /* not NULL even where size is 0 */
    size_t size;
    void *mapping; /* what to unmap; NULL for an empty file */
};

/* Maps a regular file read-only. SEMBED_NOT_FOUND where there is none, SEMBED_IO where it cannot be
 * read; both name the path. Close with file_unmap. */
SEMBED_MUST_CHECK sembed_status file_map_open(const char *path, struct file_map *map,
                                              sembed_error *error);

/* The same for an open file; path is for messages. The descriptor may be closed afterwards. */
SEMBED_MUST_CHECK sembed_status file_map_descriptor(int descriptor, const char *path,
                                                    struct file_map *map, sembed_error *error);
void file_unmap(struct file_map *map); /* a zeroed map is allowed */

bool file_exists(const char *path);   /* a regular file, through links */
bool folder_exists(const char *path); /* a folder, through links */

/* "folder/name" in memory that the caller frees with memory_free; NULL where there is none. */
char *path_join(const char *folder, const char *name);

#endif
