/*
 * Many processes and one cache folder: those that begin at once make one image between them, and one
 * that is killed while it makes an image harms nobody.
 */
#define _GNU_SOURCE
#include "core/model/compiled.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES  200
#define DIMENSIONS 1024

struct answer {
    bool right;      /* a status and a vector there are */
    bool from_image; /* not loaded privately */
    float vector[DIMENSIONS];
};

/* Loads and embeds, in a process of its own or not. */
static struct answer ask(const char *folder, const char *cache)
{
    static const char text[] = "The river ferry crosses at dawn.";
    const struct image_settings settings = {cache, (uint64_t)1 << 40};
    struct answer answer = {0};
    struct sembed_model *model;
    sembed_context *context = NULL;
    sembed_error notice, error = {0};
    sembed_text batch = {text, sizeof text - 1};
    size_t dimensions = 0;
    if (compiled_load("m", folder, PRECISION_F32, &settings, NULL, &model, &notice, &error) !=
        SEMBED_OK)
        return answer;
    answer.from_image = model->image.map.mapping != NULL;
    answer.right =
        sembed_dimensions(model, NULL, &dimensions, &error) == SEMBED_OK &&
        dimensions <= DIMENSIONS && sembed_context_create(&context, &error) == SEMBED_OK &&
        sembed_embed(model, context, &batch, 1, NULL, NULL, answer.vector, &error) == SEMBED_OK;
    sembed_context_destroy(context);
    model_free(model);
    return answer;
}

/* Begins a process that asks when `gate` is closed by us, and writes its answer to `answers`. */
static pid_t ask_in_process(const char *folder, const char *cache, const int gate[2], int answers)
{
    pid_t process = fork();
    assert_true(process >= 0);
    if (process > 0)
        return process;
    char byte;
    close(gate[1]);
    while (read(gate[0], &byte, 1) > 0)
        continue;
    struct answer answer = ask(folder, cache);
    _exit(write(answers, &answer, sizeof answer) == sizeof answer ? 0 : 1);
}

static size_t count_ending(const char *folder, const char *part)
{
    size_t count = 0;
    DIR *directory = opendir(folder);
    const struct dirent *item;
    assert_non_null(directory);
    while ((item = readdir(directory)) != NULL)
        count += strstr(item->d_name, part) != NULL;
    closedir(directory);
    return count;
}

static void two_hundred_begin_at_once(void **state)
{
    (void)state;
    char *folder = folder_copy_fixture("tiny-bert"), *cache = folder_create();
    struct answer expected = ask(folder, NULL);
    int gate[2];
    pid_t processes[PROCESSES];
    FILE *answers = tmpfile();
    assert_non_null(answers);
    assert_true(expected.right && !expected.from_image);
    assert_int_equal(pipe(gate), 0);
    /* The descriptor's offset is shared: what they write stands one behind the other. */
    assert_int_equal(fcntl(fileno(answers), F_SETFL, O_APPEND), 0);
    for (size_t i = 0; i < PROCESSES; i++)
        processes[i] = ask_in_process(folder, cache, gate, fileno(answers));
    close(gate[0]);
    close(gate[1]);
    for (size_t i = 0; i < PROCESSES; i++) {
        int status;
        size_t writing = count_ending(cache, ".image.new-");
        if (writing > 1) /* image or mark */
            fail_msg("%zu files were being written at once", writing);
        assert_int_equal(waitpid(processes[i], &status, 0), processes[i]);
        assert_int_equal(status, 0);
    }
    rewind(answers);
    for (size_t i = 0; i < PROCESSES; i++) {
        struct answer answer;
        assert_int_equal(fread(&answer, sizeof answer, 1, answers), 1);
        assert_true(answer.right && answer.from_image);
        assert_memory_equal(answer.vector, expected.vector, sizeof expected.vector);
    }
    assert_int_equal(count_ending(cache, ".image"), 3); /* image, mark, lock */
    fclose(answers);
    folder_remove(cache);
    folder_remove(folder);
}

/* Killed after more and more microseconds, in loading, writing, syncing, renaming and afterwards. */
static void a_killed_process_harms_nobody(void **state)
{
    (void)state;
    char *folder = folder_copy_fixture("tiny-bert");
    struct answer expected = ask(folder, NULL);
    int null = open("/dev/null", O_WRONLY);
    size_t before = 0, after = 0;
    assert_true(null >= 0);
    /* On a busy machine it takes longer until there is an image to be harmed. */
    for (long wait = 0; wait <= 60000 || (after == 0 && wait < 900000);
         wait += wait < 8000 ? 200 : 4000) {
        char *cache = folder_create();
        int gate[2], status;
        assert_int_equal(pipe(gate), 0);
        pid_t process = ask_in_process(folder, cache, gate, null);
        close(gate[0]);
        close(gate[1]);
        nanosleep(&(struct timespec){.tv_nsec = wait * 1000}, NULL);
        kill(process, SIGKILL);
        assert_int_equal(waitpid(process, &status, 0), process);
        *(count_ending(cache, ".image.ok") ? &after : &before) += 1;

        struct answer answer = ask(folder, cache);
        assert_true(answer.right && answer.from_image);
        assert_memory_equal(answer.vector, expected.vector, sizeof expected.vector);
        answer = ask(folder, cache);
        assert_true(answer.right && answer.from_image);
        folder_remove(cache);
    }
    assert_true(before > 0 && after > 0); /* the times were those that matter */
    close(null);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hundred_begin_at_once),
        cmocka_unit_test(a_killed_process_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
