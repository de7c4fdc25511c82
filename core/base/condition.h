/* Condition variables that are waited for for some milliseconds, whatever becomes of the time of day. */
#ifndef SEMBED_BASE_CONDITION_H
#define SEMBED_BASE_CONDITION_H

#include <pthread.h>

/* One for condition_wait; ended by pthread_cond_destroy. */
void condition_create(pthread_cond_t *condition);

/* As pthread_cond_wait, but for so many milliseconds at most. */
void condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, long milliseconds);

#endif
