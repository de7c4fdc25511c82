#include "core/base/file.h"

#include "core/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static sembed_status look_at(int descriptor, const char *path, struct stat *info,
                             sembed_error *error)
{
    if (fstat(descriptor, info) != 0)
        return error_set(error, SEMBED_IO, "%s: %s", path, strerror(errno));
    return S_ISREG(info->st_mode)
               ? SEMBED_OK
               : error_set(error, SEMBED_IO, "%s: expected a regular file", path);
}

sembed_status file_map_descriptor(int descriptor, const char *path, struct file_map *map,
                                  sembed_error *error)
{
    *map = (struct file_map){0};
    struct stat info;
    sembed_status status = look_at(descriptor, path, &info, error);
    if (status != SEMBED_OK)
        return status;
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

static sembed_status open_file(const char *path, int *descriptor, sembed_error *error)
{
    /* O_NONBLOCK: opening a named pipe must not wait for a writer. */
    *descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*descriptor >= 0)
        return SEMBED_OK;
    return error_set(error, errno == ENOENT ? SEMBED_NOT_FOUND : error_of_errno(errno, SEMBED_IO),
                     "%s: %s", path, strerror(errno));
}

#define PIECE ((size_t)4 << 20) /* bytes between two questions to poll */

/* Reads bytes [offset, offset + size) of the file. */
static sembed_status read_bytes(int descriptor, const char *path, size_t offset, size_t size,
                                void *to, const sembed_poll *poll, sembed_error *error)
{
    for (size_t done = 0; done < size;) {
        if (done > 0 && poll_wants_stop(poll))
            return error_canceled(error);
        size_t piece = size - done < PIECE ? size - done : PIECE;
        ssize_t got = pread(descriptor, (char *)to + done, piece, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(error, SEMBED_IO, "%s: %s", path,
                             got < 0 ? strerror(errno) : "cut short while it was read");
        done += (size_t)got;
    }
    return SEMBED_OK;
}

static sembed_status read_whole(int descriptor, const char *path, const sembed_poll *poll,
                                struct file_map *map, sembed_error *error)
{
    struct stat info;
    sembed_status status = look_at(descriptor, path, &info, error);
    if (status != SEMBED_OK)
        return status;
    size_t size = (size_t)info.st_size;
    unsigned char *memory = memory_alloc(size);
    if (!memory)
        return error_no_memory(error, path);
    status = read_bytes(descriptor, path, 0, size, memory, poll, error);
    if (status == SEMBED_OK)
        *map = (struct file_map){.data = memory, .size = size, .memory = memory};
    else
        memory_free(memory);
    return status;
}

sembed_status file_read(const char *path, const sembed_poll *poll, struct file_map *map,
                        sembed_error *error)
{
    int descriptor;
    *map = (struct file_map){0};
    sembed_status status = open_file(path, &descriptor, error);
    if (status != SEMBED_OK)
        return status;
    status = read_whole(descriptor, path, poll, map, error);
    close(descriptor);
    return status;
}

sembed_status file_map_open(const char *path, struct file_map *map, sembed_error *error)
{
    int descriptor;
    *map = (struct file_map){0};
    sembed_status status = open_file(path, &descriptor, error);
    if (status != SEMBED_OK)
        return status;
    status = file_map_descriptor(descriptor, path, map, error);
    map->reading = descriptor + 1;
    map->path = memory_copy_string(path);
    if (status == SEMBED_OK && !map->path)
        status = error_no_memory(error, path);
    if (status != SEMBED_OK)
        file_unmap(map);
    return status;
}

sembed_status file_map_copy(const struct file_map *map, const void *from, size_t size, void *to,
                            const sembed_poll *poll, sembed_error *error)
{
    size_t offset = (size_t)((const unsigned char *)from - map->data);
    return read_bytes(map->reading - 1, map->path, offset, size, to, poll, error);
}

void file_unmap(struct file_map *map)
{
    if (map->mapping)
        munmap(map->mapping, map->size);
    if (map->reading)
        close(map->reading - 1);
    memory_free(map->path);
    memory_free(map->memory);
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
