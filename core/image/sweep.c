/* What is removed from the folder of images, and when. */
#define _GNU_SOURCE
#include "core/base/memory.h"
#include "core/image/cache.h"
#include "core/image/mark.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ABANDONED 3600 /* seconds after which nobody is still writing a file */

/* An image in the folder. */
struct kept {
    char name[CACHE_NAME];
    uint64_t size;
    time_t last_use;
};

struct sweep {
    const struct cache *cache;
    const char *keep;
    cache_stale *is_stale;
    struct kept *images;
    size_t count, capacity;
    uint64_t total;
};

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), end_length = strlen(end);
    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

static void remove_image(const struct cache *cache, const char *name)
{
    static const char *const ends[] = {"", ".ok", ".lock"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char file[CACHE_NAME + 8];
        snprintf(file, sizeof file, "%s%s", name, ends[i]);
        unlinkat(cache->descriptor, file, 0);
    }
}

/* What the image is of, freed with memory_free; NULL where that cannot be told. */
static char *read_identity(const struct cache *cache, const char *name)
{
    struct image image;
    sembed_error error;
    char *identity = NULL;
    int descriptor =
        openat(cache->descriptor, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0)
        return NULL;
    if (image_open_identity(descriptor, name, &image, &error) == SEMBED_OK) {
        identity = memory_alloc(image.identity.size + 1);
        if (identity) {
            memcpy(identity, image.identity.data, image.identity.size);
            identity[image.identity.size] = '\0';
        }
        image_close(&image);
    }
    close(descriptor);
    return identity;
}

static void look_at_image(struct sweep *sweep, const char *name, const struct stat *info)
{
    char *identity = read_identity(sweep->cache, name);
    bool stale = identity && sweep->is_stale(identity);
    memory_free(identity);
    if (stale) {
        remove_image(sweep->cache, name);
        return;
    }
    sweep->total += (uint64_t)info->st_size;
    if (!memory_grow((void **)&sweep->images, &sweep->capacity, sweep->count + 1,
                     sizeof *sweep->images))
        return;
    struct kept *image = &sweep->images[sweep->count++];
    time_t last_use = mark_last_use(sweep->cache->descriptor, name);
    *image = (struct kept){.size = (uint64_t)info->st_size,
                           .last_use = last_use ? last_use : info->st_mtime};
    memcpy(image->name, name, strlen(name) + 1); /* look_at saw that it fits */
}

static void look_at(struct sweep *sweep, const char *name)
{
    struct stat info;
    if (fstatat(sweep->cache->descriptor, name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(info.st_mode))
        return;
    if (strstr(name, ".image.new-") && time(NULL) - info.st_mtime > ABANDONED)
        unlinkat(sweep->cache->descriptor, name, 0);
    else if (strcmp(name, sweep->keep) == 0)
        sweep->total += (uint64_t)info.st_size;
    else if (ends_with(name, ".image") && strlen(name) < CACHE_NAME)
        look_at_image(sweep, name, &info);
}

static int compare_use(const void *a, const void *b)
{
    time_t first = ((const struct kept *)a)->last_use, second = ((const struct kept *)b)->last_use;
    return first < second ? -1 : first > second;
}

void cache_sweep(const struct cache *cache, const char *keep, uint64_t limit, cache_stale *is_stale)
{
    struct sweep sweep = {.cache = cache, .keep = keep, .is_stale = is_stale};
    /* A descriptor of its own: reading a folder moves a place in it. */
    int descriptor = openat(cache->descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (!directory) {
        if (descriptor >= 0)
            close(descriptor);
        return;
    }
    const struct dirent *item;
    while ((item = readdir(directory)) != NULL)
        look_at(&sweep, item->d_name);
    closedir(directory);
    if (sweep.count > 1)
        qsort(sweep.images, sweep.count, sizeof *sweep.images, compare_use);
    for (size_t i = 0; i < sweep.count && sweep.total > limit; i++) {
        remove_image(cache, sweep.images[i].name);
        sweep.total -= sweep.images[i].size;
    }
    memory_free(sweep.images);
}
