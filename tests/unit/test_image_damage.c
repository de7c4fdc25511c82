/* Images that are cut short or altered: never used, and made anew. */
#define _GNU_SOURCE
#include "core/base/checksum.h"
#include "core/base/memory.h"
#include "core/model/compiled.h"
#include "tests/unit/folder.h"
#include "tests/unit/image_scene.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void truncated_images_are_made_anew(void **state)
{
    (void)state;
    struct scene scene = scene_create("tiny-bert");
    size_t size;
    char *data = folder_read(scene.cache, scene.image, &size);
    struct laid_out header;
    memcpy(&header, data, sizeof header);
    assert_int_equal(header.file_size, size);
    for (size_t i = 0; i < 4; i++) {
        size_t begin = header.sections[i].offset, end = begin + header.sections[i].size;
        assert_true(begin > 0 && end <= size);
        assert_made_anew(&scene, data, begin);
        if (end < size)
            assert_made_anew(&scene, data, end);
        assert_made_anew(&scene, data, begin + header.sections[i].size / 2);
    }
    const size_t lengths[] = {0, 1, 15, 16, sizeof header - 1, sizeof header, size - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        assert_made_anew(&scene, data, lengths[i]);
    for (size_t i = 1; i < 20; i++)
        assert_made_anew(&scene, data, size * i / 20);
    char *longer = calloc(1, size + 64);
    memcpy(longer, data, size);
    assert_made_anew(&scene, longer, size + 64);
    free(longer);
    free(data);
    scene_free(&scene);
}

static void altered_images_are_made_anew(void **state)
{
    (void)state;
    struct scene scene = scene_create("tiny-bert");
    size_t size;
    char *data = folder_read(scene.cache, scene.image, &size);
    struct laid_out header;
    memcpy(&header, data, sizeof header);
    for (size_t byte = 0; byte < sizeof header; byte += 5) {
        data[byte] ^= 0x10;
        assert_made_anew(&scene, data, size);
        data[byte] ^= 0x10;
    }
    for (size_t i = 0; i < 4; i++) {
        for (size_t at = 0; at < 8; at++) {
            size_t byte = header.sections[i].offset + header.sections[i].size * at / 8;
            data[byte] ^= 1;
            assert_made_anew(&scene, data, size);
            data[byte] ^= 1;
        }
    }
    free(data);
    scene_free(&scene);
}

/* Sections that overlap or lead outside, under a checksum that is right. */
static void impossible_sections_are_refused(void **state)
{
    (void)state;
    struct scene scene = scene_create("tiny-bert");
    size_t size;
    char *data = folder_read(scene.cache, scene.image, &size);
    struct laid_out good;
    memcpy(&good, data, sizeof good);
    for (size_t i = 0; i < 4; i++) {
        const struct {
            uint64_t offset, size;
        } places[] = {
            {0, good.sections[i].size},      {good.sections[i].offset + 1, good.sections[i].size},
            {good.sections[i].offset, size}, {good.sections[i].offset, UINT64_MAX},
            {UINT64_MAX - 63, 128},          {(uint64_t)1 << 40, 0}};
        for (size_t j = 0; j < sizeof places / sizeof *places; j++) {
            struct laid_out bad = good;
            bad.sections[i].offset = places[j].offset;
            bad.sections[i].size = places[j].size;
            bad.checksum = checksum(&bad, offsetof(struct laid_out, checksum));
            memcpy(data, &bad, sizeof bad);
            assert_made_anew(&scene, data, size);
        }
    }
    free(data);
    scene_free(&scene);
}

/* A byte of the weights that changes, with the file's size and its mtime set back. */
static void marks_are_not_deceived(void **state)
{
    (void)state;
    sembed_error notice;
    struct scene scene = scene_create("tiny-bert");
    struct stat info;
    char *path = join(scene.cache, scene.image);
    size_t size;
    char *data = folder_read(scene.cache, scene.image, &size);
    assert_int_equal(stat(path, &info), 0);
    int descriptor = open(path, O_WRONLY);
    char altered = (char)(data[size - 5000] ^ 1);
    assert_int_equal(pwrite(descriptor, &altered, 1, (off_t)size - 5000), 1);
    const struct timespec times[] = {info.st_atim, info.st_mtim};
    assert_int_equal(futimens(descriptor, times), 0);
    close(descriptor);
    struct sembed_model *model = scene_load(scene.folder, scene.cache, &notice);
    assert_same_answers(scene.plain, model);
    assert_int_not_equal(inode_of(scene.cache, scene.image), info.st_ino);
    model_free(model);
    memory_free(path);
    free(data);
    scene_free(&scene);
}

/* Without its mark an image is summed up, and used. */
static void a_lost_mark_costs_time_only(void **state)
{
    (void)state;
    sembed_error notice;
    struct scene scene = scene_create("tiny-bert");
    ino_t inode = inode_of(scene.cache, scene.image);
    char *mark = find_ending(scene.cache, ".ok");
    assert_non_null(mark);
    for (int round = 0; round < 2; round++) {
        if (round == 0)
            folder_delete(scene.cache, mark);
        else
            folder_write_text(scene.cache, mark, "1 2 3 nonsense\n");
        struct sembed_model *model = scene_load(scene.folder, scene.cache, &notice);
        assert_true(is_from_image(model));
        assert_int_equal(inode_of(scene.cache, scene.image), inode);
        model_free(model);
        char *again = find_ending(scene.cache, ".ok");
        assert_string_equal(again, mark);
        free(again);
    }
    free(mark);
    scene_free(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_images_are_made_anew),
        cmocka_unit_test(altered_images_are_made_anew),
        cmocka_unit_test(impossible_sections_are_refused),
        cmocka_unit_test(marks_are_not_deceived),
        cmocka_unit_test(a_lost_mark_costs_time_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
