/* Images that are cut short or altered: never used, and made anew. */
#define _GNU_SOURCE
#include "core/base/memory.h"
#include "core/model/compiled.h"
#include "tests/unit/folder.h"
#include "tests/unit/image_scene.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

static void truncated_images_are_made_anew(void **state)
{
    (void)state;
    struct opened_scene opened = opened_scene_create("tiny-bert");
    const struct laid_out *header = &opened.header;
    size_t size = opened.size;
    for (size_t i = 0; i < 4; i++) {
        size_t begin = header->sections[i].offset, end = begin + header->sections[i].size;
        assert_true(begin > 0 && end <= size);
        assert_made_anew(&opened.scene, opened.data, begin);
        if (end < size)
            assert_made_anew(&opened.scene, opened.data, end);
        assert_made_anew(&opened.scene, opened.data, begin + header->sections[i].size / 2);
    }
    const size_t lengths[] = {0, 1, 15, 16, sizeof *header - 1, sizeof *header, size - 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        assert_made_anew(&opened.scene, opened.data, lengths[i]);
    for (size_t i = 1; i < 20; i++)
        assert_made_anew(&opened.scene, opened.data, size * i / 20);
    char *longer = calloc(1, size + 64);
    memcpy(longer, opened.data, size);
    assert_made_anew(&opened.scene, longer, size + 64);
    free(longer);
    opened_scene_free(&opened);
}

/* A bit of that byte, which is set right again. */
static void assert_noticed(struct opened_scene *opened, size_t byte)
{
    opened->data[byte] ^= 0x10;
    assert_made_anew(&opened->scene, opened->data, opened->size);
    opened->data[byte] ^= 0x10;
}

static void altered_images_are_made_anew(void **state)
{
    (void)state;
    struct opened_scene opened = opened_scene_create("tiny-bert");
    for (size_t byte = 0; byte < sizeof opened.header; byte += 5)
        assert_noticed(&opened, byte);
    for (size_t i = 0; i < 4; i++) {
        for (size_t at = 0; at < 8; at++) {
            size_t byte =
                opened.header.sections[i].offset + opened.header.sections[i].size * at / 8;
            assert_noticed(&opened, byte);
        }
    }
    opened_scene_free(&opened);
}

/* Sections that overlap or lead outside, under a checksum that is right. */
static void impossible_sections_are_refused(void **state)
{
    (void)state;
    struct opened_scene opened = opened_scene_create("tiny-bert");
    const struct laid_out good = opened.header;
    size_t size = opened.size;
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
            bad.checksum = XXH3_64bits(&bad, offsetof(struct laid_out, checksum));
            memcpy(opened.data, &bad, sizeof bad);
            assert_made_anew(&opened.scene, opened.data, size);
        }
    }
    opened_scene_free(&opened);
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

/* Which may take a slow disk seconds. */
static void summing_up_can_be_stopped(void **state)
{
    (void)state;
    sembed_error notice, error = {0};
    struct scene scene = scene_create("tiny-bert");
    const struct image_settings settings = {scene.cache, PLENTY};
    struct questions questions = {.stop_at = 1};
    const sembed_poll poll = questions_poll(&questions);
    struct sembed_model *model;
    ino_t inode = inode_of(scene.cache, scene.image);
    char *mark = find_ending(scene.cache, ".ok");
    folder_delete(scene.cache, mark);
    assert_fails(
        compiled_load("m", scene.folder, PRECISION_F32, &settings, &poll, &model, &notice, &error),
        SEMBED_CANCELED, error, "canceled");
    assert_null(find_ending(scene.cache, ".ok"));
    model = scene_load(scene.folder, scene.cache, &notice);
    assert_true(is_from_image(model));
    assert_int_equal(inode_of(scene.cache, scene.image), inode);
    model_free(model);
    free(mark);
    scene_free(&scene);
}

/* ------------------------------------------------------------------------------------- nonsense */

static uint32_t random_below(uint32_t *state, size_t limit)
{
    *state = *state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(*state >> 8) * limit >> 24);
}

/* Changes a byte of the records or of the tables, to something likely to hurt. */
static void alter_somewhere(unsigned char *data, const struct laid_out *header, uint32_t *state)
{
    static const unsigned char values[] = {0, 1, 2, 7, 0x7F, 0x80, 0xFF};
    size_t section = 1 + random_below(state, 2);
    unsigned char *byte = data + header->sections[section].offset +
                          random_below(state, (size_t)header->sections[section].size);
    size_t chosen = random_below(state, sizeof values + 1);
    *byte = chosen < sizeof values ? values[chosen] : *byte ^ (1u << random_below(state, 8));
}

static void sum_up_again(unsigned char *data, struct laid_out header)
{
    for (size_t i = 0; i < 4; i++)
        header.sections[i].checksum =
            XXH3_64bits(data + header.sections[i].offset, header.sections[i].size);
    header.checksum = XXH3_64bits(&header, offsetof(struct laid_out, checksum));
    memcpy(data, &header, sizeof header);
}

/* Whatever the answers are then. */
static void use(const struct sembed_model *model)
{
    static const char text[] =
        "The river, 1 ferry; caf\xC3\xA9 \xE5\x8C\x97 <mask> [MASK] crosses.";
    sembed_text batch[] = {{text, sizeof text - 1}, {"", 0}};
    sembed_error error;
    sembed_context *context;
    sembed_model_info info;
    size_t width = 0;
    sembed_model_describe(model, &info);
    assert_ok(sembed_context_create(&context, &error), error);
    if (sembed_dimensions(model, NULL, &width, &error) != SEMBED_OK || width < info.labels)
        width = info.labels;
    assert_true(width < 1 << 24);
    float *numbers = malloc((2 * width + 1) * sizeof *numbers);
    assert_non_null(numbers);
    sembed_status status =
        info.labels ? sembed_score(model, context, batch[0], batch, 2, 0, NULL, numbers, &error)
                    : sembed_embed(model, context, batch, 2, NULL, NULL, numbers, &error);
    (void)status;
    free(numbers);
    sembed_context_destroy(context);
}

static void check_nonsense(const char *fixture, uint32_t seed)
{
    const char *asked = getenv("SEMBED_TEST_NONSENSE"); /* how many times */
    struct opened_scene opened = opened_scene_create(fixture);
    const struct scene *scene = &opened.scene;
    unsigned char *altered = malloc(opened.size);
    assert_non_null(altered);
    for (int i = 0, times = asked ? atoi(asked) : 60; i < times; i++) {
        sembed_error notice;
        memcpy(altered, opened.data, opened.size);
        for (size_t n = 1 + random_below(&seed, 3); n > 0; n--)
            alter_somewhere(altered, &opened.header, &seed);
        sum_up_again(altered, opened.header);
        folder_write(scene->cache, scene->image, altered, opened.size);
        struct sembed_model *model = scene_load(scene->folder, scene->cache, &notice);
        use(model);
        model_free(model);
    }
    free(altered);
    opened_scene_free(&opened);
}

/* An image whose sums are right is believed in its numbers, but not where they lead: nothing in it ends
 * the process. */
static void nonsense_under_right_sums_is_survived(void **state)
{
    (void)state;
    static const char *const fixtures[] = {
        "tiny-bert", "roberta",     "xlm-roberta-model", "camembert-model",
        "mpnet",     "dense-chain", "cross-electra",     "prompts-excluded"};
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        check_nonsense(fixtures[i], 4711 + (uint32_t)i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncated_images_are_made_anew),
        cmocka_unit_test(altered_images_are_made_anew),
        cmocka_unit_test(impossible_sections_are_refused),
        cmocka_unit_test(marks_are_not_deceived),
        cmocka_unit_test(a_lost_mark_costs_time_only),
        cmocka_unit_test(summing_up_can_be_stopped),
        cmocka_unit_test(nonsense_under_right_sums_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
