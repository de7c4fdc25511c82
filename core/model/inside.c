#include "core/model/inside.h"

#include "core/base/file.h"
#include "core/base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEEPEST   16    /* folders below one another */
#define MOST_SEEN 20000 /* files and folders; a clone of a model has some hundred */

/* The names of the path's folders without links; one that is not there holds no models. */
struct roots {
    char **names; /* [count], owned */
    size_t count, capacity;
};

static void roots_free(struct roots *roots)
{
    for (size_t i = 0; i < roots->count; i++)
        free(roots->names[i]);
    memory_free(roots->names);
}

/* Whether a name could not be followed for a lack of memory or of file descriptors, rather than because it
 * leads nowhere: errno of the call that failed. What then is not looked at must not count as good. */
static bool is_unknown(void)
{
    return errno == ENOMEM || errno == EMFILE || errno == ENFILE;
}

static sembed_status unknown(const char *path, sembed_error *error)
{
    if (errno == ENOMEM)
        return error_no_memory(error, path);
    return error_set(error, SEMBED_IO, "%s: %s", path, strerror(errno));
}

/* False: no memory. */
static bool roots_read(struct roots *roots, const char *path)
{
    for (; *path; path += *path == ':') {
        size_t length = strcspn(path, ":");
        char *folder = memory_alloc(length + 1);
        if (!folder || !memory_grow((void **)&roots->names, &roots->capacity, roots->count + 1,
                                    sizeof *roots->names)) {
            memory_free(folder);
            return false;
        }
        memcpy(folder, path, length);
        folder[length] = '\0';
        char *real = length > 0 ? realpath(folder, NULL) : NULL;
        bool failed = length > 0 && !real && errno == ENOMEM;
        if (real)
            roots->names[roots->count++] = real;
        memory_free(folder);
        if (failed)
            return false;
        path += length;
    }
    return true;
}

/* Whether a name without links is one of the roots or below it. */
static bool below(const struct roots *roots, const char *real)
{
    for (size_t i = 0; i < roots->count; i++) {
        const char *root = roots->names[i];
        size_t length = strlen(root);
        if (strncmp(real, root, length) == 0 &&
            (real[length] == '/' || real[length] == '\0' || strcmp(root, "/") == 0))
            return true;
    }
    return false;
}

/* *good: where a name leads is below the roots, or nowhere. */
static sembed_status leads_below(const struct roots *roots, const char *path, bool *good,
                                 sembed_error *error)
{
    char *real = realpath(path, NULL);
    if (!real && is_unknown())
        return unknown(path, error);
    *good = !real || below(roots, real);
    free(real);
    return SEMBED_OK;
}

static sembed_status check_link(const struct roots *roots, const char *path, sembed_error *error)
{
    bool good = false;
    sembed_status status = leads_below(roots, path, &good, error);
    if (status == SEMBED_OK && !good)
        status = error_set(error, SEMBED_IO, "%s: a link that leads out of the model path", path);
    return status;
}

struct walk {
    const struct roots *roots;
    size_t seen;
    sembed_error *error;
};

static sembed_status walk_folder(struct walk *walk, const char *folder, int depth);

static sembed_status walk_item(struct walk *walk, const char *path, int depth)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return SEMBED_OK; /* gone meanwhile */
    sembed_status status =
        S_ISLNK(info.st_mode) ? check_link(walk->roots, path, walk->error) : SEMBED_OK;
    if (status != SEMBED_OK)
        return status;
    return folder_exists(path) ? walk_folder(walk, path, depth + 1) : SEMBED_OK;
}

static sembed_status walk_folder(struct walk *walk, const char *folder, int depth)
{
    if (depth > DEEPEST)
        return error_set(walk->error, SEMBED_LIMIT, "%s: more than %d folders below one another",
                         folder, DEEPEST);
    DIR *directory = opendir(folder);
    if (!directory && is_unknown())
        return unknown(folder, walk->error);
    if (!directory)
        return SEMBED_OK; /* then nothing in it is read, either */
    sembed_status status = SEMBED_OK;
    const struct dirent *item;
    while (status == SEMBED_OK && (item = readdir(directory)) != NULL) {
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        char *path = path_join(folder, item->d_name);
        if (!path)
            status = error_no_memory(walk->error, "a path");
        else if (++walk->seen > MOST_SEEN)
            status = error_set(walk->error, SEMBED_LIMIT, "%s: more than %d files below the folder",
                               folder, MOST_SEEN);
        else
            status = walk_item(walk, path, depth);
        memory_free(path);
    }
    closedir(directory);
    return status;
}

sembed_status inside_check(const char *folder, const char *model_path, sembed_error *error)
{
    struct roots roots = {0};
    struct walk walk = {.roots = &roots, .error = error};
    sembed_status status = roots_read(&roots, model_path)
                               ? check_link(&roots, folder, error)
                               : error_no_memory(error, "the model path");
    if (status == SEMBED_OK)
        status = walk_folder(&walk, folder, 0);
    roots_free(&roots);
    return status;
}

sembed_status inside_path(const char *folder, const char *model_path, bool *inside,
                          sembed_error *error)
{
    struct roots roots = {0};
    *inside = false;
    sembed_status status = roots_read(&roots, model_path)
                               ? leads_below(&roots, folder, inside, error)
                               : error_no_memory(error, "the model path");
    roots_free(&roots);
    return status;
}
