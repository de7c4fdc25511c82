/*
 * Threads that share the work of one call.
 *
 *     team_create ──▶ members − 1 threads, asleep      once per context
 *     team_run    ──▶ work(state, 0) here, work(state, 1) … on the others; back when all are done
 *
 * A member takes what is next from a counter that they share, so that none waits for another.
 */
#ifndef SEMBED_TEAM_H
#define SEMBED_TEAM_H

#include "core/base/error.h"

#include <stddef.h>

struct team;

/* Starts members − 1 threads (members: at least 2). They take no signals: those are the host's. */
SEMBED_MUST_CHECK sembed_status team_create(size_t members, struct team **team,
                                            sembed_error *error);

/* Ends the threads. NULL is allowed. In a process that was forked since, only the memory goes. */
void team_destroy(struct team *team);

/* The members who can work: 1 in a process that was forked since, which has no threads. */
size_t team_members(const struct team *team);

/* What each member does; a poll that answers non-zero asks it to stop. */
typedef sembed_status (*team_work)(void *state, size_t member, const sembed_poll *poll,
                                   sembed_error *error);

/*
 * Has every member do the work, the caller as member 0. When one fails the others are asked to stop,
 * and its status and error are the call's. poll (NULL: none) is asked on the calling thread alone.
 */
SEMBED_MUST_CHECK sembed_status team_run(struct team *team, team_work work, void *state,
                                         const sembed_poll *poll, sembed_error *error);

#endif
