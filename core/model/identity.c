#include "core/model/identity.h"

#include "core/base/memory.h"
#include "core/compute/gemm.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEEPEST    2    /* folders below one another */
#define MOST_FILES 2000 /* of all kinds; a model has some twenty */

/* Text that grows. */
struct text {
    char *data;
    size_t length, capacity;
    bool no_memory;
};

static void text_add(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 ||
        !memory_grow((void **)&text->data, &text->capacity, text->length + (size_t)length + 1, 1)) {
        text->no_memory = true;
        return;
    }
    va_start(arguments, format);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

/* ------------------------------------------------------------------------------------- files */

struct file_list {
    char **lines; /* [count], owned: a line for each file */
    size_t count, capacity;
    size_t seen; /* files and folders of all kinds */
    sembed_status status;
    sembed_error *error;
};

static void file_list_free(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        memory_free(list->lines[i]);
    memory_free(list->lines);
}

/* Whether a file of that name may be one that a model is read from. */
static bool is_read(const char *name)
{
    static const char *const endings[] = {".json", ".txt", ".model", ".safetensors"};
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < sizeof endings / sizeof *endings; i++)
        if (strcmp(ending, endings[i]) == 0)
            return true;
    return false;
}

static void add_file(struct file_list *list, const char *name, const struct stat *info)
{
    struct text line = {0};
    text_add(&line, "file %ju %jd.%09ld %ju %s\n", (uintmax_t)info->st_size,
             (intmax_t)info->st_mtim.tv_sec, info->st_mtim.tv_nsec, (uintmax_t)info->st_ino, name);
    if (line.no_memory || !memory_grow((void **)&list->lines, &list->capacity, list->count + 1,
                                       sizeof *list->lines)) {
        list->status = error_no_memory(list->error, "the list of a model's files");
    } else {
        list->lines[list->count++] = line.data;
        return;
    }
    memory_free(line.data);
}

/* Adds the files of folder/below and of its folders; below is "" or ends in a slash. */
static void list_files(struct file_list *list, const char *folder, const char *below, int depth)
{
    struct text path = {0};
    text_add(&path, "%s/%s", folder, below);
    DIR *directory = path.no_memory ? NULL : opendir(path.data);
    if (!directory && (path.no_memory || errno == ENOMEM))
        list->status = error_no_memory(list->error, "the list of a model's files");
    memory_free(path.data);
    const struct dirent *item;
    while (directory && list->status == SEMBED_OK && (item = readdir(directory)) != NULL) {
        struct stat info;
        if (++list->seen > MOST_FILES)
            list->status =
                error_set(list->error, SEMBED_LIMIT, "%s: more than %d files in a model's folder",
                          folder, MOST_FILES);
        if (item->d_name[0] == '.' || fstatat(dirfd(directory), item->d_name, &info, 0) != 0)
            continue;
        struct text name = {0};
        text_add(&name, "%s%s%s", below, item->d_name, S_ISDIR(info.st_mode) ? "/" : "");
        if (name.no_memory)
            list->status = error_no_memory(list->error, "the list of a model's files");
        else if (S_ISDIR(info.st_mode) && depth < DEEPEST)
            list_files(list, folder, name.data, depth + 1);
        else if (S_ISREG(info.st_mode) && is_read(item->d_name))
            add_file(list, name.data, &info);
        memory_free(name.data);
    }
    if (directory)
        closedir(directory);
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static sembed_status add_files(struct text *text, const char *folder, sembed_error *error)
{
    struct file_list list = {.error = error};
    list_files(&list, folder, "", 0);
    if (list.count > 1)
        qsort(list.lines, list.count, sizeof *list.lines, compare_lines);
    for (size_t i = 0; i < list.count && list.status == SEMBED_OK; i++)
        text_add(text, "%s", list.lines[i]);
    file_list_free(&list);
    return list.status;
}

/* ----------------------------------------------------------------------------------- identity */

static const char folder_line[] = "\nfolder ";

sembed_status identity_create(const char *folder, enum precision precision, char **identity,
                              sembed_error *error)
{
    char weights[GEMM_FINGERPRINT];
    struct text text = {0};
    *identity = NULL;
    char *real = realpath(folder, NULL);
    if (!real)
        return error_set(error,
                         errno == ENOENT ? SEMBED_NOT_FOUND : error_of_errno(errno, SEMBED_IO),
                         "%s: %s", folder, strerror(errno));
    if (strchr(real, '\n')) {
        free(real);
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: expected a folder without a line break in its name", folder);
    }
    gemm_fingerprint(precision, weights);
    text_add(&text, "sembed %s %s\nweights %s%s%s\n", SEMBED_VERSION, SEMBED_SOURCES, weights,
             folder_line, real);
    sembed_status status = add_files(&text, real, error);
    free(real);
    if (status == SEMBED_OK && text.no_memory)
        status = error_no_memory(error, "the identity of a model");
    if (status == SEMBED_OK)
        *identity = text.data;
    else
        memory_free(text.data);
    return status;
}

/* The folder's name in an identity. */
static const char *find_folder(const char *identity, size_t *length)
{
    const char *line = strstr(identity, folder_line);
    if (!line)
        return NULL;
    line += strlen(folder_line);
    *length = strcspn(line, "\n");
    return line;
}

char *identity_without_files(const char *identity)
{
    size_t length = 0;
    const char *folder = find_folder(identity, &length);
    char *copy = memory_copy_string(identity);
    if (copy && folder)
        copy[folder - identity + length] = '\0';
    return copy;
}

char *identity_folder(const char *identity)
{
    size_t length = 0;
    const char *name = find_folder(identity, &length);
    char *folder = memory_copy_string(name ? name : "");
    if (folder)
        folder[length] = '\0';
    return folder;
}

bool identity_is_of(const char *identity, const char *folder)
{
    size_t length;
    const char *name = find_folder(identity, &length);
    char *real = realpath(folder, NULL);
    bool same = !real || (name && strlen(real) == length && memcmp(real, name, length) == 0);
    free(real);
    return same;
}

bool identity_is_stale(const char *identity)
{
    size_t length;
    const char *name = find_folder(identity, &length);
    struct text folder = {0}, files = {0};
    sembed_error error;
    bool stale = false;
    if (!name)
        return true;
    text_add(&folder, "%.*s", (int)length, name);
    if (!folder.no_memory && add_files(&files, folder.data, &error) == SEMBED_OK &&
        !files.no_memory)
        stale = strcmp(files.data ? files.data : "", name[length] ? name + length + 1 : "") != 0;
    memory_free(files.data);
    memory_free(folder.data);
    return stale;
}
