/* A model's folder that is exchanged while it is read, or later: never a mixture of two models. */
#define _GNU_SOURCE
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WIDTH 64 /* at most, of either model */

/* A link on the model path, which leads to plain or to tiny-bert. */
struct scene {
    char *parent, *cache, fixtures[PATH_MAX], link[PATH_MAX], path[2 * PATH_MAX];
    sembed_registry *registry;
    unsigned left, led; /* how often it still is to be exchanged; has been */
};

static const char *const targets[] = {"plain", "tiny-bert"};

static void lead_to(struct scene *scene, const char *target)
{
    char folder[2 * PATH_MAX];
    snprintf(folder, sizeof folder, "%s/%s", scene->fixtures, target);
    unlink(scene->link);
    assert_int_equal(symlink(folder, scene->link), 0);
}

static int exchange(void *state)
{
    struct scene *scene = state;
    if (scene->left > 0) {
        scene->left--;
        lead_to(scene, targets[scene->led++ % 2]);
    }
    return 0;
}

static void scene_open(struct scene *scene, bool with_images)
{
    sembed_error error = {0};
    *scene = (struct scene){.parent = folder_create(), .cache = folder_create()};
    assert_non_null(realpath(fixtures_folder(), scene->fixtures));
    snprintf(scene->link, sizeof scene->link, "%s/link", scene->parent);
    snprintf(scene->path, sizeof scene->path, "%s:%s", scene->parent, scene->fixtures);
    assert_ok(sembed_registry_create(scene->path, &scene->registry, &error), error);
    if (with_images)
        assert_ok(
            sembed_registry_set_cache(scene->registry, scene->cache, SEMBED_CACHE_LIMIT, &error),
            error);
}

static void scene_close(struct scene *scene)
{
    sembed_registry_destroy(scene->registry);
    folder_remove(scene->parent);
    folder_remove(scene->cache);
}

static sembed_status embed(struct scene *scene, const char *name, bool exchanged,
                           float vector[WIDTH], sembed_error *error)
{
    const sembed_poll poll = {exchange, scene};
    const sembed_text text = {"river", 5};
    const sembed_model *model;
    sembed_context *context;
    sembed_status status =
        sembed_registry_acquire(scene->registry, name, exchanged ? &poll : NULL, &model, error);
    if (status != SEMBED_OK)
        return status;
    memset(vector, 0, WIDTH * sizeof *vector);
    status = sembed_context_create(&context, error);
    if (status == SEMBED_OK)
        status = sembed_embed(model, context, &text, 1, NULL, NULL, vector, error);
    sembed_context_destroy(context);
    return status;
}

static void check_is(struct scene *scene, const char *name)
{
    float found[WIDTH], expected[WIDTH];
    sembed_error error = {0};
    assert_ok(embed(scene, "link", true, found, &error), error);
    assert_ok(embed(scene, name, false, expected, &error), error);
    assert_memory_equal(found, expected, sizeof found);
}

static void an_exchanged_folder_is_read_again(void **state)
{
    (void)state;
    for (int images = 0; images < 2; images++) {
        struct scene scene;
        scene_open(&scene, images);
        lead_to(&scene, "tiny-bert");
        scene.left = 1; /* the first question of loading makes it plain */
        check_is(&scene, "plain");
        assert_int_equal(scene.left, 0);
        scene_close(&scene);
    }
}

/* There and back between the beginning and the end. */
static void what_is_exchanged_twice_is_no_mixture(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, false);
    lead_to(&scene, "tiny-bert");
    scene.left = 2;
    check_is(&scene, "tiny-bert");
    scene_close(&scene);
}

static void what_never_rests_is_an_error_or_one_of_them(void **state)
{
    (void)state;
    float found[WIDTH], expected[2][WIDTH];
    sembed_error error = {0};
    struct scene scene;
    scene_open(&scene, false);
    lead_to(&scene, "tiny-bert");
    for (int i = 0; i < 2; i++)
        assert_ok(embed(&scene, targets[i], false, expected[i], &error), error);
    scene.left = 1000;
    sembed_status status = embed(&scene, "link", true, found, &error);
    if (status == SEMBED_OK)
        assert_true(memcmp(found, expected[0], sizeof found) == 0 ||
                    memcmp(found, expected[1], sizeof found) == 0);
    else
        assert_non_null(strstr(error.message, "changed while it was read"));
    scene_close(&scene);
}

static void a_link_that_leads_elsewhere_is_noticed(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene, true);
    lead_to(&scene, "tiny-bert");
    check_is(&scene, "tiny-bert");
    uint64_t before = sembed_registry_refresh(scene.registry, 0);
    lead_to(&scene, "plain");
    assert_true(sembed_registry_refresh(scene.registry, 0) != before);
    check_is(&scene, "plain");
    scene_close(&scene);
}

/* ------------------------------------------------------------------------------ files cut short */

/* The nth question of a loading cuts a file of the folder short: where its bytes are read from mapped
 * pages, that ends the process (SIGBUS). */
struct cutting {
    const char *path;
    unsigned nth, asked;
};

static int cut_short(void *state)
{
    struct cutting *cutting = state;
    if (++cutting->asked == cutting->nth)
        assert_int_equal(truncate(cutting->path, 0), 0);
    return 0;
}

/* Whether loading came as far as the nth question. */
static bool cut_at(const char *fixture, const char *file, const char *cache, unsigned nth)
{
    char *folder = folder_copy_fixture(fixture), path[PATH_MAX];
    struct cutting cutting = {path, nth, 0};
    const sembed_poll poll = {cut_short, &cutting};
    sembed_registry *registry;
    sembed_error error = {0};
    snprintf(path, sizeof path, "%s/%s", folder, file);
    assert_ok(sembed_registry_create(NULL, &registry, &error), error);
    assert_ok(sembed_registry_set_cache(registry, cache, SEMBED_CACHE_LIMIT, &error), error);
    sembed_status status = sembed_registry_load(registry, "cut", folder, &poll, &error);
    if (cutting.asked < nth)
        assert_ok(status, error);
    else if (status != SEMBED_OK) /* an image that was there by then is as good as the file */
        assert_non_null(strstr(error.message, folder));
    sembed_registry_destroy(registry);
    folder_remove(folder);
    return cutting.asked >= nth;
}

static void a_file_that_is_cut_short_while_it_is_read_is_an_error(void **state)
{
    (void)state;
    static const char *const files[][2] = {{"tiny-bert", "model.safetensors"},
                                           {"tiny-bert", "tokenizer.json"},
                                           {"mpnet", "model.safetensors"},
                                           {"dense-chain", "2_Dense/model.safetensors"}};
    char *cache = folder_create();
    for (int images = 0; images < 2; images++)
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
            unsigned nth = 1;
            while (cut_at(files[i][0], files[i][1], images ? cache : NULL, nth))
                nth++;
            assert_true(nth > 5);
        }
    folder_remove(cache);
}

/* Without an image the session goes on with what it has read. */
static void a_file_that_is_cut_short_later_changes_nothing(void **state)
{
    (void)state;
    char *folder = folder_copy_fixture("tiny-bert"), path[PATH_MAX];
    float before[WIDTH] = {0}, after[WIDTH] = {0};
    const sembed_text text = {"river", 5};
    const sembed_model *model;
    sembed_registry *registry;
    sembed_context *context;
    sembed_error error = {0};
    assert_ok(sembed_context_create(&context, &error), error);
    assert_ok(sembed_registry_create(NULL, &registry, &error), error);
    assert_ok(sembed_registry_load(registry, "cut", folder, NULL, &error), error);
    assert_ok(sembed_registry_acquire(registry, "cut", NULL, &model, &error), error);
    assert_ok(sembed_embed(model, context, &text, 1, NULL, NULL, before, &error), error);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    assert_int_equal(truncate(path, 0), 0);
    assert_ok(sembed_embed(model, context, &text, 1, NULL, NULL, after, &error), error);
    assert_memory_equal(before, after, sizeof before);
    sembed_context_destroy(context);
    sembed_registry_destroy(registry);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchanged_folder_is_read_again),
        cmocka_unit_test(what_is_exchanged_twice_is_no_mixture),
        cmocka_unit_test(what_never_rests_is_an_error_or_one_of_them),
        cmocka_unit_test(a_link_that_leads_elsewhere_is_noticed),
        cmocka_unit_test(a_file_that_is_cut_short_while_it_is_read_is_an_error),
        cmocka_unit_test(a_file_that_is_cut_short_later_changes_nothing),
    };
    return cmocka_run_group_tests_name("changing", tests, NULL, NULL);
}
