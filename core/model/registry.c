/*
 * The registry of sembed.h: names → models.
 *
 * Two kinds of names: those given by sembed_registry_load, and folders found on the model path. Behind
 * either may stand a precision, "name@int8", which makes another model of the same folder. A look-up that was answered once is answered from memory until the path changes, since hosts ask for
 * every row; only the first one touches the file system.
 */
#include "core/base/file.h"
#include "core/base/memory.h"
#include "core/model/compiled.h"
#include "core/model/inside.h"
#include "core/model/model_name.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often poll is asked by who waits for another thread's loading. */
#define POLL_NANOSECONDS 5000000

struct entry {
    struct sembed_model *model;
    char *name;
    bool given;         /* by sembed_registry_load; wins over the path */
    bool derived;       /* from a given one, by a precision behind its name */
    bool findable;      /* false: its name was taken over, or the path has changed */
    uint64_t last_used; /* by the registry's clock */
};

struct sembed_registry {
    pthread_mutex_t lock;
    char *path;
    struct entry *entries;
    size_t count, capacity;
    const struct sembed_model *only_model; /* what a NULL name means; NULL: not known yet */
    uint64_t clock;                        /* counts look-ups */
    uint64_t generation;
    struct image_settings images; /* the folder's name is owned */
    sembed_error notice;          /* SEMBED_OK: there is none */
};

sembed_status sembed_registry_create(const char *model_path, sembed_registry **registry,
                                     sembed_error *error)
{
    *registry = NULL;
    struct sembed_registry *created = memory_calloc(1, sizeof *created);
    if (created)
        created->path = memory_copy_string(model_path ? model_path : "");
    if (!created || !created->path) {
        memory_free(created);
        return error_no_memory(error, "the registry");
    }
    pthread_mutex_init(&created->lock, NULL);
    created->images.limit = SEMBED_CACHE_LIMIT;
    *registry = created;
    return SEMBED_OK;
}

/* Waits for the registry, which another thread may hold for as long as loading a model takes. */
static sembed_status lock_registry(struct sembed_registry *registry, const sembed_poll *poll,
                                   sembed_error *error)
{
    struct timespec until;
    while (pthread_mutex_trylock(&registry->lock) != 0) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += POLL_NANOSECONDS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_mutex_timedlock(&registry->lock, &until) == 0)
            return SEMBED_OK;
        if (poll_wants_stop(poll))
            return error_canceled(error);
    }
    return SEMBED_OK;
}

static void entry_free(struct entry *entry)
{
    model_free(entry->model);
    memory_free(entry->name);
}

void sembed_registry_destroy(sembed_registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->count; i++)
        entry_free(&registry->entries[i]);
    pthread_mutex_destroy(&registry->lock);
    memory_free((char *)registry->images.folder);
    memory_free(registry->entries);
    memory_free(registry->path);
    memory_free(registry);
}

sembed_status sembed_registry_set_path(sembed_registry *registry, const char *model_path,
                                       sembed_error *error)
{
    char *path = memory_copy_string(model_path ? model_path : "");
    if (!path)
        return error_no_memory(error, "the model path");
    pthread_mutex_lock(&registry->lock);
    if (strcmp(path, registry->path) != 0) {
        for (size_t i = 0; i < registry->count; i++)
            registry->entries[i].findable &=
                registry->entries[i].given || registry->entries[i].derived;
        registry->only_model = NULL;
        char *old = registry->path;
        registry->path = path;
        path = old;
    }
    pthread_mutex_unlock(&registry->lock);
    memory_free(path);
    return SEMBED_OK;
}

sembed_status sembed_registry_set_cache(sembed_registry *registry, const char *folder,
                                        uint64_t limit, sembed_error *error)
{
    char *copy = folder && *folder ? memory_copy_string(folder) : NULL;
    if (folder && *folder && !copy)
        return error_no_memory(error, "the cache folder");
    pthread_mutex_lock(&registry->lock);
    char *old = (char *)registry->images.folder;
    registry->images = (struct image_settings){copy, limit};
    pthread_mutex_unlock(&registry->lock);
    memory_free(old);
    return SEMBED_OK;
}

int sembed_registry_take_notice(sembed_registry *registry, sembed_error *notice)
{
    pthread_mutex_lock(&registry->lock);
    bool is_there = registry->notice.code != SEMBED_OK;
    if (is_there) {
        *notice = registry->notice;
        registry->notice = (sembed_error){0};
    }
    pthread_mutex_unlock(&registry->lock);
    return is_there;
}

/* ------------------------------------------------------------------------- folders on the path */

/* *failed: there is no memory to know. */
static bool holds_file(const char *folder, const char *name, bool *failed)
{
    char *path = path_join(folder, name);
    bool found = path && file_exists(path);
    *failed |= !path;
    memory_free(path);
    return found;
}

static bool is_model_folder(const char *folder, bool *failed)
{
    return folder_exists(folder) && (holds_file(folder, "modules.json", failed) ||
                                     holds_file(folder, "config.json", failed));
}

/* Copies the next folder of a path a:b:c into memory of the caller; NULL at the end or where there is
 * no memory, told apart by *failed. */
static char *next_folder(const char **rest, bool *failed)
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

/* The first folder of that name on the path, the caller's to free; NULL: none. */
static sembed_status find_on_path(const char *path, const char *name, char **found,
                                  sembed_error *error)
{
    bool failed = false;
    char *parent;
    *found = NULL;
    while (!*found && (parent = next_folder(&path, &failed)) != NULL) {
        char *folder = path_join(parent, name);
        memory_free(parent);
        if (!folder)
            return error_no_memory(error, "a path");
        if (is_model_folder(folder, &failed) && !failed)
            *found = folder;
        else
            memory_free(folder);
        if (failed)
            break;
    }
    return failed ? error_no_memory(error, "a path") : SEMBED_OK;
}

static sembed_status listing_add(sembed_listing *listing, size_t *capacity, const char *name,
                                 const char *folder, const sembed_model *model, sembed_error *error)
{
    for (size_t i = 0; i < listing->count; i++) {
        if (strcmp(listing->entries[i].name, name) == 0)
            return SEMBED_OK; /* an earlier folder of the path hides it */
    }
    sembed_listing_entry added = {memory_copy_string(name), memory_copy_string(folder), model,
                                  precision_name(model_name_precision(name))};
    if (!added.name || !added.folder ||
        !memory_grow((void **)&listing->entries, capacity, listing->count + 1, sizeof added)) {
        memory_free((char *)added.name);
        memory_free((char *)added.folder);
        return error_no_memory(error, "the list of models");
    }
    listing->entries[listing->count++] = added;
    return SEMBED_OK;
}

/* The entry that a name finds among the loaded; NULL: none. */
static struct entry *find_entry(const struct sembed_registry *registry, const char *name)
{
    for (size_t i = 0; i < registry->count; i++) {
        struct entry *entry = &registry->entries[i];
        if (entry->findable && strcmp(entry->name, name) == 0)
            return entry;
    }
    return NULL;
}

/* Lists the folder if it is a model's. */
static sembed_status list_model(const struct sembed_registry *registry, const char *name,
                                const char *folder, sembed_listing *listing, size_t *capacity,
                                sembed_error *error)
{
    bool failed = false, inside = false;
    if (!is_model_folder(folder, &failed))
        return failed ? error_no_memory(error, "a path") : SEMBED_OK;
    sembed_status status = inside_path(folder, registry->path, &inside, error);
    if (status != SEMBED_OK || !inside)
        return status;
    const struct entry *entry = find_entry(registry, name);
    return listing_add(listing, capacity, name, folder, entry ? entry->model : NULL, error);
}

static sembed_status list_folder(const struct sembed_registry *registry, const char *parent,
                                 sembed_listing *listing, size_t *capacity, sembed_error *error)
{
    DIR *directory = opendir(parent);
    if (!directory && error_of_errno(errno, SEMBED_OK) != SEMBED_OK)
        return error_no_memory(error, parent);
    if (!directory)
        return SEMBED_OK; /* a folder that is not there holds no models */
    sembed_status status = SEMBED_OK;
    const struct dirent *item;
    while (status == SEMBED_OK && (item = readdir(directory)) != NULL) {
        if (item->d_name[0] == '.')
            continue;
        char *folder = path_join(parent, item->d_name);
        status = folder ? list_model(registry, item->d_name, folder, listing, capacity, error)
                        : error_no_memory(error, "a path");
        memory_free(folder);
    }
    closedir(directory);
    return status;
}

static int compare_names(const void *a, const void *b)
{
    const sembed_listing_entry *first = a, *second = b;
    return strcmp(first->name, second->name);
}

static sembed_status list_models(const struct sembed_registry *registry, sembed_listing *listing,
                                 sembed_error *error)
{
    *listing = (sembed_listing){0};
    size_t capacity = 0;
    sembed_status status = SEMBED_OK;
    for (size_t i = 0; status == SEMBED_OK && i < registry->count; i++) {
        const struct entry *entry = &registry->entries[i];
        if (entry->findable)
            status = listing_add(listing, &capacity, entry->name, entry->model->folder,
                                 entry->model, error);
    }
    const char *rest = registry->path;
    bool failed = false;
    char *parent;
    while (status == SEMBED_OK && (parent = next_folder(&rest, &failed)) != NULL) {
        status = list_folder(registry, parent, listing, &capacity, error);
        memory_free(parent);
    }
    if (status == SEMBED_OK && failed)
        status = error_no_memory(error, "a path");
    if (status != SEMBED_OK)
        sembed_listing_free(listing);
    else if (listing->count > 1)
        qsort(listing->entries, listing->count, sizeof *listing->entries, compare_names);
    return status;
}

sembed_status sembed_registry_list(sembed_registry *registry, sembed_listing *listing,
                                   sembed_error *error)
{
    pthread_mutex_lock(&registry->lock);
    sembed_status status = list_models(registry, listing, error);
    pthread_mutex_unlock(&registry->lock);
    return status;
}

void sembed_listing_free(sembed_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        memory_free((char *)listing->entries[i].name);
        memory_free((char *)listing->entries[i].folder);
    }
    memory_free(listing->entries);
    *listing = (sembed_listing){0};
}

/* ------------------------------------------------------------------------------------- loading */

/* Loads a folder by way of its image; what there is to say about that, the registry keeps. */
static sembed_status load_model(struct sembed_registry *registry, const struct model_name *name,
                                const char *folder, const sembed_poll *poll,
                                struct sembed_model **model, sembed_error *error)
{
    sembed_error notice;
    sembed_status status = compiled_load(name->canonical, folder, name->precision,
                                         &registry->images, poll, model, &notice, error);
    if (status == SEMBED_OK && notice.code != SEMBED_OK)
        registry->notice = notice;
    return status;
}

/* Takes a name away from whoever has it; one that is given anew also from other precisions of what it
 * was before. Models that lose their names stay: a statement may be using them. */
static void take_name(struct sembed_registry *registry, const char *name, bool given)
{
    for (size_t i = 0; i < registry->count; i++) {
        struct entry *entry = &registry->entries[i];
        if (strcmp(entry->name, name) == 0 ||
            (given && !entry->given && model_name_same_base(entry->name, name)))
            entry->findable = false;
    }
}

/* Loads a folder and remembers it under the name; entry says how the name came about. */
static sembed_status load_entry(struct sembed_registry *registry, const struct model_name *name,
                                const char *folder, struct entry entry, const sembed_poll *poll,
                                const struct sembed_model **model, sembed_error *error)
{
    entry.name = memory_copy_string(name->canonical);
    if (!entry.name || !memory_grow((void **)&registry->entries, &registry->capacity,
                                    registry->count + 1, sizeof *registry->entries)) {
        memory_free(entry.name);
        return error_no_memory(error, "the registry");
    }
    sembed_status status = load_model(registry, name, folder, poll, &entry.model, error);
    if (status != SEMBED_OK) {
        memory_free(entry.name);
        return status;
    }
    take_name(registry, name->canonical, entry.given);
    entry.findable = true;
    entry.last_used = ++registry->clock;
    registry->entries[registry->count++] = entry;
    registry->only_model = NULL;
    *model = entry.model;
    return SEMBED_OK;
}

/* Whether loading would give what is loaded already. */
static bool is_loaded(const struct entry *entry, const char *folder)
{
    return entry && entry->given && strcmp(entry->model->folder, folder) == 0 &&
           entry->model->identity && !compiled_is_stale(entry->model);
}

sembed_status sembed_registry_load(sembed_registry *registry, const char *name, const char *folder,
                                   const sembed_poll *poll, sembed_error *error)
{
    struct model_name parsed;
    sembed_status status = model_name_parse(name, &parsed, error);
    if (status != SEMBED_OK)
        return status;
    const struct sembed_model *model;
    status = lock_registry(registry, poll, error);
    if (status == SEMBED_OK) {
        if (!is_loaded(find_entry(registry, parsed.canonical), folder))
            status = load_entry(registry, &parsed, folder, (struct entry){.given = true}, poll,
                                &model, error);
        pthread_mutex_unlock(&registry->lock);
    }
    model_name_free(&parsed);
    return status;
}

/* --------------------------------------------------------------------------------- giving up */

static void give_up(struct sembed_registry *registry, size_t i)
{
    entry_free(&registry->entries[i]);
    registry->entries[i] = registry->entries[--registry->count];
    registry->only_model = NULL;
    registry->generation++;
}

static size_t least_recently_used(const struct sembed_registry *registry)
{
    size_t oldest = 0;
    for (size_t i = 1; i < registry->count; i++)
        if (registry->entries[i].last_used < registry->entries[oldest].last_used)
            oldest = i;
    return oldest;
}

uint64_t sembed_registry_refresh(sembed_registry *registry, size_t max_loaded)
{
    pthread_mutex_lock(&registry->lock);
    for (size_t i = registry->count; i-- > 0;)
        if (!registry->entries[i].findable || compiled_is_stale(registry->entries[i].model))
            give_up(registry, i);
    while (max_loaded > 0 && registry->count > max_loaded)
        give_up(registry, least_recently_used(registry));
    uint64_t generation = registry->generation;
    pthread_mutex_unlock(&registry->lock);
    return generation;
}

/* Writes "a, b, c" of a listing into a buffer; where not all names fit, "a, b and 7 more". */
static const char *join_names(const sembed_listing *listing, char *buffer, size_t size)
{
    enum { AND_MORE = sizeof " and 18446744073709551615 more" };
    size_t used = 0;
    buffer[0] = '\0';
    for (size_t i = 0; i < listing->count; i++) {
        const char *name = listing->entries[i].name;
        if (used + strlen(name) + sizeof ", " + AND_MORE > size) {
            snprintf(buffer + used, size - used, "%s%zu more", i ? " and " : "",
                     listing->count - i);
            break;
        }
        used += (size_t)snprintf(buffer + used, size - used, "%s%s", i ? ", " : "", name);
    }
    return buffer;
}

/* SEMBED_NOT_FOUND for a name, or for the default where name is NULL, with the names there are. */
static sembed_status not_found(const struct sembed_registry *registry, const char *name,
                               const sembed_listing *listing, sembed_error *error)
{
    char names[256];
    join_names(listing, names, sizeof names);
    const char *path = registry->path[0] ? registry->path : "(empty)";
    if (!name && listing->count > 1)
        return error_set(error, SEMBED_NOT_FOUND,
                         "no default model is set and there are several: %s", names);
    if (!name)
        return error_set(error, SEMBED_NOT_FOUND, "no model is found; the model path is %s", path);
    if (listing->count == 0)
        return error_set(error, SEMBED_NOT_FOUND,
                         "model '%s' is not found, nor any other; the model path is %s", name,
                         path);
    return error_set(error, SEMBED_NOT_FOUND, "model '%s' is not found; there are: %s", name,
                     names);
}

/* The loaded model of that name, which is used now; NULL: there is none. */
static const sembed_model *find_used(struct sembed_registry *registry, const char *name)
{
    struct entry *entry = find_entry(registry, name);
    if (!entry)
        return NULL;
    entry->last_used = ++registry->clock;
    return entry->model;
}

/* A name with something behind an @ that is no precision, and that no folder has either. */
static sembed_status error_unknown_precision(const char *name, sembed_error *error)
{
    return error_set(error, SEMBED_NOT_FOUND,
                     "model '%s': expected a precision behind the @: f32, bf16 or int8; found '%s'",
                     name, strrchr(name, '@') + 1);
}

/* SEMBED_NOT_FOUND, its message with the names that there are. */
static sembed_status refuse_name(const struct sembed_registry *registry,
                                 const struct model_name *name, sembed_error *error)
{
    sembed_listing listing;
    if (strchr(name->base, '@'))
        return error_unknown_precision(name->base, error);
    sembed_status status = list_models(registry, &listing, error);
    if (status != SEMBED_OK)
        return status;
    status = not_found(registry, name->base, &listing, error);
    sembed_listing_free(&listing);
    return status;
}

/* The model of that folder if it is loaded still, from before the path was another one for a while: a
 * function that sets the path would load it anew at each call. NULL: it is not. */
static const sembed_model *find_again(struct sembed_registry *registry, const char *name,
                                      const char *folder)
{
    for (size_t i = 0; i < registry->count; i++) {
        struct entry *entry = &registry->entries[i];
        if (entry->findable || entry->given || entry->derived || strcmp(entry->name, name) != 0 ||
            strcmp(entry->model->folder, folder) != 0 || !entry->model->identity ||
            compiled_is_stale(entry->model))
            continue;
        entry->findable = true;
        entry->last_used = ++registry->clock;
        registry->only_model = NULL;
        return entry->model;
    }
    return NULL;
}

static sembed_status acquire_parsed(struct sembed_registry *registry, const struct model_name *name,
                                    const sembed_poll *poll, const sembed_model **model,
                                    sembed_error *error)
{
    *model = find_used(registry, name->canonical);
    if (*model)
        return SEMBED_OK;
    const struct entry *base = find_entry(registry, name->base);
    bool derived = base && base->given;
    if (derived)
        return load_entry(registry, name, base->model->folder, (struct entry){.derived = true},
                          poll, model, error);
    char *folder;
    sembed_status status = find_on_path(registry->path, name->base, &folder, error);
    if (status != SEMBED_OK)
        return status;
    if (!folder)
        return refuse_name(registry, name, error);
    status = inside_check(folder, registry->path, error);
    if (status == SEMBED_OK)
        *model = find_again(registry, name->canonical, folder);
    if (status == SEMBED_OK && !*model)
        status = load_entry(registry, name, folder, (struct entry){0}, poll, model, error);
    memory_free(folder);
    return status;
}

static sembed_status acquire_named(struct sembed_registry *registry, const char *name,
                                   const sembed_poll *poll, const sembed_model **model,
                                   sembed_error *error)
{
    /* Hosts ask for every row: most names are those of a model that is loaded, letter by letter. */
    *model = find_used(registry, name);
    if (*model)
        return SEMBED_OK;
    struct model_name parsed;
    sembed_status status = model_name_parse(name, &parsed, error);
    if (status != SEMBED_OK)
        return status;
    status = acquire_parsed(registry, &parsed, poll, model, error);
    model_name_free(&parsed);
    return status;
}

/* The only model there is was asked for by no name: a use all the same. */
static void note_use(struct sembed_registry *registry, const sembed_model *model)
{
    for (size_t i = 0; i < registry->count; i++)
        if (registry->entries[i].model == model)
            registry->entries[i].last_used = ++registry->clock;
}

/* The one of several precisions of one model that a NULL name means: the plain one, else the first.
 * NULL: there are several models, or none. */
static const char *only_name(const sembed_listing *listing)
{
    const char *only = NULL;
    for (size_t i = 0; i < listing->count; i++) {
        const char *name = listing->entries[i].name;
        if (only && !model_name_same_base(only, name))
            return NULL;
        if (!only || strlen(name) < strlen(only))
            only = name;
    }
    return only;
}

static sembed_status acquire_only(struct sembed_registry *registry, const sembed_poll *poll,
                                  const sembed_model **model, sembed_error *error)
{
    *model = registry->only_model;
    if (*model) {
        note_use(registry, *model);
        return SEMBED_OK;
    }
    sembed_listing listing;
    sembed_status status = list_models(registry, &listing, error);
    if (status != SEMBED_OK)
        return status;
    const char *name = only_name(&listing);
    status = name ? acquire_named(registry, name, poll, model, error)
                  : not_found(registry, NULL, &listing, error);
    registry->only_model = *model;
    sembed_listing_free(&listing);
    return status;
}

sembed_status sembed_registry_acquire(sembed_registry *registry, const char *name,
                                      const sembed_poll *poll, const sembed_model **model,
                                      sembed_error *error)
{
    *model = NULL;
    sembed_status status = lock_registry(registry, poll, error);
    if (status != SEMBED_OK)
        return status;
    status = name ? acquire_named(registry, name, poll, model, error)
                  : acquire_only(registry, poll, model, error);
    pthread_mutex_unlock(&registry->lock);
    return status;
}

/* ------------------------------------------------------------------------------- ahead of time */

sembed_status sembed_registry_compile(sembed_registry *registry, const char *name,
                                      const sembed_poll *poll, uint64_t *bytes, sembed_error *error)
{
    const sembed_model *model;
    *bytes = 0;
    sembed_status status = lock_registry(registry, poll, error);
    if (status != SEMBED_OK)
        return status;
    if (!registry->images.folder)
        status = error_set(error, SEMBED_IO, "no cache folder is set");
    if (status == SEMBED_OK)
        status = acquire_named(registry, name, poll, &model, error);
    struct sembed_model *compiled = NULL;
    sembed_error notice = {0};
    if (status == SEMBED_OK)
        status = compiled_load(model->name, model->folder, model->architecture.encoder.precision,
                               &registry->images, poll, &compiled, &notice, error);
    if (status == SEMBED_OK && !compiled->image.map.mapping)
        status = error_set(error, notice.code, "%s", notice.message);
    if (status == SEMBED_OK)
        *bytes = compiled->image.map.size;
    model_free(compiled);
    registry->notice = (sembed_error){0};
    pthread_mutex_unlock(&registry->lock);
    return status;
}
