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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exchanged_folder_is_read_again),
        cmocka_unit_test(what_is_exchanged_twice_is_no_mixture),
        cmocka_unit_test(what_never_rests_is_an_error_or_one_of_them),
        cmocka_unit_test(a_link_that_leads_elsewhere_is_noticed),
    };
    return cmocka_run_group_tests_name("changing", tests, NULL, NULL);
}
