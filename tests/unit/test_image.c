/*
 * Compiled images: the same bits as from the folder, for every fixture and engine; what is cut short,
 * altered, stale or foreign is never used and made anew; folders that cannot be trusted or written are
 * left alone, and loading works all the same.
 */
#define _GNU_SOURCE
#include "core/base/checksum.h"
#include "core/base/file.h"
#include "core/base/memory.h"
#include "core/image/cache.h"
#include "core/model/compiled.h"
#include "core/model/identity.h"
#include "tests/unit/folder.h"
#include "tests/unit/golden.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PLENTY ((uint64_t)1 << 40)

/* ------------------------------------------------------------------------------------- helpers */

static struct sembed_model *load(const char *folder, const char *cache, sembed_error *notice)
{
    const struct image_settings settings = {cache, PLENTY};
    sembed_error error = {0};
    struct sembed_model *model;
    assert_ok(compiled_load("m", folder, PRECISION_F32, &settings, NULL, &model, notice, &error),
              error);
    return model;
}

static bool is_from_image(const struct sembed_model *model)
{
    return model->image.map.mapping != NULL;
}

static const char *const texts[] = {"The river ferry crosses at dawn.", "",
                                    "Caf\xC3\xA9 \xE5\x8C\x97\xE4\xBA\xAC \xF0\x9F\x98\x80 <mask>"};
#define TEXTS (sizeof texts / sizeof *texts)

/* What a model makes of the texts: vectors, or scores; the caller's to free. */
static float *answers(const struct sembed_model *model, size_t *size)
{
    sembed_error error = {0};
    sembed_context *context;
    sembed_model_info info;
    sembed_text batch[TEXTS];
    sembed_model_describe(model, &info);
    for (size_t i = 0; i < TEXTS; i++)
        batch[i] = (sembed_text){texts[i], strlen(texts[i])};
    assert_ok(sembed_context_create(&context, &error), error);
    size_t width = info.labels;
    if (!width)
        assert_ok(sembed_dimensions(model, NULL, &width, &error), error);
    *size = TEXTS * width * sizeof(float);
    float *numbers = malloc(*size);
    assert_non_null(numbers);
    if (info.labels)
        assert_ok(sembed_score(model, context, batch[0], batch, TEXTS, 0, NULL, numbers, &error),
                  error);
    else
        assert_ok(sembed_embed(model, context, batch, TEXTS, NULL, NULL, numbers, &error), error);
    sembed_context_destroy(context);
    return numbers;
}

static void assert_same_answers(const struct sembed_model *a, const struct sembed_model *b)
{
    size_t size, other;
    float *left = answers(a, &size), *right = answers(b, &other);
    assert_int_equal(size, other);
    assert_memory_equal(left, right, size);
    free(left);
    free(right);
}

static char *join(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    assert_non_null(path);
    return path;
}

/* The name of the only file in the folder that ends so; NULL: none. */
static char *find_ending(const char *folder, const char *ending)
{
    char *found = NULL;
    DIR *directory = opendir(folder);
    const struct dirent *item;
    assert_non_null(directory);
    while ((item = readdir(directory)) != NULL) {
        size_t length = strlen(item->d_name), end = strlen(ending);
        if (length < end || strcmp(item->d_name + length - end, ending) != 0)
            continue;
        assert_null(found);
        found = strdup(item->d_name);
    }
    closedir(directory);
    return found;
}

static size_t count_files(const char *folder)
{
    size_t count = 0;
    DIR *directory = opendir(folder);
    const struct dirent *item;
    assert_non_null(directory);
    while ((item = readdir(directory)) != NULL)
        count += item->d_name[0] != '.';
    closedir(directory);
    return count;
}

static ino_t inode_of(const char *folder, const char *name)
{
    struct stat info;
    char *path = join(folder, name);
    assert_int_equal(stat(path, &info), 0);
    memory_free(path);
    return info.st_ino;
}

/* A model with its image, for tests that then do something to one of them. */
struct scene {
    char *folder, *cache, *image;
    struct sembed_model *plain; /* from the folder */
};

static struct scene scene_create(const char *fixture)
{
    sembed_error notice;
    struct scene scene = {folder_copy_fixture(fixture), folder_create(), NULL, NULL};
    scene.plain = load(scene.folder, NULL, &notice);
    assert_false(is_from_image(scene.plain));
    struct sembed_model *model = load(scene.folder, scene.cache, &notice);
    assert_int_equal(notice.code, SEMBED_OK);
    assert_true(is_from_image(model));
    model_free(model);
    scene.image = find_ending(scene.cache, ".image");
    assert_non_null(scene.image);
    return scene;
}

static void scene_free(struct scene *scene)
{
    model_free(scene->plain);
    folder_remove(scene->folder);
    folder_remove(scene->cache);
    free(scene->image);
}

/* ------------------------------------------------------------------------------------- sameness */

static void check_fixture(const char *name)
{
    char folder[512];
    sembed_error notice;
    snprintf(folder, sizeof folder, "%s/%s", fixtures_folder(), name);
    char *cache = folder_create();
    struct sembed_model *plain = load(folder, NULL, &notice);
    struct sembed_model *first = load(folder, cache, &notice);
    struct sembed_model *second = load(folder, cache, &notice);
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
    struct sembed_model *model = load(scene.folder, scene.cache, &notice);
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
    struct sembed_model *model = load(scene.folder, scene.cache, &notice);
    struct sembed_model *before = load(scene.folder, scene.cache, &notice);
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

/* ------------------------------------------------------------------------------------- damage */

/* Overwrites the image as somebody would who has no idea of marks, and looks at what comes of it. */
static void assert_made_anew(struct scene *scene, const void *data, size_t size)
{
    sembed_error notice;
    folder_write(scene->cache, scene->image, data, size);
    ino_t altered = inode_of(scene->cache, scene->image);
    struct sembed_model *model = load(scene->folder, scene->cache, &notice);
    assert_true(is_from_image(model));
    assert_int_not_equal(inode_of(scene->cache, scene->image), altered);
    assert_same_answers(scene->plain, model);
    model_free(model);
}

/* The header as image.c lays it out; here, so that a test may write nonsense into it. */
struct laid_out {
    char magic[16];
    uint32_t format, byte_order;
    uint64_t file_size;
    struct {
        uint64_t offset, size, checksum;
    } sections[4];
    uint64_t checksum;
};

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
    struct sembed_model *model = load(scene.folder, scene.cache, &notice);
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
        struct sembed_model *model = load(scene.folder, scene.cache, &notice);
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
    header.sections[0].checksum = checksum(identity, header.sections[0].size);
    header.checksum = checksum(&header, offsetof(struct laid_out, checksum));
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
    struct sembed_model *model = load(folder, cache, &notice);
    model_free(model);
    golden_select_engine("openblas");
    struct sembed_model *other = load(folder, cache, &notice);
    struct sembed_model *plain = load(folder, NULL, &notice);
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
    struct sembed_model *model = load(scene.folder, scene.cache, &notice);
    assert_false(compiled_is_stale(model));
    size_t size;
    char *weights = folder_read(scene.folder, "model.safetensors", &size);
    weights[size - 4] ^= 0x40;

    /* In place, and the old model goes on as it was. */
    folder_write(scene.folder, "model.safetensors", weights, size);
    assert_true(compiled_is_stale(model));
    model_free(scene.plain);
    scene.plain = load(scene.folder, NULL, &notice);
    struct sembed_model *changed = load(scene.folder, scene.cache, &notice);
    assert_true(is_from_image(changed));
    assert_false(compiled_is_stale(changed));
    assert_same_answers(scene.plain, changed);
    assert_int_equal(count_files(scene.cache), 3); /* in the place of the old one */

    /* A file of a folder below; a file more; a file less. */
    folder_edit(scene.folder, "1_Pooling/config.json", "{", "{ ");
    assert_true(compiled_is_stale(changed));
    model_free(changed);
    changed = load(scene.folder, scene.cache, &notice);
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
    model_free(load(second.folder, first.cache, &notice));
    assert_int_equal(count_files(first.cache), 6);
    /* The model of the first image changes, and another image is made. */
    folder_write_text(first.folder, "vocab.txt", "x");
    folder_write_text(first.cache, "gone-0123456789abcdef.image.new-1-1", "half an image");
    model_free(load(third.folder, first.cache, &notice));
    char *path = join(first.cache, first.image);
    assert_false(file_exists(path));
    memory_free(path);
    assert_int_equal(count_files(first.cache), 6 + 1); /* what is being written stays */

    /* An hour later nobody is still writing it. */
    path = join(first.cache, "gone-0123456789abcdef.image.new-1-1");
    const struct timespec past[] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
    assert_int_equal(utimensat(AT_FDCWD, path, past, 0), 0);
    model_free(load(first.folder, first.cache, &notice));
    assert_false(file_exists(path));
    assert_int_equal(count_files(first.cache), 9);
    memory_free(path);

    /* A folder that is gone. */
    folder_remove(second.folder);
    folder_write_text(third.folder, "vocab.txt", "x");
    model_free(load(third.folder, first.cache, &notice));
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
        struct sembed_model *model = load(folder, cache, &notice);
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

/* ----------------------------------------------------------------------- folders and their files */

/* Loads privately, with a notice that says this. */
static void assert_private(const char *folder, const char *cache, const char *text)
{
    sembed_error notice;
    struct sembed_model *model = load(folder, cache, &notice);
    assert_false(is_from_image(model));
    assert_fails(notice.code, SEMBED_IO, notice, text);
    size_t size;
    free(answers(model, &size));
    model_free(model);
}

static void folders_that_others_write_are_not_trusted(void **state)
{
    (void)state;
    sembed_error notice;
    struct scene scene = scene_create("tiny-bert");
    const mode_t modes[] = {0770, 0707, 0777};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(chmod(scene.cache, modes[i]), 0);
        assert_private(scene.folder, scene.cache, "only its owner");
    }
    assert_int_equal(chmod(scene.cache, 0755), 0); /* others may read */
    struct sembed_model *model = load(scene.folder, scene.cache, &notice);
    assert_true(is_from_image(model));
    model_free(model);

    /* The same of an image: it is replaced by one of our own. */
    char *path = join(scene.cache, scene.image);
    ino_t inode = inode_of(scene.cache, scene.image);
    assert_int_equal(chmod(path, 0666), 0);
    model = load(scene.folder, scene.cache, &notice);
    assert_true(is_from_image(model));
    assert_int_not_equal(inode_of(scene.cache, scene.image), inode);
    model_free(model);

    if (geteuid() == 0) {
        assert_int_equal(chown(scene.cache, 65534, 65534), 0);
        assert_private(scene.folder, scene.cache, "only its owner");
        assert_int_equal(chown(scene.cache, 0, 0), 0);
        inode = inode_of(scene.cache, scene.image);
        assert_int_equal(chown(path, 65534, 65534), 0);
        model = load(scene.folder, scene.cache, &notice);
        assert_int_not_equal(inode_of(scene.cache, scene.image), inode);
        model_free(model);
    }
    memory_free(path);
    scene_free(&scene);
}

static void links_are_not_followed(void **state)
{
    (void)state;
    sembed_error notice;
    struct scene scene = scene_create("tiny-bert");
    char *path = join(scene.cache, scene.image), *elsewhere = join(scene.folder, "moved");
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    struct sembed_model *model = load(scene.folder, scene.cache, &notice);
    assert_true(is_from_image(model));
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    assert_true(S_ISREG(info.st_mode));
    model_free(model);
    memory_free(path);
    memory_free(elsewhere);
    scene_free(&scene);
}

static void folders_are_made(void **state)
{
    (void)state;
    sembed_error notice;
    char *parent = folder_create(), *folder = folder_copy_fixture("tiny-bert");
    char *nested = join(parent, "a"), *cache = join(nested, "b");
    struct sembed_model *model = load(folder, cache, &notice);
    assert_true(is_from_image(model));
    struct stat info;
    assert_int_equal(stat(cache, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    model_free(model);

    folder_write_text(parent, "file", "");
    memory_free(nested);
    nested = join(parent, "file");
    assert_private(folder, nested, "cache folder");
    memory_free(nested);
    nested = join(parent, "file/below");
    assert_private(folder, nested, "cache folder");
    memory_free(nested);
    memory_free(cache);
    folder_remove(folder);
    folder_remove(parent);
}

/* Who may not write uses what is there; who finds nothing loads for himself. Root may always write, so
 * this runs as another user where it can. */
static void read_only_folders_are_read(void **state)
{
    (void)state;
    struct scene scene = scene_create("tiny-bert");
    char *empty = folder_create();
    pid_t process = fork();
    assert_true(process >= 0);
    if (process > 0) {
        int status;
        assert_int_equal(waitpid(process, &status, 0), process);
        assert_int_equal(status, 0);
        folder_remove(empty);
        scene_free(&scene);
        return;
    }
    sembed_error notice;
    bool right =
        chmod(scene.cache, 0555) == 0 && chmod(empty, 0555) == 0 && chmod(scene.folder, 0755) == 0;
    char *path = join(scene.cache, scene.image), *mark = find_ending(scene.cache, ".ok");
    char *mark_path = join(scene.cache, mark);
    right = right && chmod(path, 0644) == 0 && chmod(mark_path, 0644) == 0;
    if (geteuid() == 0)
        right = right && setegid(65534) == 0 && seteuid(65534) == 0;
    /* With a mark that fits no more (chmod), and no way to write another. */
    struct sembed_model *model = load(scene.folder, scene.cache, &notice);
    right = right && is_from_image(model) && notice.code == SEMBED_OK;
    model_free(model);
    model = load(scene.folder, empty, &notice);
    right = right && !is_from_image(model) && notice.code == SEMBED_IO;
    model_free(model);
    _exit(right ? 0 : 1);
}

/* Files end at so many bytes for this process: what writing to a full disk comes to. */
static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_is_no_error(void **state)
{
    (void)state;
    sembed_error notice;
    char *cache = folder_create(), *folder = folder_copy_fixture("tiny-bert");
    struct sembed_model *plain = load(folder, NULL, &notice);
    signal(SIGXFSZ, SIG_IGN);
    const rlim_t limits[] = {0, 100, 5000, 70000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        set_file_limit(limits[i]);
        struct sembed_model *model = load(folder, cache, &notice);
        set_file_limit(RLIM_INFINITY);
        assert_false(is_from_image(model));
        assert_fails(notice.code, SEMBED_IO, notice, "cannot write");
        assert_same_answers(plain, model);
        model_free(model);
        assert_int_equal(count_files(cache), 1); /* the lock: nothing is left half done */
    }
    struct sembed_model *model = load(folder, cache, &notice);
    assert_true(is_from_image(model));
    model_free(model);
    model_free(plain);
    folder_remove(cache);
    folder_remove(folder);
}

/* --------------------------------------------------------------------------------- no memory */

static void no_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct scene scene = scene_create("dense-tanh");
    const struct image_settings settings = {scene.cache, PLENTY};
    for (size_t nth = 1;; nth++) {
        struct sembed_model *model = NULL;
        sembed_error notice, error = {0};
        memory_fail_from(nth);
        sembed_status status = compiled_load("m", scene.folder, PRECISION_F32, &settings, NULL,
                                             &model, &notice, &error);
        memory_fail_from(0);
        if (status == SEMBED_OK && is_from_image(model)) {
            assert_same_answers(scene.plain, model);
            model_free(model);
            assert_true(nth > 20);
            break;
        }
        if (status != SEMBED_OK)
            assert_int_equal(status, SEMBED_NO_MEMORY);
        model_free(model);
    }
    scene_free(&scene);
}

static int stop_at_third(void *state)
{
    return ++*(int *)state >= 3;
}

static void making_an_image_can_be_stopped(void **state)
{
    (void)state;
    char *cache = folder_create(), *folder = folder_copy_fixture("tiny-bert");
    const struct image_settings settings = {cache, PLENTY};
    int asked = 0;
    sembed_poll poll = {stop_at_third, &asked};
    struct sembed_model *model;
    sembed_error notice, error = {0};
    assert_int_equal(
        compiled_load("m", folder, PRECISION_F32, &settings, &poll, &model, &notice, &error),
        SEMBED_CANCELED);
    assert_null(model);
    assert_null(find_ending(cache, ".image"));
    folder_remove(cache);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fixture_gives_the_same_bits),
        cmocka_unit_test(an_image_has_no_memory_of_its_own),
        cmocka_unit_test(a_folder_may_be_emptied_under_a_model),
        cmocka_unit_test(truncated_images_are_made_anew),
        cmocka_unit_test(altered_images_are_made_anew),
        cmocka_unit_test(impossible_sections_are_refused),
        cmocka_unit_test(marks_are_not_deceived),
        cmocka_unit_test(a_lost_mark_costs_time_only),
        cmocka_unit_test(images_of_others_are_not_used),
        cmocka_unit_test(engines_have_images_of_their_own),
        cmocka_unit_test(changed_folders_are_noticed),
        cmocka_unit_test(stale_images_are_removed),
        cmocka_unit_test(the_least_recently_used_go_first),
        cmocka_unit_test(folders_that_others_write_are_not_trusted),
        cmocka_unit_test(links_are_not_followed),
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(read_only_folders_are_read),
        cmocka_unit_test(a_full_disk_is_no_error),
        cmocka_unit_test(no_memory_is_an_error_everywhere),
        cmocka_unit_test(making_an_image_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
