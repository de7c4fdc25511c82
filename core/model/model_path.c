#include "core/model/model_path.h"

#include "core/base/file.h"
#include "core/base/memory.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

/* *failed: there is no memory to know. */
static bool holds_file(const char *folder, const char *name, bool *failed)
{
    char *path = path_join(folder, name);
    bool found = path && file_exists(path);
    *failed |= !path;
    memory_free(path);
    return found;
}

bool model_path_is_model(const char *folder, bool *failed)
{
    return folder_exists(folder) && (holds_file(folder, "modules.json", failed) ||
                                     holds_file(folder, "config.json", failed));
}

char *model_path_next(const char **rest, bool *failed)
{
    *rest += strspn(*rest, ":");
    size_t length = strcspn(*rest, ":");
    if (length == 0)
        return NULL;
    char *folder = memory_alloc(length + 1);
    if (!folder) {
        *failed = true;
        return NULL;
    }
    memcpy(folder, *rest, length);
    folder[length] = '\0';
    *rest += length;
    return folder;
}

sembed_status model_path_find(const char *path, const char *name, char **found, sembed_error *error)
{
    bool failed = false;
    char *parent;
    *found = NULL;
    while (!*found && (parent = model_path_next(&path, &failed)) != NULL) {
        char *folder = path_join(parent, name);
        memory_free(parent);
        if (!folder)
            return error_no_memory(error, "a path");
        if (model_path_is_model(folder, &failed) && !failed)
            *found = folder;
        else
            memory_free(folder);
        if (failed)
            break;
    }
    return failed ? error_no_memory(error, "a path") : SEMBED_OK;
}

char *model_path_absolute(const char *folder)
{
    char working[PATH_MAX];
    if (folder[0] == '/' || !getcwd(working, sizeof working))
        return memory_copy_string(folder);
    return path_join(working, folder);
}
