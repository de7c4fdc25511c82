/*
 * Compiled images: the same bits as from the folder, for every fixture and engine; what is stale or
 * foreign is never used and made anew; what is kept, and for how long.
 */
#define _GNU_SOURCE
#include "core/base/file.h"
#include "core/base/memory.h"
#include "core/model/compiled.h"
#include "core/model/identity.h"
#include "tests/unit/folder.h"
#include "tests/unit/golden.h"
#include "tests/unit/image_scene.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xxhash.h>

/* ------------------------------------------------------------------------------------- sameness */

static void check_fixture(const char *name)
{
    char folder[512];
    sembed_error notice;
    snprintf(folder, sizeof folder, "%s/%s", fixtures_folder(), name);
    char *cache = folder_create();
    struct sembed_model *plain = scene_load(folder, NULL, &notice);
    struct sembed_model *first = scene_load(folder, cache, &notice);
    struct sembed_model *second = scene_load(folder, cache, &notice);
    assert_false(is_from_image(plain));
    assert_true(is_from_image(first) && is_from_image(second));
    assert_same_answers(plain, first);
    assert_same_answers(plain, second);

    sembed_model_info a, b;
    sembed_model_describe(plain, &a);
    sembed_model_describe(second, &b);
    assert_string_equal(a.architecture, b.architecture);
    assert_string_equal(a.similarity, b.similarity);
    assert_int_equal(a.dimensions, b.dimensions);
    assert_int_equal(a.labels, b.labels);
    assert_int_equal(a.max_tokens, b.max_tokens);
    assert_int_equal(a.layers, b.layers);
    assert_int_equal(a.vocabulary_size, b.vocabulary_size);
    assert_int_equal(a.parameters, b.parameters);
    assert_int_equal(plain->prompts.count, second->prompts.count);
    for (size_t i = 0; i < plain->prompts.count; i++) {
        assert_string_equal(plain->prompts.items[i].name, second->prompts.items[i].name);
        assert_string_equal(plain->prompts.items[i].text, second->prompts.items[i].text);
    }
    assert_int_equal(plain->prompts.truncate_dim, second->prompts.truncate_dim);
    assert_int_equal(!plain->prompts.default_text, !second->prompts.default_text);
    if (plain->prompts.default_text)
        assert_string_equal(plain->prompts.default_text, second->prompts.default_text);
    model_free(plain);
    model_free(first);
    model_free(second);
    folder_remove(cache);
}

static void every_fixture_gives_the_same_bits(void **state)
{
    (void)state;
    for (size_t engine = 0; engine < 2; engine++) {
        if (!golden_select_engine(golden_engines[engine]))
            continue;
        size_t count = 0;
        DIR *directory = opendir(fixtures_folder());
        const struct dirent *item;
        assert_non_null(directory);
        while ((item = readdir(directory)) != NULL) {
            char config[512];
            snprintf(config, sizeof config, "%s/%s/config.json", fixtures_folder(), item->d_name);
            if (item->d_name[0] == '.' || !file_exists(config))
                continue;
            check_fixture(item->d_name);
            count++;
        }
        closedir(directory);
        assert_true(count >= 25);
    }
    golden_select_engine("");
}

static void an_image_has_no_memory_of_its_own(void **state)
{
    (void)state;
    sembed_error notice;
    struct scene scene = scene_create("tiny-bert");
    struct sembed_model *model = scene_load(scene.folder, scene.cache, &notice);
    sembed_model_info plain, shared;
    sembed_model_describe(scene.plain, &plain);
    sembed_model_describe(model, &shared);
    struct stat info;
    char *path = join(scene.cache, scene.image);
    assert_int_equal(stat(path, &info), 0);
    memory_free(path);
    assert_int_equal(shared.shared_bytes, info.st_size);
    assert_true(plain.private_bytes > 100000);
    assert_true(shared.private_bytes < plain.private_bytes / 2);
    assert_true(shared.load_milliseconds > 0);
    model_free(model);
    scene_free(&scene);
}

/* What is in use is not the folder's: its files may be cut short in place. */
static void a_folder_may_be_emptied_under_a_model(void **state)
{
    (void)state;
    sembed_error notice;
    struct scene scene = scene_create("cross-mpnet");
    struct sembed_model *model = scene_load(scene.folder, scene.cache, &notice);
    struct sembed_model *before = scene_load(scene.folder, scene.cache, &notice);
    size_t size, other;
    float *expected = answers(before, &size);
    model_free(scene.plain);
    scene.plain = NULL;
    folder_write_text(scene.folder, "model.safetensors", "");
    folder_write_text(scene.folder, "tokenizer.json", "");
    float *found = answers(model, &other);
    assert_int_equal(size, other);
    assert_memory_equal(expected, found, size);
    free(expected);
    free(found);
    model_free(model);
    model_free(before);
    scene_free(&scene);
}

/* --------------------------------------------------------------------------- stale and foreign */

/* Rewrites the line of the identity that begins so, checksums included: an image by another program. */
static void forge_identity(struct scene *scene, const char *line)
{
    size_t size;
    char *data = folder_read(scene->cache, scene->image, &size);
    struct laid_out header;
    memcpy(&header, data, sizeof header);
    char *identity = data + header.sections[0].offset;
    char *place = memmem(identity, header.sections[0].size, line, strlen(line));
    assert_non_null(place);
    place[strlen(line)] ^= 1;
    header.sections[0].checksum = XXH3_64bits(identity, header.sections[0].size);
    header.checksum = XXH3_64bits(&header, offsetof(struct laid_out, checksum));
    memcpy(data, &header, sizeof header);
    assert_made_anew(scene, data, size);
    free(data);
}

static void images_of_others_are_not_used(void **state)
{
    (void)state;
    struct scene scene = scene_create("tiny-bert");
    forge_identity(&scene, "sembed ");                    /* another version */
    forge_identity(&scene, "sembed " SEMBED_VERSION " "); /* another build */
    forge_identity(&scene, "weights ");                   /* another layout */
    if (strncmp(sembed_engine(), "oneDNN", 6) == 0)
        forge_identity(&scene, "instructions "); /* another CPU */
    forge_identity(&scene, "folder /");
    forge_identity(&scene, "file ");
    scene_free(&scene);
}

static void engines_have_images_of_their_own(void **state)
{
    (void)state;
    sembed_error notice;
    if (!golden_select_engine("onednn")) {
        golden_select_engine("");
        skip();
    }
    char *cache = folder_create();
    char folder[512];
    snprintf(folder, sizeof folder, "%s/tiny-bert", fixtures_folder());
    struct sembed_model *model = scene_load(folder, cache, &notice);
    model_free(model);
    golden_select_engine("openblas");
    struct sembed_model *other = scene_load(folder, cache, &notice);
    struct sembed_model *plain = scene_load(folder, NULL, &notice);
    assert_true(is_from_image(other));
    assert_same_answers(plain, other);
    assert_int_equal(count_files(cache), 2 * 3);
    model_free(plain);
    model_free(other);
    golden_select_engine("");
    folder_remove(cache);
}

static void changed_folders_are_noticed(void **state)
{
    (void)state;
    sembed_error notice;
    struct scene scene = scene_create("prompts");
    struct sembed_model *model = scene_load(scene.folder, scene.cache, &notice);
    assert_false(compiled_is_stale(model));
    size_t size;
    char *weights = folder_read(scene.folder, "model.safetensors", &size);
    weights[size - 4] ^= 0x40;

    /* In place, and the old model goes on as it was. */
    folder_write(scene.folder, "model.safetensors", weights, size);
    assert_true(compiled_is_stale(model));
    model_free(scene.plain);
    scene.plain = scene_load(scene.folder, NULL, &notice);
    struct sembed_model *changed = scene_load(scene.folder, scene.cache, &notice);
    assert_true(is_from_image(changed));
    assert_false(compiled_is_stale(changed));
    assert_same_answers(scene.plain, changed);
    assert_int_equal(count_files(scene.cache), 3); /* in the place of the old one */

    /* A file of a folder below; a file more; a file less. */
    folder_edit(scene.folder, "1_Pooling/config.json", "{", "{ ");
    assert_true(compiled_is_stale(changed));
    model_free(changed);
    changed = scene_load(scene.folder, scene.cache, &notice);
    folder_write_text(scene.folder, "added_tokens.json", "{}");
    assert_true(compiled_is_stale(changed));
    folder_delete(scene.folder, "added_tokens.json");
    assert_false(compiled_is_stale(changed));
    folder_write_text(scene.folder, "README.md", "read by nobody");
    assert_false(compiled_is_stale(changed));
    model_free(changed);
    model_free(model);
    free(weights);
    scene_free(&scene);
}

/* ------------------------------------------------------------------------------- what is kept */

static void stale_images_are_removed(void **state)
{
    (void)state;
    sembed_error notice;
    struct scene first = scene_create("tiny-bert");
    struct scene second = {folder_copy_fixture("plain"), NULL, NULL, NULL};
    struct scene third = {folder_copy_fixture("prompts"), NULL, NULL, NULL};
    model_free(scene_load(second.folder, first.cache, &notice));
    assert_int_equal(count_files(first.cache), 6);
    /* The model of the first image changes, and another image is made. */
    folder_write_text(first.folder, "vocab.txt", "x");
    folder_write_text(first.cache, "gone-0123456789abcdef.image.new-1-1", "half an image");
    model_free(scene_load(third.folder, first.cache, &notice));
    char *path = join(first.cache, first.image);
    assert_false(file_exists(path));
    memory_free(path);
    assert_int_equal(count_files(first.cache), 6 + 1); /* what is being written stays */

    /* An hour later nobody is still writing it. */
    path = join(first.cache, "gone-0123456789abcdef.image.new-1-1");
    const struct timespec past[] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
    assert_int_equal(utimensat(AT_FDCWD, path, past, 0), 0);
    model_free(scene_load(first.folder, first.cache, &notice));
    assert_false(file_exists(path));
    assert_int_equal(count_files(first.cache), 9);
    memory_free(path);

    /* A folder that is gone. */
    folder_remove(second.folder);
    folder_write_text(third.folder, "vocab.txt", "x");
    model_free(scene_load(third.folder, first.cache, &notice));
    assert_int_equal(count_files(first.cache), 6);
    folder_remove(third.folder);
    scene_free(&first);
}

/* The image that was not used for longest goes, until the others are within the limit. */
static void the_least_recently_used_go_first(void **state)
{
    (void)state;
    static const char *const fixtures[] = {"tiny-bert", "plain", "prompts", "pooling-max"};
    char *cache = folder_create(), *folders[4], folder[512];
    sembed_error notice, error;
    uint64_t largest = 0, total = 0;
    for (size_t i = 0; i < 4; i++) {
        snprintf(folder, sizeof folder, "%s/%s", fixtures_folder(), fixtures[i]);
        folders[i] = strdup(folder);
        struct sembed_model *model = scene_load(folder, cache, &notice);
        total += model->image.map.size;
        largest = model->image.map.size > largest ? model->image.map.size : largest;
        model_free(model);
        if (i == 3)
            break;
        /* Used so many hours ago: the second longest. */
        DIR *directory = opendir(cache);
        const struct dirent *item;
        while ((item = readdir(directory)) != NULL) {
            time_t hours = i == 1 ? 9 : (time_t)(3 - i);
            const struct timespec past[] = {{.tv_sec = time(NULL) - 3600 * hours},
                                            {.tv_sec = time(NULL) - 3600 * hours}};
            if (strncmp(item->d_name, fixtures[i], strlen(fixtures[i])) == 0 &&
                strstr(item->d_name, ".ok"))
                assert_int_equal(utimensat(dirfd(directory), item->d_name, past, 0), 0);
        }
        closedir(directory);
    }
    assert_int_equal(count_files(cache), 12);

    /* Room for all but one and a bit. */
    snprintf(folder, sizeof folder, "%s/pooling-two", fixtures_folder());
    const struct image_settings settings = {cache, total - largest / 2};
    struct sembed_model *model;
    assert_ok(compiled_load("m", folder, PRECISION_F32, &settings, NULL, &model, &notice, &error),
              error);
    assert_true(is_from_image(model));
    model_free(model);
    DIR *directory = opendir(cache);
    const struct dirent *item;
    bool found[4] = {false};
    while ((item = readdir(directory)) != NULL)
        for (size_t i = 0; i < 4; i++)
            found[i] |=
                strncmp(item->d_name, fixtures[i], strlen(fixtures[i])) == 0 &&
                item->d_name[strlen(fixtures[i])] == '-' &&
                strlen(item->d_name) == strlen(fixtures[i]) + strlen("-0123456789abcdef.image");
    closedir(directory);
    assert_false(found[1]);
    assert_true(found[2] && found[3]);

    /* An image that is larger than all may be is not made. */
    const struct image_settings small = {cache, 1000};
    snprintf(folder, sizeof folder, "%s/electra", fixtures_folder());
    assert_ok(compiled_load("m", folder, PRECISION_F32, &small, NULL, &model, &notice, &error),
              error);
    assert_false(is_from_image(model));
    assert_fails(notice.code, SEMBED_LIMIT, notice, "more than the limit");
    model_free(model);
    for (size_t i = 0; i < 4; i++)
        free(folders[i]);
    folder_remove(cache);
}

/* To the byte. Where the limit is found to be passed only while the image is written, nothing stays. */
static void an_image_is_not_larger_than_the_limit(void **state)
{
    (void)state;
    sembed_error notice, error;
    struct scene scene = scene_create("tiny-bert");
    struct stat info;
    char *path = join(scene.cache, scene.image);
    assert_int_equal(stat(path, &info), 0);
    memory_free(path);
    for (int room = -1; room <= 0; room++) {
        char *cache = folder_create();
        const struct image_settings settings = {cache, (uint64_t)(info.st_size + room)};
        struct sembed_model *model;
        assert_ok(compiled_load("m", scene.folder, PRECISION_F32, &settings, NULL, &model, &notice,
                                &error),
                  error);
        assert_int_equal(is_from_image(model), room == 0);
        if (room < 0) {
            assert_fails(notice.code, SEMBED_LIMIT, notice, "more than the limit");
            assert_int_equal(count_files(cache), 1); /* the lock */
        }
        assert_same_answers(scene.plain, model);
        model_free(model);
        folder_remove(cache);
    }
    scene_free(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fixture_gives_the_same_bits),
        cmocka_unit_test(an_image_has_no_memory_of_its_own),
        cmocka_unit_test(a_folder_may_be_emptied_under_a_model),
        cmocka_unit_test(images_of_others_are_not_used),
        cmocka_unit_test(engines_have_images_of_their_own),
        cmocka_unit_test(changed_folders_are_noticed),
        cmocka_unit_test(stale_images_are_removed),
        cmocka_unit_test(the_least_recently_used_go_first),
        cmocka_unit_test(an_image_is_not_larger_than_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
