#include "core/base/file.h"

#include "core/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

sembed_status file_map_descriptor(int descriptor, const char *path, struct file_map *map,
                                  sembed_error *error)
{
    *map = (struct file_map){0};
    struct stat info;
    if (fstat(descriptor, &info) != 0)
        return error_set(error, SEMBED_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return error_set(error, SEMBED_IO, "%s: expected a regular file", path);
    if (info.st_size == 0) {
        *map = (struct file_map){.data = (const unsigned char *)""};
        return SEMBED_OK;
    }
    size_t size = (size_t)info.st_size;
    void *mapping = mmap(NULL, size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (mapping == MAP_FAILED)
        return error_set(error, error_of_errno(errno, SEMBED_IO), "%s: cannot map %zu bytes: %s",
                         path, size, strerror(errno));
    *map = (struct file_map){.data = mapping, .size = size, .mapping = mapping};
    return SEMBED_OK;
}

sembed_status file_map_open(const char *path, struct file_map *map, sembed_error *error)
{
    *map = (struct file_map){0};
    /* O_NONBLOCK: opening a named pipe must not wait for a writer. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(error,
                         errno == ENOENT ? SEMBED_NOT_FOUND : error_of_errno(errno, SEMBED_IO),
                         "%s: %s", path, strerror(errno));
    sembed_status status = file_map_descriptor(descriptor, path, map, error);
    close(descriptor);
    return status;
}

void file_unmap(struct file_map *map)
{
    if (map->mapping)
        munmap(map->mapping, map->size);
    *map = (struct file_map){0};
}

bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool folder_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *path_join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = memory_alloc(size);
    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}
