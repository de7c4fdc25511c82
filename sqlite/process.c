#include "sqlite/extension.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* The extension's only state that is not a connection's. Written while a connection loads the
 * extension, under the mutex; read by that connection afterwards. */
static struct {
    pthread_mutex_t mutex;
    sembed_registry *registry;
} process = {.mutex = PTHREAD_MUTEX_INITIALIZER};

bool process_adopt(const sqlite3_api_routines *routines)
{
    pthread_mutex_lock(&process.mutex);
    if (!sqlite3_api)
        sqlite3_api = routines;
    bool ours = sqlite3_api == routines;
    pthread_mutex_unlock(&process.mutex);
    return ours;
}

/* Where images of models are kept: $SEMBED_CACHE, else sembed in the user's cache folder, as the XDG Base
 * Directory Specification has it; "" where there is none. An empty SEMBED_CACHE: nowhere. */
static void find_cache_folder(char *folder, size_t size)
{
    const char *named = getenv("SEMBED_CACHE"), *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int length = 0;
    if (named)
        length = snprintf(folder, size, "%s", named);
    else if (cache && *cache == '/')
        length = snprintf(folder, size, "%s/sembed", cache);
    else if (home && *home == '/')
        length = snprintf(folder, size, "%s/.cache/sembed", home);
    if (length <= 0 || (size_t)length >= size)
        folder[0] = '\0';
}

static sembed_status configure(sembed_registry *registry, sembed_error *error)
{
    char folder[4096];
    find_cache_folder(folder, sizeof folder);
    sembed_status status = sembed_registry_set_path(registry, getenv("SEMBED_MODEL_PATH"), error);
    if (!status)
        status = sembed_registry_set_cache(registry, folder, SEMBED_CACHE_LIMIT, error);
    return status;
}

sembed_status process_open(sembed_error *error)
{
    pthread_mutex_lock(&process.mutex);
    sembed_status status = SEMBED_OK;
    if (!process.registry) {
        status = sembed_registry_create(NULL, &process.registry, error);
        if (!status)
            sembed_registry_set_max_loaded(process.registry, MAX_LOADED);
    }
    if (!status)
        status = configure(process.registry, error);
    pthread_mutex_unlock(&process.mutex);
    return status;
}

sembed_registry *process_registry(void)
{
    return process.registry;
}

void process_report(void)
{
    sembed_error notice;
    if (sembed_registry_take_notice(process.registry, &notice))
        sqlite3_log(SQLITE_WARNING, "sembed: a model is loaded without a compiled image: %s",
                    notice.message);
}
