/* Several threads for one call: the same bits, one error, a prompt stop, and a forked process. */
#include "core/team.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXTS 400

struct subject {
    sembed_registry *registry;
    const sembed_model *model;
    sembed_context *context;
    char *bytes;
    sembed_text texts[TEXTS];
};

static void subject_open(struct subject *subject, const char *fixture)
{
    sembed_error error = {0};
    char folder[512];
    snprintf(folder, sizeof folder, "%s/%s", fixtures_folder(), fixture);
    assert_ok(sembed_registry_create(NULL, &subject->registry, &error), error);
    assert_ok(sembed_registry_load(subject->registry, "m", folder, NULL, &error), error);
    assert_ok(sembed_registry_acquire(subject->registry, "m", NULL, &subject->model, &error),
              error);
    assert_ok(sembed_context_create(&subject->context, &error), error);
    subject->bytes = malloc(TEXTS * 200);
    assert_non_null(subject->bytes);
    for (size_t i = 0; i < TEXTS; i++) {
        char *text = subject->bytes + i * 200;
        size_t length = 0;
        for (size_t word = 0; word < i % 23; word++)
            length += (size_t)sprintf(text + length, "word%zu ", (i * 7 + word) % 50);
        subject->texts[i] = (sembed_text){text, length};
    }
}

static void subject_close(struct subject *subject)
{
    sembed_context_destroy(subject->context);
    sembed_registry_destroy(subject->registry);
    free(subject->bytes);
}

static void set_threads(const struct subject *subject, size_t threads)
{
    sembed_error error = {0};
    assert_ok(sembed_context_set_threads(subject->context, threads, &error), error);
}

static float *embed(const struct subject *subject, size_t count)
{
    sembed_error error = {0};
    size_t dimensions;
    assert_ok(sembed_dimensions(subject->model, NULL, &dimensions, &error), error);
    float *vectors = calloc(TEXTS * dimensions, sizeof *vectors);
    assert_non_null(vectors);
    assert_ok(sembed_embed(subject->model, subject->context, subject->texts, count, NULL, NULL,
                           vectors, &error),
              error);
    return vectors;
}

static void embeddings_have_the_same_bits(void **state)
{
    static const size_t threads[] = {2, 3, 8, 2, 1};
    static const size_t counts[] = {TEXTS, 1, 2, 30, 0};
    struct subject subject;
    (void)state;
    subject_open(&subject, "tiny-bert");
    float *alone = embed(&subject, TEXTS);
    for (size_t t = 0; t < sizeof threads / sizeof threads[0]; t++) {
        set_threads(&subject, threads[t]);
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            float *shared = embed(&subject, counts[c]);
            assert_memory_equal(shared, alone, counts[c] * 24 * sizeof *alone);
            free(shared);
        }
        sembed_context_trim(subject.context);
    }
    free(alone);
    subject_close(&subject);
}

static void scores_have_the_same_bits(void **state)
{
    struct subject subject;
    float alone[TEXTS], shared[TEXTS] = {0};
    sembed_error error = {0};
    const sembed_text query = {"word3 word4", 11};
    (void)state;
    subject_open(&subject, "cross-roberta");
    assert_ok(sembed_score(subject.model, subject.context, query, subject.texts, TEXTS, 0, NULL,
                           alone, &error),
              error);
    set_threads(&subject, 3);
    assert_ok(sembed_score(subject.model, subject.context, query, subject.texts, TEXTS, 0, NULL,
                           shared, &error),
              error);
    assert_memory_equal(shared, alone, sizeof alone);
    subject_close(&subject);
}

static void one_text_at_fault_fails_the_call(void **state)
{
    struct subject subject;
    sembed_error error = {0};
    const sembed_options options = {.refuse_truncation = 1};
    (void)state;
    subject_open(&subject, "tiny-bert");
    float *vectors = embed(&subject, TEXTS);
    char *long_text = malloc(20000);
    assert_non_null(long_text);
    for (size_t i = 0; i < 20000; i += 4)
        memcpy(long_text + i, "cat ", 4);
    set_threads(&subject, 4);
    const sembed_text kept = subject.texts[200];
    subject.texts[200] = (sembed_text){long_text, 20000};
    sembed_status status = sembed_embed(subject.model, subject.context, subject.texts, TEXTS,
                                        &options, NULL, vectors, &error);
    assert_fails(status, SEMBED_TRUNCATED, error, "tokens: model 'm' reads at most");
    subject.texts[200] = kept;
    float *again = embed(&subject, TEXTS);
    free(again);
    free(vectors);
    free(long_text);
    subject_close(&subject);
}

static void the_number_of_threads_is_checked(void **state)
{
    struct subject subject;
    sembed_error error = {0};
    (void)state;
    subject_open(&subject, "tiny-bert");
    assert_fails(sembed_context_set_threads(subject.context, 0, &error), SEMBED_INVALID_ARGUMENT,
                 error, "threads: expected 1 to 256, found 0");
    assert_fails(sembed_context_set_threads(subject.context, 257, &error), SEMBED_INVALID_ARGUMENT,
                 error, "found 257");
    subject_close(&subject);
}

/* --------------------------------------------------------------------------- the team itself */

struct asked {
    pthread_t host;
    atomic_int times, stop_at;
    atomic_bool elsewhere;
};

static int host_poll(void *state)
{
    struct asked *asked = state;
    if (!pthread_equal(pthread_self(), asked->host))
        atomic_store(&asked->elsewhere, true);
    return atomic_fetch_add(&asked->times, 1) >= asked->stop_at;
}

/* Member 0 is done at once; the others work until they are asked to stop. */
static sembed_status work_until_stopped(void *state, size_t member, const sembed_poll *poll,
                                        sembed_error *error)
{
    (void)state;
    if (member == 0)
        return SEMBED_OK;
    while (!poll->check(poll->state))
        usleep(100);
    return error_canceled(error);
}

static void the_host_stops_those_who_still_work(void **state)
{
    struct asked asked = {.host = pthread_self(), .stop_at = 3};
    const sembed_poll poll = {host_poll, &asked};
    struct team *team;
    sembed_error error = {0};
    (void)state;
    assert_ok(team_create(4, &team, &error), error);
    for (int i = 0; i < 20; i++) {
        atomic_store(&asked.times, 0);
        sembed_status status = team_run(team, work_until_stopped, NULL, &poll, &error);
        assert_fails(status, SEMBED_CANCELED, error, "");
    }
    assert_false(asked.elsewhere);
    team_destroy(team);
}

/* One member fails; the others say that they were canceled. */
static sembed_status fail_one(void *state, size_t member, const sembed_poll *poll,
                              sembed_error *error)
{
    if (member == *(size_t *)state)
        return error_set(error, SEMBED_LIMIT, "member %zu has enough", member);
    while (!poll->check(poll->state))
        usleep(100);
    return error_canceled(error);
}

static void the_first_failure_is_the_calls(void **state)
{
    struct team *team;
    sembed_error error = {0};
    (void)state;
    assert_ok(team_create(3, &team, &error), error);
    for (size_t member = 0; member < 3; member++) {
        char expected[32];
        snprintf(expected, sizeof expected, "member %zu has enough", member);
        sembed_status status = team_run(team, fail_one, &member, NULL, &error);
        assert_fails(status, SEMBED_LIMIT, error, expected);
    }
    team_destroy(team);
}

static void a_forked_process_works_alone(void **state)
{
    struct subject subject;
    (void)state;
    subject_open(&subject, "tiny-bert");
    set_threads(&subject, 3);
    float *before = embed(&subject, TEXTS);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        float *there = embed(&subject, TEXTS);
        int differs = memcmp(there, before, TEXTS * 24 * sizeof *there) != 0;
        sembed_context_destroy(subject.context);
        _exit(differs);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    free(before);
    subject_close(&subject);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embeddings_have_the_same_bits),
        cmocka_unit_test(scores_have_the_same_bits),
        cmocka_unit_test(one_text_at_fault_fails_the_call),
        cmocka_unit_test(the_number_of_threads_is_checked),
        cmocka_unit_test(the_host_stops_those_who_still_work),
        cmocka_unit_test(the_first_failure_is_the_calls),
        cmocka_unit_test(a_forked_process_works_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
