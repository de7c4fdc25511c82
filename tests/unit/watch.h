/* A poll for tests: how long it takes, in processor time, from one question to the next. */
#ifndef SEMBED_TESTS_WATCH_H
#define SEMBED_TESTS_WATCH_H

#include "core/sembed.h"

#include <time.h>

struct watch {
    double begin, last, longest; /* ms of this thread's processor time */
    double enough;               /* ms after which it says stop; 0: never */
    unsigned asked;
};

static inline double watch_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static inline struct watch watch_begin(double enough)
{
    double now = watch_milliseconds();
    return (struct watch){.begin = now, .last = now, .enough = enough};
}

/* The question; behind the call that is watched it is asked once more. */
static inline int watch_look(void *state)
{
    struct watch *watch = state;
    double now = watch_milliseconds();
    if (now - watch->last > watch->longest)
        watch->longest = now - watch->last;
    watch->last = now;
    watch->asked++;
    return watch->enough > 0 && now - watch->begin > watch->enough;
}

#endif
