/*
 * What a server does for the models it keeps: compiling images ahead of time, giving up models whose
 * folder changed or that were not used for longest.
 */
#include "core/base/memory.h"
#include "tests/unit/folder.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A folder with models "a", "b" and "c", and a registry that looks there. */
struct scene {
    char *path;
    sembed_registry *registry;
};

static void put_model(const struct scene *scene, const char *name, const char *fixture)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf %s/%s && cp -R %s/%s %s/%s", scene->path, name,
             fixtures_folder(), fixture, scene->path, name);
    assert_int_equal(system(command), 0);
}

static void remove_model(const struct scene *scene, const char *name)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf %s/%s", scene->path, name);
    assert_int_equal(system(command), 0);
}

static struct scene scene_create(void)
{
    struct scene scene = {.path = folder_create()};
    sembed_error error = {0};
    put_model(&scene, "a", "tiny-bert");
    put_model(&scene, "b", "tiny-bert");
    put_model(&scene, "c", "plain");
    assert_ok(sembed_registry_create(scene.path, &scene.registry, &error), error);
    return scene;
}

static void scene_destroy(struct scene *scene)
{
    sembed_registry_destroy(scene->registry);
    remove_model(scene, "?");
    folder_remove(scene->path);
}

static const sembed_model *acquire(const struct scene *scene, const char *name)
{
    const sembed_model *model;
    sembed_error error = {0};
    assert_ok(sembed_registry_acquire(scene->registry, name, NULL, &model, &error), error);
    return model;
}

/* "ac": the models of the scene that are loaded. */
static void assert_loaded(const struct scene *scene, const char *expected)
{
    sembed_listing listing;
    sembed_error error = {0};
    char loaded[8] = "";
    assert_ok(sembed_registry_list(scene->registry, &listing, &error), error);
    assert_int_equal(listing.count, 3);
    for (size_t i = 0; i < listing.count; i++)
        if (listing.entries[i].model)
            strcat(loaded, listing.entries[i].name);
    sembed_listing_free(&listing);
    assert_string_equal(loaded, expected);
}

static void models_are_given_up_when_their_folder_changes(void **state)
{
    (void)state;
    struct scene scene = scene_create();
    sembed_model_info info;
    acquire(&scene, "a");
    acquire(&scene, "b");
    uint64_t before = sembed_registry_refresh(scene.registry, 0);
    assert_int_equal(sembed_registry_refresh(scene.registry, 0), before); /* nothing happened */
    assert_loaded(&scene, "ab");

    sembed_model_describe(acquire(&scene, "a"), &info);
    assert_int_equal(info.layers, 2);
    folder_edit(scene.path, "a/config.json", "\"num_hidden_layers\": 2",
                "\"num_hidden_layers\": 1");
    assert_int_not_equal(sembed_registry_refresh(scene.registry, 0), before);
    assert_loaded(&scene, "b");
    sembed_model_describe(acquire(&scene, "a"), &info);
    assert_int_equal(info.layers, 1);
    scene_destroy(&scene);
}

static void a_name_that_is_taken_over_gives_up_its_model(void **state)
{
    (void)state;
    struct scene scene = scene_create();
    sembed_error error = {0};
    char folder[512];
    acquire(&scene, "a");
    uint64_t before = sembed_registry_refresh(scene.registry, 0);
    snprintf(folder, sizeof folder, "%s/plain", fixtures_folder());
    assert_ok(sembed_registry_load(scene.registry, "a", folder, NULL, &error), error);
    assert_int_not_equal(sembed_registry_refresh(scene.registry, 0), before);
    assert_loaded(&scene, "a");
    scene_destroy(&scene);
}

static void the_least_recently_used_models_are_given_up(void **state)
{
    (void)state;
    struct scene scene = scene_create();
    acquire(&scene, "a");
    acquire(&scene, "b");
    acquire(&scene, "c");
    acquire(&scene, "a");
    uint64_t before = sembed_registry_refresh(scene.registry, 3);
    assert_loaded(&scene, "abc");
    assert_int_not_equal(sembed_registry_refresh(scene.registry, 2), before);
    assert_loaded(&scene, "ac");
    sembed_registry_refresh(scene.registry, 1);
    assert_loaded(&scene, "a");
    scene_destroy(&scene);
}

/* ------------------------------------------------------------------------------------- users */

static const sembed_model *use(const struct scene *scene, const char *name)
{
    const sembed_model *model;
    sembed_error error = {0};
    assert_ok(sembed_registry_use(scene->registry, name, NULL, &model, &error), error);
    return model;
}

static void end_use(const struct scene *scene, const sembed_model *model)
{
    sembed_registry_end_use(scene->registry, model);
}

static void models_in_use_are_not_given_up(void **state)
{
    (void)state;
    struct scene scene = scene_create();
    sembed_model_info info;
    sembed_registry_set_max_loaded(scene.registry, 1);
    assert_int_equal(sembed_registry_max_loaded(scene.registry), 1);
    const sembed_model *a = use(&scene, "a"), *again = use(&scene, "a");
    assert_ptr_equal(a, again);
    end_use(&scene, use(&scene, "b"));
    assert_loaded(&scene, "a");
    const sembed_model *c = use(&scene, "c");
    assert_loaded(&scene, "ac");
    sembed_registry_refresh(scene.registry, 1);
    assert_loaded(&scene, "ac");
    end_use(&scene, a);
    assert_loaded(&scene, "ac"); /* used once more */
    sembed_model_describe(again, &info);
    assert_string_equal(info.name, "a");
    uint64_t serial = sembed_model_serial(again);
    end_use(&scene, again);
    assert_loaded(&scene, "c");
    end_use(&scene, c);
    assert_loaded(&scene, "c");
    a = use(&scene, "a");
    assert_int_not_equal(sembed_model_serial(a), serial);
    end_use(&scene, a);
    scene_destroy(&scene);
}

/* A name that is taken over while its model is used: the model stays as long. */
static void a_model_outlives_its_name(void **state)
{
    (void)state;
    struct scene scene = scene_create();
    sembed_error error = {0};
    sembed_model_info info;
    char folder[512];
    snprintf(folder, sizeof folder, "%s/plain", fixtures_folder());
    sembed_registry_set_max_loaded(scene.registry, 0);
    const sembed_model *a = use(&scene, "a");
    assert_ok(sembed_registry_load(scene.registry, "a", folder, NULL, &error), error);
    assert_ok(sembed_registry_set_path(scene.registry, "/nowhere", &error), error);
    sembed_model_describe(a, &info);
    assert_non_null(strstr(info.folder, scene.path));
    const sembed_model *other = use(&scene, "a");
    assert_ptr_not_equal(other, a);
    end_use(&scene, a);
    sembed_model_describe(other, &info);
    assert_string_equal(info.folder + strlen(info.folder) - strlen("/plain"), "/plain");
    end_use(&scene, other);
    scene_destroy(&scene);
}

/* What a thread that loads and one that uses another model tell each other. */
struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t turn;
    bool loading, used;
    struct scene scene;
    sembed_status status;
};

static struct meeting meeting_create(void)
{
    return (struct meeting){PTHREAD_MUTEX_INITIALIZER,
                            PTHREAD_COND_INITIALIZER,
                            false,
                            false,
                            scene_create(),
                            SEMBED_OK};
}

static void set_and_tell(struct meeting *meeting, bool *what)
{
    pthread_mutex_lock(&meeting->lock);
    *what = true;
    pthread_cond_broadcast(&meeting->turn);
    pthread_mutex_unlock(&meeting->lock);
}

/* Waits for ten seconds at most. */
static bool await(struct meeting *meeting, const bool *what)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&meeting->lock);
    while (!*what && pthread_cond_timedwait(&meeting->turn, &meeting->lock, &until) == 0)
        ;
    bool reached = *what;
    pthread_mutex_unlock(&meeting->lock);
    return reached;
}

/* The poll of the load: goes on when the other thread has had its model. */
static int wait_for_the_other(void *state)
{
    struct meeting *meeting = state;
    set_and_tell(meeting, &meeting->loading);
    return !await(meeting, &meeting->used);
}

static void *load_b(void *state)
{
    struct meeting *meeting = state;
    const sembed_poll poll = {wait_for_the_other, meeting};
    const sembed_model *model;
    sembed_error error = {0};
    meeting->status = sembed_registry_use(meeting->scene.registry, "b", &poll, &model, &error);
    if (meeting->status == SEMBED_OK)
        sembed_registry_end_use(meeting->scene.registry, model);
    return NULL;
}

/* Who wants a model that is there has it; who wants one that loads can give up waiting. */
static void a_load_holds_nobody_up(void **state)
{
    (void)state;
    struct meeting meeting = meeting_create();
    struct questions questions = {.stop_at = 1};
    const sembed_poll stops = questions_poll(&questions);
    const sembed_model *model;
    sembed_error error = {0};
    pthread_t loader;
    sembed_registry_set_max_loaded(meeting.scene.registry, 0);
    end_use(&meeting.scene, use(&meeting.scene, "a"));
    assert_int_equal(pthread_create(&loader, NULL, load_b, &meeting), 0);
    assert_true(await(&meeting, &meeting.loading));
    end_use(&meeting.scene, use(&meeting.scene, "a"));
    assert_int_equal(sembed_registry_use(meeting.scene.registry, "b", &stops, &model, &error),
                     SEMBED_CANCELED);
    set_and_tell(&meeting, &meeting.used);
    pthread_join(loader, NULL);
    assert_int_equal(meeting.status, SEMBED_OK);
    assert_loaded(&meeting.scene, "ab");
    scene_destroy(&meeting.scene);
}

static void *load_d(void *state)
{
    struct meeting *meeting = state;
    const sembed_poll poll = {wait_for_the_other, meeting};
    sembed_error error = {0};
    char folder[512];
    snprintf(folder, sizeof folder, "%s/plain", fixtures_folder());
    meeting->status = sembed_registry_load(meeting->scene.registry, "d", folder, &poll, &error);
    return NULL;
}

static int let_the_other_go_on(void *state)
{
    struct meeting *meeting = state;
    set_and_tell(meeting, &meeting->used);
    return 0;
}

/* The only model there was while another one was loading: no longer the only one. */
static void a_second_model_ends_the_default(void **state)
{
    (void)state;
    struct meeting meeting = meeting_create();
    const sembed_poll poll = {let_the_other_go_on, &meeting};
    const sembed_model *model;
    sembed_error error = {0};
    sembed_model_info info;
    pthread_t loader;
    remove_model(&meeting.scene, "b");
    remove_model(&meeting.scene, "c");
    assert_int_equal(pthread_create(&loader, NULL, load_d, &meeting), 0);
    assert_true(await(&meeting, &meeting.loading));
    assert_ok(sembed_registry_acquire(meeting.scene.registry, NULL, &poll, &model, &error), error);
    sembed_model_describe(model, &info);
    assert_string_equal(info.name, "a");
    pthread_join(loader, NULL);
    assert_int_equal(meeting.status, SEMBED_OK);
    assert_fails(sembed_registry_acquire(meeting.scene.registry, NULL, &poll, &model, &error),
                 SEMBED_NOT_FOUND, error, "there are several: a, d");
    scene_destroy(&meeting.scene);
}

/* ------------------------------------------------------------------------------------- images */

static void images_are_compiled_ahead_of_time(void **state)
{
    (void)state;
    struct scene scene = scene_create();
    sembed_error error = {0};
    sembed_model_info info;
    uint64_t bytes = 1, again;
    assert_fails(sembed_registry_compile(scene.registry, "a", NULL, &bytes, &error), SEMBED_IO,
                 error, "no cache folder is set");
    assert_int_equal(bytes, 0);

    char *cache = folder_create();
    assert_ok(sembed_registry_set_cache(scene.registry, cache, SEMBED_CACHE_LIMIT, &error), error);
    assert_fails(sembed_registry_compile(scene.registry, "nowhere", NULL, &bytes, &error),
                 SEMBED_NOT_FOUND, error, "nowhere");
    assert_ok(sembed_registry_compile(scene.registry, "a", NULL, &bytes, &error), error);
    assert_ok(sembed_registry_compile(scene.registry, "a", NULL, &again, &error), error);
    assert_true(bytes > 10000);
    assert_int_equal(again, bytes);

    /* Another registry, as another process would, maps it. */
    sembed_registry *other;
    const sembed_model *model;
    assert_ok(sembed_registry_create(scene.path, &other, &error), error);
    assert_ok(sembed_registry_set_cache(other, cache, SEMBED_CACHE_LIMIT, &error), error);
    assert_ok(sembed_registry_acquire(other, "a", NULL, &model, &error), error);
    sembed_model_describe(model, &info);
    assert_true(info.shared_bytes >= bytes);
    sembed_registry_destroy(other);
    scene_destroy(&scene);
    folder_remove(cache);
}

/* Too small for any image: the model loads all the same, and there is a notice of why it was not kept. */
static void what_was_not_kept_is_a_notice(void **state)
{
    (void)state;
    struct scene scene = scene_create();
    sembed_error error = {0}, notice = {0};
    uint64_t bytes;
    char *cache = folder_create();
    folder_write_text(cache, "file", "");
    char folder[512];
    snprintf(folder, sizeof folder, "%s/file/below", cache);
    sembed_status status =
        sembed_registry_set_cache(scene.registry, folder, SEMBED_CACHE_LIMIT, &error);
    assert_ok(status, error);
    acquire(&scene, "a");
    assert_true(sembed_registry_take_notice(scene.registry, &notice));
    assert_non_null(strstr(notice.message, folder));
    assert_false(sembed_registry_take_notice(scene.registry, &notice));
    assert_fails(sembed_registry_compile(scene.registry, "a", NULL, &bytes, &error), notice.code,
                 error, folder);
    scene_destroy(&scene);
    folder_remove(cache);
}

/* The first tokens of a text of so many bytes. */
static void tokenize(const sembed_model *model, sembed_context *context, size_t size,
                     sembed_token first[2])
{
    sembed_text text = {malloc(size), size};
    sembed_token *tokens;
    sembed_error error = {0};
    size_t count;
    assert_non_null(text.data);
    for (size_t i = 0; i < size; i++)
        ((char *)text.data)[i] = "river, ferry "[i % 13];
    assert_ok(sembed_tokenize(model, context, text, SIZE_MAX, NULL, &tokens, &count, &error),
              error);
    assert_true(count > 2);
    memcpy(first, tokens, 2 * sizeof *first);
    sembed_free(tokens);
    free((char *)text.data);
}

static void a_long_text_leaves_no_memory_behind(void **state)
{
    (void)state;
    enum { LONG = 4 << 20, SHORT = 1000, LEFT = 1 << 20 };
    static const char *const fixtures[] = {"tiny-bert", "roberta", "xlm-roberta"};
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++) {
        struct scene scene = scene_create();
        sembed_context *context = NULL;
        sembed_error error = {0};
        sembed_token before[2], meanwhile[2], after[2];
        put_model(&scene, "a", fixtures[i]);
        assert_ok(sembed_context_create(&context, &error), error);
        const sembed_model *model = acquire(&scene, "a");
        tokenize(model, context, SHORT, before);
        ptrdiff_t held = memory_held();
        tokenize(model, context, LONG, meanwhile);
        assert_true(memory_held() - held > LONG);
        sembed_context_trim(context);
        assert_true(memory_held() - held < LEFT);
        tokenize(model, context, SHORT, after);
        assert_memory_equal(after, before, sizeof before);
        sembed_context_destroy(context);
        scene_destroy(&scene);
    }
}

static void set_path(const struct scene *scene, const char *path)
{
    sembed_error error = {0};
    assert_ok(sembed_registry_set_path(scene->registry, path, &error), error);
}

/* A function that sets another path for itself, in a statement over many rows. */
static void a_path_that_comes_back_finds_its_models_again(void **state)
{
    (void)state;
    struct scene scene = scene_create();
    const sembed_model *a = acquire(&scene, "a"), *found;
    sembed_error error = {0};
    for (int i = 0; i < 3; i++) {
        set_path(&scene, "/nowhere");
        assert_fails(sembed_registry_acquire(scene.registry, "a", NULL, &found, &error),
                     SEMBED_NOT_FOUND, error, "a");
        set_path(&scene, scene.path);
        assert_ptr_equal(acquire(&scene, "a"), a);
    }
    set_path(&scene, "/nowhere");
    put_model(&scene, "a", "plain");
    set_path(&scene, scene.path);
    assert_ptr_not_equal(acquire(&scene, "a"), a);
    assert_loaded(&scene, "a");
    scene_destroy(&scene);
}

/* What stands before it names another folder, which is not to be read in its place. */
static void a_line_break_in_a_name_is_refused(void **state)
{
    (void)state;
    struct scene scene = scene_create();
    const sembed_model *model;
    sembed_error error = {0};
    char from[512], to[512];
    snprintf(from, sizeof from, "%s/c", scene.path);
    snprintf(to, sizeof to, "%s/a\nb", scene.path);
    assert_int_equal(rename(from, to), 0);
    assert_fails(sembed_registry_acquire(scene.registry, "a\nb", NULL, &model, &error),
                 SEMBED_UNSUPPORTED, error, "line break");
    assert_int_equal(rename(to, from), 0);
    scene_destroy(&scene);
}

/* A thread that loads, and is held up at its first question. */
struct loader {
    const struct scene *scene;
    atomic_bool is_loading, may_go_on;
};

static int hold_up(void *state)
{
    struct loader *loader = state;
    const struct timespec pause = {.tv_nsec = 1000000};
    atomic_store(&loader->is_loading, true);
    while (!atomic_load(&loader->may_go_on))
        nanosleep(&pause, NULL);
    return 0;
}

static void *load_slowly(void *state)
{
    struct loader *loader = state;
    const sembed_poll poll = {hold_up, loader};
    const sembed_model *model = NULL;
    sembed_error error = {0};
    sembed_status status =
        sembed_registry_acquire(loader->scene->registry, "a", &poll, &model, &error);
    return status == SEMBED_OK ? (void *)model : NULL;
}

static void who_waits_for_another_thread_can_be_stopped(void **state)
{
    (void)state;
    struct scene scene = scene_create();
    struct loader loader = {.scene = &scene};
    const struct timespec pause = {.tv_nsec = 1000000};
    const sembed_model *model;
    sembed_error error = {0};
    uint64_t bytes;
    pthread_t thread;
    void *loaded;
    struct questions questions = {.stop_at = 3};
    const sembed_poll poll = questions_poll(&questions);
    char *cache = folder_create();
    assert_ok(sembed_registry_set_cache(scene.registry, cache, SEMBED_CACHE_LIMIT, &error), error);
    assert_int_equal(pthread_create(&thread, NULL, load_slowly, &loader), 0);
    while (!atomic_load(&loader.is_loading))
        nanosleep(&pause, NULL);
    assert_fails(sembed_registry_acquire(scene.registry, "c", &poll, &model, &error),
                 SEMBED_CANCELED, error, "canceled");
    assert_int_equal(questions.asked, 3);
    questions.asked = 0;
    assert_fails(sembed_registry_load(scene.registry, "d", scene.path, &poll, &error),
                 SEMBED_CANCELED, error, "canceled");
    questions.asked = 0;
    assert_fails(sembed_registry_compile(scene.registry, "c", &poll, &bytes, &error),
                 SEMBED_CANCELED, error, "canceled");
    atomic_store(&loader.may_go_on, true);
    assert_int_equal(pthread_join(thread, &loaded), 0);
    assert_ptr_equal(loaded, acquire(&scene, "a"));
    scene_destroy(&scene);
    folder_remove(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_given_up_when_their_folder_changes),
        cmocka_unit_test(a_name_that_is_taken_over_gives_up_its_model),
        cmocka_unit_test(the_least_recently_used_models_are_given_up),
        cmocka_unit_test(a_path_that_comes_back_finds_its_models_again),
        cmocka_unit_test(a_line_break_in_a_name_is_refused),
        cmocka_unit_test(who_waits_for_another_thread_can_be_stopped),
        cmocka_unit_test(models_in_use_are_not_given_up),
        cmocka_unit_test(a_model_outlives_its_name),
        cmocka_unit_test(a_load_holds_nobody_up),
        cmocka_unit_test(a_second_model_ends_the_default),
        cmocka_unit_test(images_are_compiled_ahead_of_time),
        cmocka_unit_test(what_was_not_kept_is_a_notice),
        cmocka_unit_test(a_long_text_leaves_no_memory_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
