#include "core/team.h"

#include "core/base/condition.h"
#include "core/base/memory.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

/* How often the caller's poll is asked while others still work. */
#define POLL_MILLISECONDS 5

struct team_thread {
    struct team *team;
    pthread_t thread;
    size_t member;
};

struct team {
    struct team_thread *threads; /* [members − 1] */
    size_t members;
    size_t started; /* threads */
    pid_t process;

    pthread_mutex_t lock;
    pthread_cond_t begin, done;
    uint64_t round; /* counts calls of team_run; a thread works once a round */
    size_t busy;    /* threads that have not finished the round */
    bool ends;

    team_work work;
    void *state;
    const sembed_poll *poll; /* the caller's */
    atomic_bool stop;
    sembed_error failure; /* of the first who failed; code SEMBED_OK: none */
};

/* -------------------------------------------------------------------------------- one member */

static int asked_to_stop(void *state)
{
    struct team *team = state;
    return atomic_load_explicit(&team->stop, memory_order_relaxed);
}

/* The same for the caller, who asks the host as well. */
static int caller_asked_to_stop(void *state)
{
    struct team *team = state;
    if (poll_wants_stop(team->poll))
        atomic_store_explicit(&team->stop, true, memory_order_relaxed);
    return asked_to_stop(team);
}

/* Those who stopped because another failed come later, and are not heard. */
static void note_failure(struct team *team, const sembed_error *error)
{
    pthread_mutex_lock(&team->lock);
    if (team->failure.code == SEMBED_OK)
        team->failure = *error;
    pthread_mutex_unlock(&team->lock);
    atomic_store_explicit(&team->stop, true, memory_order_relaxed);
}

static void take_part(struct team *team, size_t member)
{
    sembed_error error = {0};
    const sembed_poll poll = {member == 0 ? caller_asked_to_stop : asked_to_stop, team};
    if (team->work(team->state, member, &poll, &error) != SEMBED_OK)
        note_failure(team, &error);
}

static void *thread_main(void *argument)
{
    const struct team_thread *thread = argument;
    struct team *team = thread->team;
    uint64_t round = 0;
    pthread_mutex_lock(&team->lock);
    for (;;) {
        while (!team->ends && team->round == round)
            pthread_cond_wait(&team->begin, &team->lock);
        if (team->ends)
            break;
        round = team->round;
        pthread_mutex_unlock(&team->lock);
        take_part(team, thread->member);
        pthread_mutex_lock(&team->lock);
        if (--team->busy == 0)
            pthread_cond_signal(&team->done);
    }
    pthread_mutex_unlock(&team->lock);
    return NULL;
}

/* ---------------------------------------------------------------------------------- the team */

static sembed_status start_threads(struct team *team, sembed_error *error)
{
    sigset_t all, before;
    sembed_status status = SEMBED_OK;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return error_set(error, SEMBED_LIMIT, "threads cannot be started: no signal mask");
    for (; status == SEMBED_OK && team->started < team->members - 1; team->started++) {
        struct team_thread *thread = &team->threads[team->started];
        *thread = (struct team_thread){.team = team, .member = team->started + 1};
        if (pthread_create(&thread->thread, NULL, thread_main, thread) != 0) {
            status = error_set(error, SEMBED_LIMIT,
                               "threads: the system starts no more than %zu of the %zu wanted",
                               team->started + 1, team->members);
            break;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

sembed_status team_create(size_t members, struct team **team, sembed_error *error)
{
    *team = NULL;
    struct team *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "threads");
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->begin, NULL);
    condition_create(&made->done);
    made->members = members;
    made->process = getpid();
    made->threads = memory_calloc(members - 1, sizeof *made->threads);
    sembed_status status =
        made->threads ? start_threads(made, error) : error_no_memory(error, "threads");
    if (status != SEMBED_OK) {
        team_destroy(made);
        return status;
    }
    *team = made;
    return SEMBED_OK;
}

void team_destroy(struct team *team)
{
    if (!team)
        return;
    if (team->process == getpid()) {
        pthread_mutex_lock(&team->lock);
        team->ends = true;
        pthread_cond_broadcast(&team->begin);
        pthread_mutex_unlock(&team->lock);
        for (size_t i = 0; i < team->started; i++)
            pthread_join(team->threads[i].thread, NULL);
        pthread_mutex_destroy(&team->lock);
        pthread_cond_destroy(&team->begin);
        pthread_cond_destroy(&team->done);
    }
    memory_free(team->threads);
    memory_free(team);
}

size_t team_members(const struct team *team)
{
    return team->process == getpid() ? team->members : 1;
}

/* Waits for the threads, asking the host now and then whether they should stop. */
static void wait_for_threads(struct team *team)
{
    pthread_mutex_lock(&team->lock);
    while (team->busy > 0) {
        condition_wait(&team->done, &team->lock, POLL_MILLISECONDS);
        pthread_mutex_unlock(&team->lock);
        (void)caller_asked_to_stop(team);
        pthread_mutex_lock(&team->lock);
    }
    pthread_mutex_unlock(&team->lock);
}

sembed_status team_run(struct team *team, team_work work, void *state, const sembed_poll *poll,
                       sembed_error *error)
{
    pthread_mutex_lock(&team->lock);
    team->work = work;
    team->state = state;
    team->poll = poll;
    team->failure = (sembed_error){0};
    atomic_store_explicit(&team->stop, false, memory_order_relaxed);
    team->busy = team->members - 1;
    team->round++;
    pthread_cond_broadcast(&team->begin);
    pthread_mutex_unlock(&team->lock);

    take_part(team, 0);
    wait_for_threads(team);
    if (team->failure.code != SEMBED_OK)
        *error = team->failure;
    return team->failure.code;
}
