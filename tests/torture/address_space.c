/*
 * A process that may grow by no more than so many kilobytes, from none up to where all goes well: it
 * loads a model, embeds or ranks, and gets the right numbers or an out-of-memory error. This is a lack of
 * memory as a system gives it, to oneDNN and OpenBLAS as to all others; allocations.c spares those two.
 *
 *     address_space [KILOBYTES]      steps of that many (64)
 *
 * Each limit is for a process of its own, forked before anything is loaded, so that one which dies is
 * seen.
 */
#include "core/compute/gemm.h"
#include "core/model/compiled.h"
#include "tests/unit/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_NUMBERS   64
#define MOST_KILOBYTES ((size_t)256 << 10)

/* How a process ends. */
enum { RIGHT, NO_MEMORY, OTHER_ERROR, OTHER_NUMBERS };

struct task {
    const char *fixture;
    enum precision precision;
    float expected[MOST_NUMBERS];
};

static sembed_status compute(const struct task *task, float *numbers, sembed_error *error)
{
    static const sembed_text texts[] = {{"the river runs to the sea", 25}, {"na\xC3\xAFve", 6}};
    const struct image_settings no_image = {0};
    struct sembed_model *model = NULL;
    sembed_context *context = NULL;
    sembed_model_info info;
    sembed_error notice = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/%s", fixtures_folder(), task->fixture);
    sembed_status status =
        compiled_load("m", path, task->precision, &no_image, NULL, &model, &notice, error);
    if (status == SEMBED_OK)
        status = sembed_context_create(&context, error);
    if (status == SEMBED_OK) {
        sembed_model_describe(model, &info);
        status = info.labels
                     ? sembed_score(model, context, texts[0], texts, 2, 0, NULL, numbers, error)
                     : sembed_embed(model, context, texts, 2, NULL, NULL, numbers, error);
    }
    sembed_context_destroy(context);
    model_free(model);
    return status;
}

static size_t address_space(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%zu", &pages) != 1)
        exit(1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int run_limited(const struct task *task, size_t kilobytes)
{
    float numbers[MOST_NUMBERS] = {0};
    sembed_error error = {0};
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (kilobytes) {
        rlim_t most = address_space() + kilobytes * 1024;
        const struct rlimit limit = {most, most};
        setrlimit(RLIMIT_AS, &limit);
    }
    sembed_status status = compute(task, numbers, &error);
    if (status == SEMBED_NO_MEMORY)
        return NO_MEMORY;
    if (status != SEMBED_OK)
        fprintf(stderr, "%zu kB: %s\n", kilobytes, error.message);
    if (status != SEMBED_OK)
        return OTHER_ERROR;
    return memcmp(numbers, task->expected, sizeof numbers) == 0 ? RIGHT : OTHER_NUMBERS;
}

/* How the process ended; -1 where by a signal. */
static int try_limit(const struct task *task, size_t kilobytes)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(run_limited(task, kilobytes));
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child)
        exit(1);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The numbers of a process without limit; false where this machine cannot compute so. */
static bool find_expected(struct task *task)
{
    int ends[2];
    if (pipe(ends) != 0)
        exit(1);
    pid_t child = fork();
    if (child == 0) {
        sembed_error error = {0};
        sembed_status status = compute(task, task->expected, &error);
        bool written = write(ends[1], task->expected, sizeof task->expected) > 0;
        _exit(status == SEMBED_OK && written ? 0 : 1);
    }
    int status;
    bool good = child > 0 && waitpid(child, &status, 0) == child && status == 0 &&
                read(ends[0], task->expected, sizeof task->expected) > 0;
    close(ends[0]);
    close(ends[1]);
    return good;
}

static bool torture(struct task *task, size_t step)
{
    static const char *const words[] = {"right", "out of memory", "another error", "other numbers"};
    size_t counts[4] = {0}, died = 0, right_in_a_row = 0, kilobytes = step;
    if (!find_expected(task)) {
        printf("skip: %s %s\n", task->fixture, precision_name(task->precision));
        return true;
    }
    for (; right_in_a_row < 8 && kilobytes < MOST_KILOBYTES; kilobytes += step) {
        int end = try_limit(task, kilobytes);
        if (end < 0)
            died++;
        else
            counts[end]++;
        if (end != RIGHT && end != NO_MEMORY)
            fprintf(stderr, "%s %s, %zu kB more: %s\n", task->fixture,
                    precision_name(task->precision), kilobytes,
                    end < 0 ? "the process died" : words[end]);
        right_in_a_row = end == RIGHT ? right_in_a_row + 1 : 0;
    }
    bool good = right_in_a_row == 8 && !died && !counts[OTHER_ERROR] && !counts[OTHER_NUMBERS];
    printf("%s: %s %s with up to %zu kB more: %zu right, %zu out of memory, %zu others, %zu died\n",
           good ? "ok" : "FAILED", task->fixture, precision_name(task->precision), kilobytes,
           counts[RIGHT], counts[NO_MEMORY], counts[OTHER_ERROR] + counts[OTHER_NUMBERS], died);
    return good;
}

int main(int count, char **arguments)
{
    static struct task tasks[] = {{.fixture = "dense-chain", .precision = PRECISION_F32},
                                  {.fixture = "cross-roberta", .precision = PRECISION_F32},
                                  {.fixture = "tiny-bert", .precision = PRECISION_BF16},
                                  {.fixture = "tiny-bert", .precision = PRECISION_INT8}};
    size_t step = count > 1 ? strtoul(arguments[1], NULL, 10) : 64;
    bool good = true;
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
        good &= torture(&tasks[i], step ? step : 64);
    return good ? 0 : 1;
}
