#include "core/text/canonical_order.h"

#define CLASSES 256

sembed_status mark_run_add(struct mark_run *run, struct mark mark, sembed_error *error)
{
    if (!memory_grow((void **)&run->marks, &run->capacity, run->count + 1, sizeof *run->marks) ||
        !memory_grow((void **)&run->spare, &run->spare_capacity, run->count + 1,
                     sizeof *run->spare))
        return error_no_memory(error, "combining marks");
    run->marks[run->count++] = mark;
    return SEMBED_OK;
}

static bool is_sorted(const struct mark_run *run)
{
    for (size_t i = 1; i < run->count; i++)
        if (run->marks[i].class < run->marks[i - 1].class)
            return false;
    return true;
}

/* Copies the marks to spare and sorts them back by counting: a run may be as long as the text. */
static sembed_status sort_by_class(struct mark_run *run, const sembed_poll *poll,
                                   sembed_error *error)
{
    size_t place[CLASSES + 1] = {0};
    for (size_t i = 0; i < run->count; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        run->spare[i] = run->marks[i];
        place[run->marks[i].class + 1]++;
    }
    for (size_t class = 1; class < CLASSES; class ++)
        place[class] += place[class - 1];
    for (size_t i = 0; i < run->count; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        run->marks[place[run->spare[i].class]++] = run->spare[i];
    }
    return SEMBED_OK;
}

sembed_status mark_run_sort(struct mark_run *run, const sembed_poll *poll, sembed_error *error)
{
    if (is_sorted(run))
        return SEMBED_OK;
    sembed_status status = sort_by_class(run, poll, error);
    if (status != SEMBED_OK)
        return status;

    struct span source = run->spare[0].source;
    size_t next = 0;
    for (size_t i = 0; i < run->count; i++) {
        if (poll_wants_stop_at(poll, i))
            return error_canceled(error);
        if (run->marks[i].first) {
            while (!run->spare[next].first)
                next++;
            source = run->spare[next++].source;
        }
        run->marks[i].source = source;
    }
    return SEMBED_OK;
}

void mark_run_free(struct mark_run *run)
{
    memory_free(run->marks);
    memory_free(run->spare);
    *run = (struct mark_run){0};
}
