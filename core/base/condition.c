#include "core/base/condition.h"

#include <time.h>

#define NANOSECONDS_A_SECOND 1000000000

void condition_create(pthread_cond_t *condition)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, long milliseconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += milliseconds * 1000000;
    until.tv_sec += until.tv_nsec / NANOSECONDS_A_SECOND;
    until.tv_nsec %= NANOSECONDS_A_SECOND;
    pthread_cond_timedwait(condition, lock, &until);
}
