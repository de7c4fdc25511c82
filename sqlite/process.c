#include "sqlite/extension.h"

#include <pthread.h>
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

sembed_status process_open(sembed_error *error)
{
    pthread_mutex_lock(&process.mutex);
    const char *model_path = getenv("SEMBED_MODEL_PATH");
    sembed_status status = process.registry
                               ? sembed_registry_set_path(process.registry, model_path, error)
                               : sembed_registry_create(model_path, &process.registry, error);
    pthread_mutex_unlock(&process.mutex);
    return status;
}

sembed_registry *process_registry(void)
{
    return process.registry;
}
