/* The library as PostgreSQL loads it. Nothing is read or started here: a server may well load it
 * for everyone (shared_preload_libraries) and use it in few backends. */
#include "host.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void _PG_init(void)
{
    settings_define();
}
