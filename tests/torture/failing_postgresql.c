/*
 * failing_malloc.c for a PostgreSQL server that preloads it (LD_PRELOAD), with a function by which a
 * session says which allocation of its next transaction fails:
 *
 *     CREATE FUNCTION fail_from(nth bigint, every boolean) RETURNS void AS '<this library>' LANGUAGE C;
 *     CREATE FUNCTION has_failed() RETURNS boolean AS '<this library>' LANGUAGE C;
 *
 * What is palloc'ed comes from malloc, too, so PostgreSQL's own allocations fail as well. When the
 * transaction ends, well or not, there is memory again.
 */
#include <postgres.h>

#include <access/xact.h>
#include <fmgr.h>

#include "tests/torture/failing_malloc.h"

PG_MODULE_MAGIC;

static size_t nth;
static bool every, waits; /* for the transaction that asked to end */

static void transaction_ended(XactEvent event, void *state)
{
    (void)state;
    if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT)
        return;
    if (waits)
        failing_malloc_from(nth, every);
    else
        failing_malloc_stop();
    waits = false;
}

PG_FUNCTION_INFO_V1(fail_from);
__attribute__((visibility("default"))) Datum fail_from(PG_FUNCTION_ARGS)
{
    static bool registered;
    if (!registered)
        RegisterXactCallback(transaction_ended, NULL);
    registered = true;
    nth = (size_t)PG_GETARG_INT64(0);
    every = PG_GETARG_BOOL(1);
    waits = true;
    PG_RETURN_VOID();
}

/* Whether an allocation failed in the last transaction but this. */
PG_FUNCTION_INFO_V1(has_failed);
__attribute__((visibility("default"))) Datum has_failed(PG_FUNCTION_ARGS)
{
    (void)fcinfo;
    PG_RETURN_BOOL(failing_malloc_failed());
}
