#include "tests/unit/image_scene.h"

#include "core/base/file.h"
#include "core/base/memory.h"
#include "core/model/compiled.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdlib.h>

struct sembed_model *scene_load(const char *folder, const char *cache, sembed_error *notice)
{
    const struct image_settings settings = {cache, PLENTY};
    sembed_error error = {0};
    struct sembed_model *model;
    assert_ok(compiled_load("m", folder, PRECISION_F32, &settings, NULL, &model, notice, &error),
              error);
    return model;
}

bool is_from_image(const struct sembed_model *model)
{
    return model->image.map.mapping != NULL;
}

static const char *const texts[] = {"The river ferry crosses at dawn.", "",
                                    "Caf\xC3\xA9 \xE5\x8C\x97\xE4\xBA\xAC \xF0\x9F\x98\x80 <mask>"};
#define TEXTS (sizeof texts / sizeof *texts)

float *answers(const struct sembed_model *model, size_t *size)
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

void assert_same_answers(const struct sembed_model *a, const struct sembed_model *b)
{
    size_t size, other;
    float *left = answers(a, &size), *right = answers(b, &other);
    assert_int_equal(size, other);
    assert_memory_equal(left, right, size);
    free(left);
    free(right);
}

char *join(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    assert_non_null(path);
    return path;
}

char *find_ending(const char *folder, const char *ending)
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

size_t count_files(const char *folder)
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

ino_t inode_of(const char *folder, const char *name)
{
    struct stat info;
    char *path = join(folder, name);
    assert_int_equal(stat(path, &info), 0);
    memory_free(path);
    return info.st_ino;
}

struct scene scene_create(const char *fixture)
{
    sembed_error notice;
    struct scene scene = {folder_copy_fixture(fixture), folder_create(), NULL, NULL};
    scene.plain = scene_load(scene.folder, NULL, &notice);
    assert_false(is_from_image(scene.plain));
    struct sembed_model *model = scene_load(scene.folder, scene.cache, &notice);
    assert_int_equal(notice.code, SEMBED_OK);
    assert_true(is_from_image(model));
    model_free(model);
    scene.image = find_ending(scene.cache, ".image");
    assert_non_null(scene.image);
    return scene;
}

void scene_free(struct scene *scene)
{
    model_free(scene->plain);
    folder_remove(scene->folder);
    folder_remove(scene->cache);
    free(scene->image);
}

void assert_made_anew(struct scene *scene, const void *data, size_t size)
{
    sembed_error notice;
    folder_write(scene->cache, scene->image, data, size);
    ino_t altered = inode_of(scene->cache, scene->image);
    struct sembed_model *model = scene_load(scene->folder, scene->cache, &notice);
    assert_true(is_from_image(model));
    assert_int_not_equal(inode_of(scene->cache, scene->image), altered);
    assert_same_answers(scene->plain, model);
    model_free(model);
}

struct opened_scene opened_scene_create(const char *fixture)
{
    struct opened_scene opened = {.scene = scene_create(fixture)};
    opened.data =
        (unsigned char *)folder_read(opened.scene.cache, opened.scene.image, &opened.size);
    assert_true(opened.size > sizeof opened.header);
    memcpy(&opened.header, opened.data, sizeof opened.header);
    assert_int_equal(opened.header.file_size, opened.size);
    return opened;
}

void opened_scene_free(struct opened_scene *opened)
{
    free(opened->data);
    scene_free(&opened->scene);
}
