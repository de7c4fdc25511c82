/* How a call says what went wrong. The model is nanoarrow's: a status, and a sentence in the
 * caller's own buffer. */
#ifndef SEMBED_BASE_ERROR_H
#define SEMBED_BASE_ERROR_H

#include "core/sembed.h"

#include <errno.h>

/* Writes code and message (cut at 511 bytes, never inside a UTF-8 character) and returns code, so
 * that `return error_set(…)` is how a function fails. error may be NULL. */
sembed_status error_set(sembed_error *error, sembed_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* SEMBED_NO_MEMORY with what the memory was wanted for, such as "the token table". */
sembed_status error_no_memory(sembed_error *error, const char *what);

/* What a system call that failed with `number` (errno) means: one that found no memory has that to say. */
static inline sembed_status error_of_errno(int number, sembed_status otherwise)
{
    return number == ENOMEM ? SEMBED_NO_MEMORY : otherwise;
}

/* Non-zero where the caller wants the call to stop. poll may be NULL. */
static inline int poll_wants_stop(const sembed_poll *poll)
{
    return poll && poll->check && poll->check(poll->state);
}

/* The same for step i of a long loop: asks at each step that is the last of `interval`. */
static inline int poll_wants_stop_every(const sembed_poll *poll, size_t i, size_t interval)
{
    return i % interval == interval - 1 && poll_wants_stop(poll);
}

/* The same for small steps: asks at every 65536th. */
static inline int poll_wants_stop_at(const sembed_poll *poll, size_t i)
{
    return poll_wants_stop_every(poll, i, 0x10000);
}

/* The same for a loop whose steps are of any size: asks when `at` has come by *next, which it moves on
 * by 65536. */
static inline int poll_wants_stop_past(const sembed_poll *poll, size_t at, size_t *next)
{
    if (at < *next)
        return 0;
    *next = at + 0x10000;
    return poll_wants_stop(poll);
}

/* The same for a loop whose steps cost now much, now little: *work sums up what they cost, and each time
 * that it is 65536, some 0.1 ms, poll is asked. */
static inline int poll_wants_stop_after(const sembed_poll *poll, size_t cost, size_t *work)
{
    *work += cost;
    if (*work < 0x10000)
        return 0;
    *work = 0;
    return poll_wants_stop(poll);
}

/* SEMBED_CANCELED, in the same words everywhere. */
sembed_status error_canceled(sembed_error *error);

#endif
