/*
 * A function for the soak's server, for the sessions to say what they hold:
 *
 *     CREATE FUNCTION soak.in_use() RETURNS bigint AS '<this library>' LANGUAGE C;
 *
 * Bytes that the process has allocated and not freed, its own and PostgreSQL's alike. What the system
 * counts for it has the memory besides that is free but that malloc() keeps, which comes and goes by
 * tens of megabytes and takes in a slow leak unseen.
 */
#include <postgres.h>

#include <fmgr.h>
#include <malloc.h>

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(in_use);
__attribute__((visibility("default"))) Datum in_use(PG_FUNCTION_ARGS)
{
    struct mallinfo2 heap = mallinfo2();
    (void)fcinfo;
    PG_RETURN_INT64((int64)(heap.uordblks + heap.hblkhd));
}
