#define _GNU_SOURCE
#include "core/image/cache.h"

#include "core/base/memory.h"
#include "core/image/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

/* ---------------------------------------------------------------------------------- the folder */

static bool is_ours(const struct stat *info, mode_t type)
{
    return (info->st_mode & S_IFMT) == type && (info->st_uid == geteuid() || info->st_uid == 0) &&
           (info->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Makes the folder and those above it that are missing. */
static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    mkdir(path, 0700);
}

sembed_status cache_open(const char *path, bool create, struct cache *cache, sembed_error *error)
{
    struct stat info;
    *cache = (struct cache){.path = memory_copy_string(path), .descriptor = -1};
    if (!cache->path)
        return error_no_memory(error, "a path");
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    cache->descriptor = open(path, flags);
    if (cache->descriptor < 0 && errno == ENOENT && create) {
        make_folders(cache->path);
        cache->descriptor = open(path, flags);
    }
    if (cache->descriptor < 0 || fstat(cache->descriptor, &info) != 0) {
        error_set(error, SEMBED_IO, "cache folder %s: %s", path, strerror(errno));
        cache_close(cache);
        return SEMBED_IO;
    }
    if (!is_ours(&info, S_IFDIR)) {
        cache_close(cache);
        return error_set(error, SEMBED_IO,
                         "cache folder %s: expected one that only its owner, this user, can write",
                         path);
    }
    return SEMBED_OK;
}

void cache_close(struct cache *cache)
{
    if (cache->path && cache->descriptor >= 0)
        close(cache->descriptor);
    memory_free(cache->path);
    *cache = (struct cache){.descriptor = -1};
}

/* -------------------------------------------------------------------------------------- names */

#define LONGEST_LABEL 64

void cache_name(const char *label, const char *key, char name[CACHE_NAME])
{
    size_t length = 0;
    for (; *label && length < LONGEST_LABEL; label++) {
        char c = *label;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || (c == '.' && length > 0);
        name[length++] = plain ? c : '_';
    }
    snprintf(name + length, CACHE_NAME - length, "-%016" PRIx64 ".image",
             XXH3_64bits(key, strlen(key)));
}

#define LONGEST_FILE (CACHE_NAME + 48) /* a name with what stands behind it */

/* "folder/name", for messages. */
static void path_of(const struct cache *cache, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", cache->path, name);
}

/* ------------------------------------------------------------------------------------- finding */

/* Sums the weights up unless the mark says that it was done. */
static sembed_status check_weights(const struct cache *cache, const char *name, const char *path,
                                   const struct stat *info, const struct image *image, bool sum_up,
                                   const sembed_poll *poll, sembed_error *error)
{
    if (mark_fits(cache->descriptor, name, info))
        return SEMBED_OK;
    if (!sum_up)
        return error_set(error, SEMBED_NOT_FOUND, "%s: not yet summed up", path);
    sembed_status status = image_check_weights(image, path, poll, error);
    if (status == SEMBED_OK)
        mark_write(cache->descriptor, name, info);
    return status;
}

sembed_status cache_find(const struct cache *cache, const char *name, const char *identity,
                         bool sum_up, const sembed_poll *poll, struct image *image,
                         sembed_error *error)
{
    char path[512];
    struct stat info;
    path_of(cache, name, path);
    *image = (struct image){0};
    int descriptor =
        openat(cache->descriptor, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0)
        return error_set(error, errno == ENOENT ? SEMBED_NOT_FOUND : SEMBED_MALFORMED, "%s: %s",
                         path, strerror(errno));
    sembed_status status;
    if (fstat(descriptor, &info) != 0 || !is_ours(&info, S_IFREG))
        status = error_set(error, SEMBED_MALFORMED,
                           "%s: expected a file that only this user can write", path);
    else
        status = image_open(descriptor, path, identity, image, error);
    if (status == SEMBED_OK)
        status = check_weights(cache, name, path, &info, image, sum_up, poll, error);
    if (status != SEMBED_OK)
        image_close(image);
    close(descriptor);
    return status;
}

/* -------------------------------------------------------------------------------------- making */

sembed_status cache_try_lock(const struct cache *cache, const char *name, int *lock,
                             sembed_error *error)
{
    char file[LONGEST_FILE];
    snprintf(file, sizeof file, "%s.lock", name);
    *lock = openat(cache->descriptor, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*lock < 0)
        return error_set(error, SEMBED_IO, "cache folder %s: cannot write: %s", cache->path,
                         strerror(errno));
    /* Any other failure: a file system without locks. */
    if (flock(*lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(*lock);
        *lock = -1;
    }
    return SEMBED_OK;
}

void cache_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

/* A new empty file; its name differs from those of other processes and threads. */
static int create_new(const struct cache *cache, const char *name, char file[LONGEST_FILE])
{
    static atomic_uint counter;
    snprintf(file, LONGEST_FILE, "%s.new-%ld-%u", name, (long)getpid(),
             atomic_fetch_add(&counter, 1));
    unlinkat(cache->descriptor, file, 0); /* of an earlier process with this number */
    return openat(cache->descriptor, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                  0600);
}

sembed_status cache_store(const struct cache *cache, const char *name,
                          const struct image_contents *contents, const sembed_poll *poll,
                          sembed_error *error)
{
    char path[512], file[LONGEST_FILE];
    struct stat info;
    path_of(cache, name, path);
    int descriptor = create_new(cache, name, file);
    if (descriptor < 0)
        return error_set(error, SEMBED_IO, "cache folder %s: cannot write: %s", cache->path,
                         strerror(errno));
    sembed_status status = image_write(descriptor, path, contents, poll, error);
    if (status == SEMBED_OK && renameat(cache->descriptor, file, cache->descriptor, name) != 0)
        status = error_set(error, SEMBED_IO, "%s: cannot rename to it: %s", path, strerror(errno));
    if (status != SEMBED_OK)
        unlinkat(cache->descriptor, file, 0);
    else if (fsync(cache->descriptor) == 0 && fstat(descriptor, &info) == 0)
        mark_write(cache->descriptor, name, &info);
    close(descriptor);
    return status;
}
