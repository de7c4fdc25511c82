/*
 * Folders of images that cannot be trusted or written, memory that is not there, work that is stopped:
 * loading works all the same, or leaves nothing behind.
 */
#define _GNU_SOURCE
#include "core/base/memory.h"
#include "core/image/image.h"
#include "core/model/compiled.h"
#include "tests/unit/folder.h"
#include "tests/unit/image_scene.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ----------------------------------------------------------------------- folders and their files */

/* Loads privately, with a notice that says this. */
static void assert_private(const char *folder, const char *cache, const char *text)
{
    sembed_error notice;
    struct sembed_model *model = scene_load(folder, cache, &notice);
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
    struct sembed_model *model = scene_load(scene.folder, scene.cache, &notice);
    assert_true(is_from_image(model));
    model_free(model);

    /* The same of an image: it is replaced by one of our own. */
    char *path = join(scene.cache, scene.image);
    ino_t inode = inode_of(scene.cache, scene.image);
    assert_int_equal(chmod(path, 0666), 0);
    model = scene_load(scene.folder, scene.cache, &notice);
    assert_true(is_from_image(model));
    assert_int_not_equal(inode_of(scene.cache, scene.image), inode);
    model_free(model);

    if (geteuid() == 0) {
        assert_int_equal(chown(scene.cache, 65534, 65534), 0);
        assert_private(scene.folder, scene.cache, "only its owner");
        assert_int_equal(chown(scene.cache, 0, 0), 0);
        inode = inode_of(scene.cache, scene.image);
        assert_int_equal(chown(path, 65534, 65534), 0);
        model = scene_load(scene.folder, scene.cache, &notice);
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
    struct sembed_model *model = scene_load(scene.folder, scene.cache, &notice);
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
    struct sembed_model *model = scene_load(folder, cache, &notice);
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
    struct sembed_model *model = scene_load(scene.folder, scene.cache, &notice);
    right = right && is_from_image(model) && notice.code == SEMBED_OK;
    model_free(model);
    model = scene_load(scene.folder, empty, &notice);
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
    struct sembed_model *plain = scene_load(folder, NULL, &notice);
    signal(SIGXFSZ, SIG_IGN);
    const rlim_t limits[] = {0, 100, 5000, 70000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        set_file_limit(limits[i]);
        struct sembed_model *model = scene_load(folder, cache, &notice);
        set_file_limit(RLIM_INFINITY);
        assert_false(is_from_image(model));
        assert_fails(notice.code, SEMBED_IO, notice, "cannot write");
        assert_same_answers(plain, model);
        model_free(model);
        assert_int_equal(count_files(cache), 1); /* the lock: nothing is left half done */
    }
    struct sembed_model *model = scene_load(folder, cache, &notice);
    assert_true(is_from_image(model));
    model_free(model);
    model_free(plain);
    folder_remove(cache);
    folder_remove(folder);
}

/* How often poll is asked while a model is loaded whose image cannot grow beyond so many bytes. */
static size_t questions_until_full(const struct scene *scene, rlim_t bytes)
{
    char *cache = folder_create();
    const struct image_settings settings = {cache, PLENTY};
    struct questions questions = {0};
    const sembed_poll poll = questions_poll(&questions);
    struct sembed_model *model;
    sembed_error notice, error = {0};
    set_file_limit(bytes);
    sembed_status status =
        compiled_load("m", scene->folder, PRECISION_F32, &settings, &poll, &model, &notice, &error);
    set_file_limit(RLIM_INFINITY);
    assert_ok(status, error);
    assert_false(is_from_image(model));
    model_free(model);
    folder_remove(cache);
    return questions.asked;
}

/* Poll is asked before each layer that is packed: for the image, and then to load without it. Where the
 * disk is full before the first layer, none is packed for the image. */
static void packing_ends_where_writing_fails(void **state)
{
    (void)state;
    struct opened_scene opened = opened_scene_create("tiny-bert");
    signal(SIGXFSZ, SIG_IGN);
    size_t without_image = questions_until_full(&opened.scene, 0);
    assert_true(without_image >= 2);
    rlim_t in_tables = opened.header.sections[3].offset + 100;
    assert_int_equal(questions_until_full(&opened.scene, in_tables), without_image);
    assert_true(questions_until_full(&opened.scene, opened.size - 1) > without_image);
    opened_scene_free(&opened);
}

/* Twenty megabytes: three batches, each of many pieces. */
enum { LARGE = 20 << 20 };

static sembed_status write_large(const void *model, const sembed_poll *poll,
                                 struct flat_writer *writer, sembed_error *error)
{
    (void)poll, (void)error;
    flat_write(writer, model, LARGE);
    return SEMBED_OK;
}

static void large_weights_are_written_in_batches(void **state)
{
    (void)state;
    sembed_error error = {0};
    char *folder = folder_create(), *path = join(folder, "large");
    unsigned char *weights = malloc(LARGE);
    assert_non_null(weights);
    for (size_t i = 0; i < LARGE; i++)
        weights[i] = (unsigned char)(i * 2654435761u >> 13);
    struct archive archive = archive_for_saving(&error);
    const struct image_contents contents = {"large\n", &archive, write_large, weights, PLENTY};
    int descriptor = open(path, O_RDWR | O_CREAT, 0600);
    struct questions questions = {0};
    const sembed_poll poll = questions_poll(&questions);
    assert_ok(image_write(descriptor, path, &contents, &poll, &error), error);
    assert_in_range(questions.asked, 2, 10);

    size_t size;
    unsigned char *written = (unsigned char *)folder_read(folder, "large", &size);
    struct laid_out header;
    memcpy(&header, written, sizeof header);
    assert_int_equal(header.sections[3].size, LARGE);
    assert_int_equal(header.sections[3].offset + LARGE, size);
    assert_memory_equal(written + header.sections[3].offset, weights, LARGE);

    questions = (struct questions){.stop_at = questions.asked}; /* at the last one */
    assert_int_equal(ftruncate(descriptor, 0), 0);
    assert_fails(image_write(descriptor, path, &contents, &poll, &error), SEMBED_CANCELED, error,
                 "");
    archive_free(&archive);
    close(descriptor);
    free(written);
    free(weights);
    memory_free(path);
    folder_remove(folder);
}

/* ------------------------------------------------------------------------------------- locks */

/* An image without its mark: only who has the lock, or can have none, sums up its weights. */
static char *take_away_mark(const struct scene *scene)
{
    char *mark = find_ending(scene->cache, ".ok"), *lock = find_ending(scene->cache, ".lock");
    folder_delete(scene->cache, mark);
    free(mark);
    char *path = join(scene->cache, lock);
    free(lock);
    return path;
}

static void an_image_is_used_where_no_lock_can_be_had(void **state)
{
    (void)state;
    sembed_error notice;
    struct scene scene = scene_create("tiny-bert");
    char *lock = take_away_mark(&scene);
    assert_int_equal(unlink(lock), 0);
    assert_int_equal(mkdir(lock, 0700), 0);
    struct sembed_model *model = scene_load(scene.folder, scene.cache, &notice);
    assert_true(is_from_image(model));
    assert_int_equal(notice.code, SEMBED_OK);
    assert_same_answers(scene.plain, model);
    model_free(model);
    folder_delete(scene.cache, scene.image);
    assert_private(scene.folder, scene.cache, "cannot write");
    memory_free(lock);
    scene_free(&scene);
}

/* Another process, played by a descriptor of its own, that lets go of the lock after some questions. */
struct holder {
    int descriptor, questions;
};

static int let_go_in_the_end(void *state)
{
    struct holder *holder = state;
    if (holder->questions-- == 0)
        flock(holder->descriptor, LOCK_UN);
    return 0;
}

static void who_does_not_hold_the_lock_waits(void **state)
{
    (void)state;
    struct scene scene = scene_create("tiny-bert");
    const struct image_settings settings = {scene.cache, PLENTY};
    char *lock = take_away_mark(&scene);
    struct holder holder = {open(lock, O_RDWR), 5};
    assert_int_equal(flock(holder.descriptor, LOCK_EX), 0);
    struct sembed_model *model;
    sembed_error notice, error = {0};

    struct questions questions = {.stop_at = 3};
    sembed_poll poll = questions_poll(&questions);
    assert_fails(
        compiled_load("m", scene.folder, PRECISION_F32, &settings, &poll, &model, &notice, &error),
        SEMBED_CANCELED, error, "");
    assert_null(model);

    poll = (sembed_poll){let_go_in_the_end, &holder};
    assert_ok(
        compiled_load("m", scene.folder, PRECISION_F32, &settings, &poll, &model, &notice, &error),
        error);
    assert_true(is_from_image(model));
    assert_true(holder.questions < 0);
    model_free(model);
    close(holder.descriptor);
    memory_free(lock);
    scene_free(&scene);
}

static void a_folder_of_too_many_files_has_no_image(void **state)
{
    (void)state;
    sembed_error notice;
    char *cache = folder_create(), *folder = folder_copy_fixture("tiny-bert");
    char name[32];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "%d", i);
        folder_write_text(folder, name, "");
    }
    struct sembed_model *model = scene_load(folder, cache, &notice);
    assert_false(is_from_image(model));
    assert_fails(notice.code, SEMBED_LIMIT, notice, "more than 2000 files");
    model_free(model);
    folder_remove(folder);
    folder_remove(cache);
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

/* A poll changes the folder, so many times. */
struct change {
    const char *folder;
    int left;
};

static int change_folder(void *state)
{
    struct change *change = state;
    if (change->left-- > 0)
        folder_write_text(change->folder, "added_later.json", "{}");
    return 0;
}

static void a_folder_that_changes_while_it_is_packed_is_packed_again(void **state)
{
    (void)state;
    char *cache = folder_create(), *folder = folder_copy_fixture("tiny-bert");
    const struct image_settings settings = {cache, PLENTY};
    struct change change = {folder, INT_MAX};
    sembed_poll poll = {change_folder, &change};
    struct sembed_model *model = NULL;
    sembed_error notice, error = {0};
    sembed_status status =
        compiled_load("m", folder, PRECISION_F32, &settings, &poll, &model, &notice, &error);
    assert_fails(status, SEMBED_IO, error, "changed while it was read");
    assert_null(model);
    assert_int_equal(count_files(cache), 1); /* the lock */

    change.left = 1;
    assert_ok(compiled_load("m", folder, PRECISION_F32, &settings, &poll, &model, &notice, &error),
              error);
    assert_true(is_from_image(model));
    assert_int_equal(notice.code, SEMBED_OK);
    model_free(model);
    model = scene_load(folder, cache, &notice);
    assert_true(is_from_image(model));
    model_free(model);
    folder_remove(cache);
    folder_remove(folder);
}

static void making_an_image_can_be_stopped(void **state)
{
    (void)state;
    char *cache = folder_create(), *folder = folder_copy_fixture("tiny-bert");
    const struct image_settings settings = {cache, PLENTY};
    size_t stopped = 0;
    for (;; stopped++) {
        struct questions questions = {.stop_at = stopped + 1};
        const sembed_poll poll = questions_poll(&questions);
        struct sembed_model *model;
        sembed_error notice, error = {0};
        sembed_status status =
            compiled_load("m", folder, PRECISION_F32, &settings, &poll, &model, &notice, &error);
        if (questions.asked < questions.stop_at) {
            assert_ok(status, error);
            model_free(model);
            break;
        }
        assert_int_equal(status, SEMBED_CANCELED);
        assert_null(model);
        assert_int_equal(count_files(cache), 1); /* the lock: nothing is left half done */
    }
    assert_true(stopped >= 2);
    folder_remove(cache);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_that_others_write_are_not_trusted),
        cmocka_unit_test(links_are_not_followed),
        cmocka_unit_test(folders_are_made),
        cmocka_unit_test(read_only_folders_are_read),
        cmocka_unit_test(a_full_disk_is_no_error),
        cmocka_unit_test(packing_ends_where_writing_fails),
        cmocka_unit_test(large_weights_are_written_in_batches),
        cmocka_unit_test(an_image_is_used_where_no_lock_can_be_had),
        cmocka_unit_test(who_does_not_hold_the_lock_waits),
        cmocka_unit_test(a_folder_of_too_many_files_has_no_image),
        cmocka_unit_test(no_memory_is_an_error_everywhere),
        cmocka_unit_test(a_folder_that_changes_while_it_is_packed_is_packed_again),
        cmocka_unit_test(making_an_image_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
