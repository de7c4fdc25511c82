/*
 * The registry of sembed.h: names → models.
 *
 * Two kinds of names: those given by sembed_registry_load, and folders found on the model path. Behind
 * either may stand a precision, "name@int8", which makes another model of the same folder. A look-up that was
 * answered once is answered from memory until the path changes, since hosts ask for every row; only the
 * first one touches the file system.
 *
 * Threads. The lock is held for look-ups, not while a model loads, which can take seconds: whoever uses a
 * model that is there does not wait for that. One thread loads at a time, the others who want to wait for
 * it, asking their polls.
 *
 * Giving up. A model's memory goes when nobody uses it and it is no longer wanted; a given name then
 * keeps its entry and folder, for it is found nowhere else, and the model is loaded again when it is asked
 * for.
 */
#include "core/base/condition.h"
#include "core/base/file.h"
#include "core/base/memory.h"
#include "core/model/compiled.h"
#include "core/model/inside.h"
#include "core/model/model_name.h"
#include "core/model/model_path.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct entry {
    struct sembed_model *model; /* NULL: given up; of given names alone */
    char *name;
    char *folder;
    size_t users;       /* those of sembed_registry_use */
    bool given;         /* by sembed_registry_load; wins over the path */
    bool derived;       /* from a given one, by a precision behind its name */
    bool findable;      /* false: its name was taken over, or the path has changed */
    uint64_t last_used; /* by the registry's clock */
};

struct sembed_registry {
    pthread_mutex_t lock;
    pthread_cond_t loaded; /* a load has ended */
    bool loading;
    pid_t loading_process; /* a child of it does not wait for a thread that it does not have */
    char *path;
    uint64_t path_changes;
    bool counts_users; /* so that what nobody uses can be given up */
    size_t max_loaded; /* 0: no limit */
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
    condition_create(&created->loaded);
    created->images.limit = SEMBED_CACHE_LIMIT;
    *registry = created;
    return SEMBED_OK;
}

static void entry_free(struct entry *entry)
{
    model_free(entry->model);
    memory_free(entry->name);
    memory_free(entry->folder);
}

void sembed_registry_destroy(sembed_registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->count; i++)
        entry_free(&registry->entries[i]);
    pthread_cond_destroy(&registry->loaded);
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
        registry->path_changes++;
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
    char *copy = folder && *folder ? model_path_absolute(folder) : NULL;
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

/* The entry of a loaded model. */
static struct entry *entry_of(const struct sembed_registry *registry, const sembed_model *model)
{
    size_t i = 0;
    while (registry->entries[i].model != model)
        i++;
    return &registry->entries[i];
}

/* Lists the folder if it is a model's. */
static sembed_status list_model(const struct sembed_registry *registry, const char *name,
                                const char *folder, sembed_listing *listing, size_t *capacity,
                                sembed_error *error)
{
    bool failed = false, inside = false;
    if (!model_path_is_model(folder, &failed))
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
            status =
                listing_add(listing, &capacity, entry->name, entry->folder, entry->model, error);
    }
    const char *rest = registry->path;
    bool failed = false;
    char *parent;
    while (status == SEMBED_OK && (parent = model_path_next(&rest, &failed)) != NULL) {
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

/* The loaded models of a listing are used until it is freed. */
sembed_status sembed_registry_list(sembed_registry *registry, sembed_listing *listing,
                                   sembed_error *error)
{
    pthread_mutex_lock(&registry->lock);
    sembed_status status = list_models(registry, listing, error);
    for (size_t i = 0; status == SEMBED_OK && i < listing->count; i++)
        if (listing->entries[i].model)
            entry_of(registry, listing->entries[i].model)->users++;
    pthread_mutex_unlock(&registry->lock);
    if (status == SEMBED_OK)
        listing->registry = registry;
    return status;
}

void sembed_listing_free(sembed_listing *listing)
{
    for (size_t i = 0; listing->registry && i < listing->count; i++)
        if (listing->entries[i].model)
            sembed_registry_end_use(listing->registry, listing->entries[i].model);
    for (size_t i = 0; i < listing->count; i++) {
        memory_free((char *)listing->entries[i].name);
        memory_free((char *)listing->entries[i].folder);
    }
    memory_free(listing->entries);
    *listing = (sembed_listing){0};
}

/* --------------------------------------------------------------------------------- giving up */

static void give_up(struct sembed_registry *registry, size_t i)
{
    struct entry *entry = &registry->entries[i];
    if (entry->given && entry->findable) {
        model_free(entry->model);
        entry->model = NULL;
    } else {
        entry_free(entry);
        *entry = registry->entries[--registry->count];
    }
    registry->only_model = NULL;
    registry->generation++;
}

/* The least recently used model that nobody uses, by its place; the count where there is none. *loaded:
 * how many models there are. */
static size_t find_oldest(const struct sembed_registry *registry, size_t *loaded)
{
    size_t oldest = registry->count;
    *loaded = 0;
    for (size_t i = 0; i < registry->count; i++) {
        const struct entry *entry = &registry->entries[i];
        *loaded += entry->model != NULL;
        if (entry->model && entry->users == 0 &&
            (oldest == registry->count || entry->last_used < registry->entries[oldest].last_used))
            oldest = i;
    }
    return oldest;
}

static void give_up_oldest(struct sembed_registry *registry, size_t max_loaded)
{
    size_t loaded, oldest;
    while (max_loaded > 0 && (oldest = find_oldest(registry, &loaded)) < registry->count &&
           loaded > max_loaded)
        give_up(registry, oldest);
}

/* Where users are counted: models that no name finds, and those over the limit. */
static void give_up_unused(struct sembed_registry *registry)
{
    if (!registry->counts_users)
        return;
    for (size_t i = registry->count; i-- > 0;)
        if (!registry->entries[i].findable && registry->entries[i].users == 0)
            give_up(registry, i);
    give_up_oldest(registry, registry->max_loaded);
}

void sembed_registry_set_max_loaded(sembed_registry *registry, size_t max_loaded)
{
    pthread_mutex_lock(&registry->lock);
    registry->counts_users = true;
    registry->max_loaded = max_loaded;
    give_up_unused(registry);
    pthread_mutex_unlock(&registry->lock);
}

size_t sembed_registry_max_loaded(sembed_registry *registry)
{
    pthread_mutex_lock(&registry->lock);
    size_t max_loaded = registry->max_loaded;
    pthread_mutex_unlock(&registry->lock);
    return max_loaded;
}

uint64_t sembed_registry_refresh(sembed_registry *registry, size_t max_loaded)
{
    pthread_mutex_lock(&registry->lock);
    for (size_t i = registry->count; i-- > 0;) {
        const struct entry *entry = &registry->entries[i];
        if (entry->users == 0 &&
            (!entry->findable || (entry->model && compiled_is_stale(entry->model))))
            give_up(registry, i);
    }
    give_up_oldest(registry, max_loaded);
    uint64_t generation = registry->generation;
    pthread_mutex_unlock(&registry->lock);
    return generation;
}

/* ------------------------------------------------------------------------------------- loading */

#define POLL_MILLISECONDS 20

/* Becomes the thread that loads; waits for the one that does, asking poll without the lock. */
static sembed_status begin_loading(struct sembed_registry *registry, const sembed_poll *poll,
                                   sembed_error *error)
{
    while (registry->loading && registry->loading_process == getpid()) {
        condition_wait(&registry->loaded, &registry->lock, POLL_MILLISECONDS);
        pthread_mutex_unlock(&registry->lock);
        bool stops = poll_wants_stop(poll);
        pthread_mutex_lock(&registry->lock);
        if (stops)
            return error_canceled(error);
    }
    registry->loading = true;
    registry->loading_process = getpid();
    return SEMBED_OK;
}

static void end_loading(struct sembed_registry *registry)
{
    registry->loading = false;
    pthread_cond_broadcast(&registry->loaded);
}

/* Loads a folder by way of its image, the lock let go meanwhile; what there is to say about that,
 * *notice says. */
static sembed_status load_unlocked(struct sembed_registry *registry, const char *name,
                                   const char *folder, enum precision precision,
                                   const sembed_poll *poll, struct sembed_model **model,
                                   sembed_error *notice, sembed_error *error)
{
    struct image_settings images = registry->images;
    char *copy = images.folder ? memory_copy_string(images.folder) : NULL;
    if (images.folder && !copy)
        return error_no_memory(error, "the cache folder");
    images.folder = copy;
    pthread_mutex_unlock(&registry->lock);
    sembed_status status =
        compiled_load(name, folder, precision, &images, poll, model, notice, error);
    pthread_mutex_lock(&registry->lock);
    memory_free(copy);
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

/* The same, but a given name that stands for that folder keeps its entry: its model was given up. */
static struct entry *place_entry(struct sembed_registry *registry, struct entry entry)
{
    struct entry *own = find_entry(registry, entry.name);
    if (own && own->given && entry.given && !own->model && strcmp(own->folder, entry.folder) == 0) {
        own->model = entry.model;
        memory_free(entry.name);
        memory_free(entry.folder);
        return own;
    }
    take_name(registry, entry.name, entry.given);
    registry->entries[registry->count] = entry;
    return &registry->entries[registry->count++];
}

/* Loads a folder and remembers it under the name; entry says how the name came about. The caller is
 * the thread that loads. */
static sembed_status load_entry(struct sembed_registry *registry, const struct model_name *name,
                                const char *folder, struct entry entry, const sembed_poll *poll,
                                const struct sembed_model **model, sembed_error *error)
{
    const uint64_t path_changes = registry->path_changes;
    sembed_error notice;
    entry.name = memory_copy_string(name->canonical);
    entry.folder = memory_copy_string(folder);
    sembed_status status = SEMBED_OK;
    if (!entry.name || !entry.folder ||
        !memory_grow((void **)&registry->entries, &registry->capacity, registry->count + 1,
                     sizeof *registry->entries))
        status = error_no_memory(error, "the registry");
    if (status == SEMBED_OK)
        status = load_unlocked(registry, entry.name, entry.folder, name->precision, poll,
                               &entry.model, &notice, error);
    if (status != SEMBED_OK) {
        memory_free(entry.name);
        memory_free(entry.folder);
        return status;
    }
    if (notice.code != SEMBED_OK)
        registry->notice = notice;
    entry.model->serial = ++registry->clock;
    struct entry *placed = place_entry(registry, entry);
    placed->findable = entry.given || entry.derived || path_changes == registry->path_changes;
    placed->last_used = ++registry->clock;
    registry->only_model = NULL;
    *model = placed->model;
    return SEMBED_OK;
}

/* Whether loading would give what is loaded already. */
static bool is_loaded(const struct entry *entry, const char *folder)
{
    return entry && entry->given && entry->model && strcmp(entry->folder, folder) == 0 &&
           entry->model->identity && !compiled_is_stale(entry->model);
}

static sembed_status load_given(struct sembed_registry *registry, const struct model_name *name,
                                const char *folder, const sembed_poll *poll, sembed_error *error)
{
    const struct sembed_model *model;
    pthread_mutex_lock(&registry->lock);
    sembed_status status = begin_loading(registry, poll, error);
    if (status == SEMBED_OK) {
        if (!is_loaded(find_entry(registry, name->canonical), folder))
            status = load_entry(registry, name, folder, (struct entry){.given = true}, poll, &model,
                                error);
        end_loading(registry);
        give_up_unused(registry);
    }
    pthread_mutex_unlock(&registry->lock);
    return status;
}

sembed_status sembed_registry_load(sembed_registry *registry, const char *name, const char *folder,
                                   const sembed_poll *poll, sembed_error *error)
{
    struct model_name parsed;
    sembed_status status = model_name_parse(name, &parsed, error);
    if (status != SEMBED_OK)
        return status;
    char *absolute = model_path_absolute(folder);
    status = absolute ? load_given(registry, &parsed, absolute, poll, error)
                      : error_no_memory(error, "a path");
    memory_free(absolute);
    model_name_free(&parsed);
    return status;
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
    if (!entry || !entry->model)
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

/* Loads the model of a name that has none: from the folder it was given or found in, or from that of the
 * given name before its precision. The caller is the thread that loads. */
static sembed_status load_named(struct sembed_registry *registry, const struct model_name *name,
                                const sembed_poll *poll, const sembed_model **model,
                                sembed_error *error)
{
    const struct entry *own = find_entry(registry, name->canonical);
    const struct entry *base = find_entry(registry, name->base);
    const struct entry *given = own && own->given ? own : base && base->given ? base : NULL;
    struct entry entry = {.given = given && given == own, .derived = given && given != own};
    char *folder = given ? memory_copy_string(given->folder) : NULL;
    sembed_status status = SEMBED_OK;
    if (given && !folder)
        return error_no_memory(error, "a path");
    if (!given)
        status = model_path_find(registry->path, name->base, &folder, error);
    if (status == SEMBED_OK && !folder)
        return refuse_name(registry, name, error);
    if (status == SEMBED_OK && !given)
        status = inside_check(folder, registry->path, error);
    if (status == SEMBED_OK && !given)
        *model = find_again(registry, name->canonical, folder);
    if (status == SEMBED_OK && !*model)
        status = load_entry(registry, name, folder, entry, poll, model, error);
    memory_free(folder);
    return status;
}

static sembed_status acquire_parsed(struct sembed_registry *registry, const struct model_name *name,
                                    const sembed_poll *poll, const sembed_model **model,
                                    sembed_error *error)
{
    *model = find_used(registry, name->canonical);
    if (*model)
        return SEMBED_OK;
    sembed_status status = begin_loading(registry, poll, error);
    if (status != SEMBED_OK)
        return status;
    /* The thread that was waited for may have loaded it. */
    *model = find_used(registry, name->canonical);
    if (!*model)
        status = load_named(registry, name, poll, model, error);
    end_loading(registry);
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
    /* Remembered where no lock was let go meanwhile, in which another model might have come. */
    *model = registry->only_model = name ? find_used(registry, name) : NULL;
    if (!name)
        status = not_found(registry, NULL, &listing, error);
    else if (!*model)
        status = acquire_named(registry, name, poll, model, error);
    sembed_listing_free(&listing);
    return status;
}

static sembed_status acquire(struct sembed_registry *registry, const char *name,
                             const sembed_poll *poll, const sembed_model **model,
                             sembed_error *error)
{
    *model = NULL;
    return name ? acquire_named(registry, name, poll, model, error)
                : acquire_only(registry, poll, model, error);
}

sembed_status sembed_registry_acquire(sembed_registry *registry, const char *name,
                                      const sembed_poll *poll, const sembed_model **model,
                                      sembed_error *error)
{
    pthread_mutex_lock(&registry->lock);
    sembed_status status = acquire(registry, name, poll, model, error);
    pthread_mutex_unlock(&registry->lock);
    return status;
}

sembed_status sembed_registry_use(sembed_registry *registry, const char *name,
                                  const sembed_poll *poll, const sembed_model **model,
                                  sembed_error *error)
{
    pthread_mutex_lock(&registry->lock);
    sembed_status status = acquire(registry, name, poll, model, error);
    if (status == SEMBED_OK) {
        entry_of(registry, *model)->users++;
        give_up_unused(registry);
    }
    pthread_mutex_unlock(&registry->lock);
    return status;
}

void sembed_registry_end_use(sembed_registry *registry, const sembed_model *model)
{
    pthread_mutex_lock(&registry->lock);
    if (--entry_of(registry, model)->users == 0)
        give_up_unused(registry);
    pthread_mutex_unlock(&registry->lock);
}

uint64_t sembed_model_serial(const sembed_model *model)
{
    return model->serial;
}

/* ------------------------------------------------------------------------------- ahead of time */

/* *bytes of the image of a model that is used. */
static sembed_status compile(struct sembed_registry *registry, const sembed_model *model,
                             const sembed_poll *poll, uint64_t *bytes, sembed_error *error)
{
    struct sembed_model *compiled = NULL;
    sembed_error notice = {0};
    sembed_status status = begin_loading(registry, poll, error);
    if (status != SEMBED_OK)
        return status;
    status = load_unlocked(registry, model->name, model->folder,
                           model->architecture.encoder.precision, poll, &compiled, &notice, error);
    if (status == SEMBED_OK && !compiled->image.map.mapping)
        status = error_set(error, notice.code, "%s", notice.message);
    if (status == SEMBED_OK)
        *bytes = compiled->image.map.size;
    model_free(compiled);
    registry->notice = (sembed_error){0};
    end_loading(registry);
    return status;
}

sembed_status sembed_registry_compile(sembed_registry *registry, const char *name,
                                      const sembed_poll *poll, uint64_t *bytes, sembed_error *error)
{
    const sembed_model *model;
    *bytes = 0;
    pthread_mutex_lock(&registry->lock);
    sembed_status status = SEMBED_OK;
    if (!registry->images.folder)
        status = error_set(error, SEMBED_IO, "no cache folder is set");
    if (status == SEMBED_OK)
        status = acquire(registry, name, poll, &model, error);
    if (status == SEMBED_OK) {
        entry_of(registry, model)->users++;
        status = compile(registry, model, poll, bytes, error);
        entry_of(registry, model)->users--;
        give_up_unused(registry);
    }
    pthread_mutex_unlock(&registry->lock);
    return status;
}
