/*
 * A call's texts, gathered in batches and handed to what the call does with a batch; on one thread,
 * or on all that the context has.
 *
 *     texts      0 1 2 3 4 5 6 7 8 9 …
 *     thread 0   0 1 2 ─flush─         6 7 ─flush─  …
 *     thread 1         3 4 5 ─flush─       8 9 …
 *
 * Whoever is free takes the next texts until they make a batch. That is sound because a text's
 * numbers do not depend on its batch or thread.
 */
#ifndef SEMBED_BATCHES_H
#define SEMBED_BATCHES_H

#include "core/context.h"

/* What one thread works with. */
struct worker {
    struct sembed_context *context;
    const sembed_poll *poll;
    sembed_error *error;
};

/* A call. Both functions may run on several threads at once, and change nothing of it. */
struct batch_call {
    const struct sembed_model *model;
    const sembed_text *texts; /* [count] */
    size_t count;
    const void *details;

    /* Tokenizes text number `text` into the worker's context->encoding. */
    sembed_status (*encode)(const struct batch_call *call, const struct worker *worker,
                            size_t text);

    /* Encodes the worker's batch and stores what it gives for each of batch->places. */
    sembed_status (*flush)(const struct batch_call *call, const struct worker *worker);
};

SEMBED_MUST_CHECK sembed_status batches_run(const struct batch_call *call,
                                            struct sembed_context *context, const sembed_poll *poll,
                                            sembed_error *error);

#endif
