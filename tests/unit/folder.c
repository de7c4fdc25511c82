#define _GNU_SOURCE /* nftw */
#include "tests/unit/folder.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A test that cannot make its own files cannot say anything. */
static void require(int condition, const char *what)
{
    if (!condition) {
        perror(what);
        abort();
    }
}

static char *join(const char *folder, const char *name)
{
    char *path;
    require(asprintf(&path, "%s/%s", folder, name) > 0, name);
    return path;
}

const char *fixtures_folder(void)
{
    const char *named = getenv("SEMBED_FIXTURES");
    return named ? named : "tests/fixtures";
}

char *folder_create(void)
{
    const char *parent = getenv("TMPDIR");
    char *path = join(parent ? parent : "/tmp", "sembed-test-XXXXXX");
    require(mkdtemp(path) != NULL, path);
    return path;
}

void folder_write(const char *folder, const char *file, const void *data, size_t size)
{
    char *path = join(folder, file);
    FILE *stream = fopen(path, "wb");
    require(stream != NULL, path);
    require(fwrite(data, 1, size, stream) == size, path);
    require(fclose(stream) == 0, path);
    free(path);
}

void folder_write_text(const char *folder, const char *file, const char *text)
{
    folder_write(folder, file, text, strlen(text));
}

void folder_delete(const char *folder, const char *file)
{
    char *path = join(folder, file);
    require(unlink(path) == 0, path);
    free(path);
}

char *folder_read(const char *folder, const char *file, size_t *size)
{
    char *path = join(folder, file);
    FILE *stream = fopen(path, "rb");
    struct stat info;
    require(stream != NULL && fstat(fileno(stream), &info) == 0, path);
    size_t length = (size_t)info.st_size;
    char *data = malloc(length + 1);
    require(data != NULL && fread(data, 1, length, stream) == length, path);
    data[length] = '\0';
    fclose(stream);
    free(path);
    if (size)
        *size = length;
    return data;
}

void folder_edit(const char *folder, const char *file, const char *old, const char *new)
{
    char *text = folder_read(folder, file, NULL);
    char *place = strstr(text, old);
    require(place != NULL && strstr(place + 1, old) == NULL, old);
    char *edited;
    require(asprintf(&edited, "%.*s%s%s", (int)(place - text), text, new, place + strlen(old)) > 0,
            file);
    folder_write_text(folder, file, edited);
    free(edited);
    free(text);
}

static void copy_folder(const char *from, const char *to)
{
    DIR *directory = opendir(from);
    require(directory != NULL, from);
    const struct dirent *item;
    while ((item = readdir(directory)) != NULL) {
        if (item->d_name[0] == '.')
            continue;
        char *source = join(from, item->d_name);
        struct stat info;
        require(stat(source, &info) == 0, source);
        if (S_ISDIR(info.st_mode)) {
            char *target = join(to, item->d_name);
            require(mkdir(target, 0755) == 0, target);
            copy_folder(source, target);
            free(target);
        } else {
            size_t size;
            char *data = folder_read(from, item->d_name, &size);
            folder_write(to, item->d_name, data, size);
            free(data);
        }
        free(source);
    }
    closedir(directory);
}

char *folder_copy_fixture(const char *name)
{
    char *source = join(fixtures_folder(), name);
    char *copy = folder_create();
    copy_folder(source, copy);
    free(source);
    return copy;
}

static int remove_item(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

void folder_remove(char *folder)
{
    require(nftw(folder, remove_item, 16, FTW_DEPTH | FTW_PHYS) == 0, folder);
    free(folder);
}
