#include "core/model/compiled.h"

#include "core/base/memory.h"
#include "core/compute/kernels.h"
#include "core/image/cache.h"
#include "core/model/identity.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------------ a model to and from it */

static void store_table(struct archive *archive, struct tensor *table, bool *is_there)
{
    *is_there = table->data != NULL;
    archive_value(archive, is_there);
    archive_value(archive, &table->type);
    archive_value(archive, &table->rows);
    archive_value(archive, &table->columns);
    archive_check(archive, table->type <= NUMBER_BF16, "an embedding table of no known type");
}

/* What opening has to know before it comes to the weights. */
struct weights_present {
    bool tables[MODEL_TABLES];
    bool head;
};

/* What a folder's loader has checked of these. encoder_open looks at the encoder's own sizes. */
static bool is_sound(const struct sembed_model *model, const struct weights_present *present)
{
    const struct architecture *architecture = &model->architecture;
    return modules_are_sound(&model->modules, architecture->encoder.hidden_size) &&
           present->head == (model->modules.dimensions == 0) &&
           (!present->head || architecture->labels > 0) &&
           model->max_tokens <= architecture->encoder.max_tokens &&
           model->score_activation <= ACTIVATION_SIGMOID;
}

static void store_model(struct archive *archive, struct sembed_model *model,
                        struct weights_present *present)
{
    archive_string(archive, &model->architecture_name);
    architecture_store(archive, &model->architecture);
    modules_store(archive, &model->modules);
    prompts_store(archive, &model->prompts);
    archive_value(archive, &model->max_tokens);
    archive_value(archive, &model->parameters);
    archive_value(archive, &model->score_activation);
    for (size_t i = 0; i < MODEL_TABLES; i++)
        store_table(archive, &model->tables[i], &present->tables[i]);
    present->head = model->head_output != NULL;
    archive_value(archive, &present->head);
    tokenizer_store(archive, &model->tokenizer);
    archive_check(archive, model->architecture_name && model->tokenizer, "a model in parts");
    archive_check(archive, is_sound(model, present), "sizes that do not fit one another");
}

static sembed_status open_head(struct sembed_model *model, struct flat_reader *reader,
                               sembed_error *error)
{
    size_t hidden = model->architecture.encoder.hidden_size;
    sembed_status status = linear_open(hidden, hidden, model->architecture.family->head_activation,
                                       reader, &model->head_dense, error);
    if (status == SEMBED_OK)
        status = linear_open(model->architecture.labels, hidden, ACTIVATION_NONE, reader,
                             &model->head_output, error);
    return status;
}

static sembed_status open_weights(struct sembed_model *model, const struct weights_present *present,
                                  sembed_error *error)
{
    struct flat_reader reader = {.from = model->image.weights.data,
                                 .size = model->image.weights.size};
    sembed_status status = SEMBED_OK;
    for (size_t i = 0; status == SEMBED_OK && i < MODEL_TABLES; i++)
        if (present->tables[i])
            status = flat_read(&reader, table_bytes(&model->tables[i]), "embedding table",
                               &model->tables[i].data, error);
    const struct encoder_weights tables = {.words = model->tables[MODEL_WORDS],
                                           .positions = model->tables[MODEL_POSITIONS],
                                           .token_types = model->tables[MODEL_TOKEN_TYPES]};
    if (status == SEMBED_OK)
        status =
            encoder_open(&model->architecture.encoder, &tables, &reader, &model->encoder, error);
    if (status == SEMBED_OK)
        status = modules_open_weights(&model->modules, &reader, error);
    if (status == SEMBED_OK && present->head)
        status = open_head(model, &reader, error);
    return status;
}

/* Makes a model of an image, which becomes the model's and is closed also where that fails. */
static sembed_status open_model(const char *name, const char *folder, struct image *image,
                                struct sembed_model **model, sembed_error *error)
{
    struct weights_present present = {0};
    struct sembed_model *opened;
    sembed_status status = model_create(name, folder, &opened, error);
    if (status != SEMBED_OK) {
        image_close(image);
        return status;
    }
    opened->image = *image;
    *image = (struct image){0};
    struct archive archive =
        archive_for_opening(opened->image.records, opened->image.tables, error);
    store_model(&archive, opened, &present);
    status = archive_finish(&archive);
    if (status == SEMBED_OK)
        status = open_weights(opened, &present, error);
    if (status != SEMBED_OK) {
        model_free(opened);
        return status;
    }
    *model = opened;
    return SEMBED_OK;
}

/* ----------------------------------------------------------------------------------- a loading */

#define LONGEST_WAIT 600 /* seconds that another process may take to make the image */

/* One call of compiled_load. */
struct loading {
    const char *name, *folder;
    enum precision precision;
    const struct image_settings *settings;
    const sembed_poll *poll;
    char *identity;
    char image_name[CACHE_NAME];
    struct cache cache;
    int lock;     /* -1: not held */
    bool changed; /* the folder, while it was read */
    sembed_error *notice, *error;
};

/* Another file name for everything but the state of the folder's files, so that the image of another
 * state takes this one's place. */
static sembed_status name_image(struct loading *loading)
{
    char *key = identity_without_files(loading->identity);
    if (!key)
        return error_no_memory(loading->error, "the name of an image");
    const char *slash = strrchr(key, '/');
    cache_name(slash && slash[1] ? slash + 1 : "model", key, loading->image_name);
    memory_free(key);
    return SEMBED_OK;
}

/* Opens the image if it fits; SEMBED_NOT_FOUND where it has to be made. */
static sembed_status try_image(struct loading *loading, bool sum_up, struct sembed_model **model)
{
    struct image image;
    sembed_error why = {0};
    sembed_status status = cache_find(&loading->cache, loading->image_name, loading->identity,
                                      sum_up, loading->poll, &image, &why);
    if (status == SEMBED_OK)
        status = open_model(loading->name, loading->folder, &image, model, &why);
    if (status == SEMBED_OK)
        return SEMBED_OK;
    if (status == SEMBED_NO_MEMORY || status == SEMBED_CANCELED)
        return error_set(loading->error, status, "%s", why.message);
    if (status == SEMBED_MALFORMED)
        *loading->notice = why;
    return SEMBED_NOT_FOUND;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Where no lock can be had, nothing can be written either, but an image may be there. */
static sembed_status try_without_lock(struct loading *loading, struct sembed_model **model)
{
    sembed_status status = try_image(loading, true, model);
    if (status == SEMBED_OK)
        *loading->notice = (sembed_error){0};
    return status;
}

/*
 * Until the image is there or the lock is ours, whichever comes first. With the lock, looks once more:
 * whoever held it may have just made the image. Only who holds it sums up weights that have no mark, or
 * two hundred processes would. SEMBED_NOT_FOUND: make the image, if the lock is held.
 */
static sembed_status wait_for_image(struct loading *loading, struct sembed_model **model)
{
    struct timespec pause = {.tv_nsec = 2000000};
    double until = seconds_now() + LONGEST_WAIT;
    for (;;) {
        sembed_status status = try_image(loading, loading->lock >= 0, model);
        if (status != SEMBED_NOT_FOUND || loading->lock >= 0)
            return status;
        if (cache_try_lock(&loading->cache, loading->image_name, &loading->lock, loading->notice) !=
            SEMBED_OK)
            return try_without_lock(loading, model);
        if (loading->lock >= 0)
            continue;
        if (seconds_now() > until) {
            error_set(loading->notice, SEMBED_IO,
                      "cache folder %s: another process has been making the image for %d seconds",
                      loading->cache.path, LONGEST_WAIT);
            return SEMBED_NOT_FOUND;
        }
        if (poll_wants_stop(loading->poll))
            return error_canceled(loading->error);
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 50000000)
            pause.tv_nsec += pause.tv_nsec / 2;
    }
}

/* Whether the folder's files are what they were when loading began. */
static bool is_unchanged(const struct loading *loading)
{
    char *now;
    sembed_error error;
    bool same = identity_create(loading->folder, loading->precision, &now, &error) == SEMBED_OK &&
                strcmp(now, loading->identity) == 0;
    memory_free(now);
    return same;
}

/* A model that was read and is not packed, on its way into an image. */
struct writing {
    const struct loading *loading;
    const struct sembed_model *model;
};

/* Copies a table from the folder's file to the image, a piece at a time. */
static sembed_status write_table(const struct tensor *table, const sembed_poll *poll,
                                 struct flat_writer *writer, sembed_error *error)
{
    enum { PIECE = 256 << 10 }; /* a multiple of what flat_write rounds up to; fits the cache */
    const char *from = table->data;
    size_t bytes = table_bytes(table);
    char *piece = memory_aligned(PIECE);
    sembed_status status = piece ? SEMBED_OK : error_no_memory(error, "an embedding table");
    for (size_t done = 0, part; status == SEMBED_OK && done < bytes; done += part) {
        part = bytes - done < PIECE ? bytes - done : PIECE;
        status = file_map_copy(table->file, from + done, part, piece, NULL, error);
        if (status != SEMBED_OK)
            break;
        flat_write(writer, piece, part);
        if (poll_wants_stop(poll))
            status = error_canceled(error);
    }
    memory_free(piece);
    return status;
}

static sembed_status write_weights(const void *state, const sembed_poll *poll,
                                   struct flat_writer *writer, sembed_error *error)
{
    const struct writing *writing = state;
    const struct sembed_model *model = writing->model;
    sembed_status status = SEMBED_OK;
    for (size_t i = 0; status == SEMBED_OK && i < MODEL_TABLES; i++)
        if (model->tables[i].data)
            status = write_table(&model->tables[i], poll, writer, error);
    if (status == SEMBED_OK)
        status =
            encoder_compile(&model->architecture.encoder, &model->unpacked, poll, writer, error);
    if (status != SEMBED_OK)
        return status;
    modules_save_weights(&model->modules, writer);
    if (model->head_output) {
        linear_save(model->head_dense, writer);
        linear_save(model->head_output, writer);
    }
    return is_unchanged(writing->loading)
               ? SEMBED_OK
               : error_set(error, SEMBED_IO, "%s: changed while it was read", model->folder);
}

/* How many bytes an image of the model has at least, so that none is begun that cannot be kept. */
static uint64_t least_bytes(const struct sembed_model *model)
{
    static const unsigned bytes[] = {
        [PRECISION_F32] = 4, [PRECISION_BF16] = 2, [PRECISION_INT8] = 1};
    const struct encoder_config *config = &model->architecture.encoder;
    uint64_t hidden = config->hidden_size, sum = 0;
    for (size_t i = 0; i < MODEL_TABLES; i++)
        if (model->tables[i].data)
            sum += table_bytes(&model->tables[i]);
    return sum + config->layers * bytes[config->precision] * hidden *
                     (4 * hidden + 2 * config->intermediate_size);
}

static sembed_status check_limit(const struct loading *loading, const struct sembed_model *model)
{
    uint64_t bytes = least_bytes(model), limit = loading->settings->limit;
    if (bytes <= limit)
        return SEMBED_OK;
    return error_set(loading->notice, SEMBED_LIMIT,
                     "cache folder %s: an image of %zu MB is more than the limit of %zu MB",
                     loading->cache.path, (size_t)(bytes >> 20), (size_t)(limit >> 20));
}

/* Writes the image of a model that was read from the folder. */
static sembed_status write_image(struct loading *loading, struct sembed_model *model)
{
    struct weights_present present;
    struct archive archive = archive_for_saving(loading->notice);
    store_model(&archive, model, &present);
    sembed_status status = archive_finish(&archive);
    if (status == SEMBED_OK)
        status = check_limit(loading, model);
    const struct writing writing = {loading, model};
    const struct image_contents contents = {loading->identity, &archive, write_weights, &writing,
                                            loading->settings->limit};
    if (status == SEMBED_OK)
        status = cache_store(&loading->cache, loading->image_name, &contents, loading->poll,
                             loading->notice);
    archive_free(&archive);
    if (status == SEMBED_OK)
        cache_sweep(&loading->cache, loading->image_name, loading->settings->limit,
                    identity_is_stale);
    return status;
}

/* Makes the image of a model that was read, and opens it. */
static sembed_status read_by_image(struct loading *loading, struct sembed_model *read,
                                   struct sembed_model **model)
{
    sembed_status status = write_image(loading, read);
    if (status != SEMBED_OK)
        return status;
    *loading->notice = (sembed_error){0};
    status = try_image(loading, true, model);
    if (status == SEMBED_OK)
        *loading->notice = (sembed_error){0};
    else if (loading->notice->code == SEMBED_OK)
        error_set(loading->notice, SEMBED_IO, "cache folder %s: an image cannot be read back",
                  loading->cache.path);
    return status;
}

/* The model, read from where its folder really is and remembered by the name that was asked for. */
static sembed_status read_real(struct loading *loading, struct sembed_model **read)
{
    if (!loading->identity)
        return model_read(loading->name, loading->folder, loading->precision, loading->poll, read,
                          loading->error);
    char *real = identity_folder(loading->identity), *folder = memory_copy_string(loading->folder);
    sembed_status status = SEMBED_OK;
    if (!real || !folder)
        status = error_no_memory(loading->error, "a path");
    if (status == SEMBED_OK)
        status = model_read(loading->name, real, loading->precision, loading->poll, read,
                            loading->error);
    if (status == SEMBED_OK) {
        memory_free((*read)->folder);
        (*read)->folder = folder;
        folder = NULL;
    }
    memory_free(folder);
    memory_free(real);
    return status;
}

/* The model from its folder; with the lock, by way of its image. Where that cannot be, the notice says
 * why, and the model has memory of its own. */
static sembed_status read_folder(struct loading *loading, struct sembed_model **model)
{
    struct sembed_model *read;
    sembed_status status = read_real(loading, &read);
    if (status != SEMBED_OK)
        return status;
    if (loading->lock >= 0) {
        status = read_by_image(loading, read, model);
        if (status == SEMBED_OK || status == SEMBED_CANCELED) {
            model_free(read);
            memory_trim();
            return status == SEMBED_OK ? SEMBED_OK : error_canceled(loading->error);
        }
    }
    status = model_pack(read, loading->poll, loading->error);
    if (status == SEMBED_OK)
        *model = read;
    else
        model_free(read);
    return status;
}

/* The same. What was read of a folder in which files were exchanged meanwhile may be parts of two models,
 * and an error of it as well. */
static sembed_status make_image(struct loading *loading, struct sembed_model **model)
{
    sembed_status status = read_folder(loading, model);
    if (!loading->identity || status == SEMBED_CANCELED || status == SEMBED_NO_MEMORY ||
        is_unchanged(loading))
        return status;
    loading->changed = true;
    if (status == SEMBED_OK)
        model_free(*model);
    *model = NULL;
    return error_set(loading->error, SEMBED_IO, "%s: changed while it was read", loading->folder);
}

static sembed_status run(struct loading *loading, struct sembed_model **model)
{
    if (!loading->settings->folder || !loading->identity)
        return make_image(loading, model);
    sembed_status status = name_image(loading);
    if (status != SEMBED_OK)
        return status;
    if (cache_open(loading->settings->folder, true, &loading->cache, loading->notice) != SEMBED_OK)
        return make_image(loading, model);
    status = wait_for_image(loading, model);
    return status == SEMBED_NOT_FOUND ? make_image(loading, model) : status;
}

/* How often a folder that changes while it is read is read again. */
#define MOST_TRIES 5

static sembed_status load_once(struct loading *loading, struct sembed_model **model)
{
    /* A folder of which too much would have to be looked at is loaded without an image. */
    sembed_status status =
        identity_create(loading->folder, loading->precision, &loading->identity, loading->error);
    if (status == SEMBED_LIMIT)
        *loading->notice = *loading->error;
    if (status == SEMBED_OK || status == SEMBED_LIMIT)
        status = run(loading, model);
    cache_unlock(loading->lock);
    cache_close(&loading->cache);
    loading->cache.descriptor = loading->lock = -1;
    if (status != SEMBED_OK) {
        memory_free(loading->identity);
        loading->identity = NULL;
    }
    return status;
}

sembed_status compiled_load(const char *name, const char *folder, enum precision precision,
                            const struct image_settings *settings, const sembed_poll *poll,
                            struct sembed_model **model, sembed_error *notice, sembed_error *error)
{
    struct loading loading = {.name = name,
                              .folder = folder,
                              .precision = precision,
                              .settings = settings,
                              .poll = poll,
                              .cache = {.descriptor = -1},
                              .lock = -1,
                              .notice = notice,
                              .error = error};
    double begin = seconds_now();
    ptrdiff_t held = memory_held();
    *model = NULL;
    *notice = (sembed_error){0};
    if (!folder_exists(folder))
        return error_set(error, SEMBED_NOT_FOUND, "%s: expected a model's folder, found none",
                         folder);
    sembed_status status = load_once(&loading, model);
    for (int tries = 1; loading.changed && tries < MOST_TRIES; tries++) {
        loading.changed = false;
        *notice = (sembed_error){0};
        status = load_once(&loading, model);
    }
    if (status != SEMBED_OK)
        return status;
    (*model)->identity = loading.identity;
    (*model)->private_bytes = (size_t)(memory_held() - held);
    (*model)->load_milliseconds = (seconds_now() - begin) * 1e3;
    return SEMBED_OK;
}

bool compiled_is_stale(const struct sembed_model *model)
{
    return model->identity &&
           (!identity_is_of(model->identity, model->folder) || identity_is_stale(model->identity));
}
