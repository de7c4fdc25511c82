/*
 * Files, read-only: checked to be regular, never trusted.
 *
 * Who touches a mapped page that lies behind the end of its file is ended by the system (SIGBUS), and with
 * a PostgreSQL backend all others; and a file may be cut short at any time, by `cp` for one. So what others
 * may write to is read, not mapped; or mapped to be looked up, and its bytes taken by file_map_copy.
 */
#ifndef SEMBED_BASE_FILE_H
#define SEMBED_BASE_FILE_H

#include "core/base/error.h"

#include <stdbool.h>

struct file_map {
    const unsigned char *data; /* not NULL even where size is 0 */
    size_t size;
    void *mapping; /* what to unmap; NULL for an empty file */
    void *memory;  /* what to free */
    int reading;   /* a descriptor + 1; 0: none */
    char *path;    /* where `reading`: for messages, to be freed */
};

/* The bytes of a regular file, in memory. SEMBED_NOT_FOUND where there is none, SEMBED_IO where it cannot
 * be read; both name the path. poll may be NULL. Close with file_unmap. */
SEMBED_MUST_CHECK sembed_status file_read(const char *path, const sembed_poll *poll,
                                          struct file_map *map, sembed_error *error);

/* Maps a regular file read-only, and keeps it open for file_map_copy. Errors and closing as above. */
SEMBED_MUST_CHECK sembed_status file_map_open(const char *path, struct file_map *map,
                                              sembed_error *error);

/* Copies `size` bytes that lie at `from` in a map of file_map_open, by reading the file: SEMBED_IO,
 * with its path, where it has been cut short meanwhile. poll may be NULL. Several threads may do so at
 * once. */
SEMBED_MUST_CHECK sembed_status file_map_copy(const struct file_map *map, const void *from,
                                              size_t size, void *to, const sembed_poll *poll,
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
