/* The library as PostgreSQL loads it. Nothing is read or started here: a server may well load it
 * for everyone (shared_preload_libraries) and use it in few backends. Only what sembed.preload_models
 * names is opened, before the first backend is forked. */
#include "host.h"

#include "miscadmin.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void _PG_init(void)
{
    settings_define();
    if (process_shared_preload_libraries_in_progress)
        compile_preload();
}
