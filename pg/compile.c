/*
 * Compiled images of models (core/image) in PostgreSQL: they are kept in the data directory, which is
 * the server's alone, and are made by whichever backend first uses a model, by sembed_compile, or by
 * the postmaster, where the library is preloaded and sembed.preload_models names models. Backends then
 * inherit those that the postmaster has opened.
 */
#include "host.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#define IMAGES "sembed_cache"

const char *compile_folder(void)
{
    static char path[MAXPGPATH];

    if (settings_cache_limit() == 0)
        return NULL;
    snprintf(path, sizeof(path), "%s/%s", DataDir, IMAGES);
    return path;
}

/* Loading works without an image, and the administrator should know that it did. */
void compile_report(sembed_registry *registry)
{
    sembed_error notice = {0};

    if (sembed_registry_take_notice(registry, &notice))
        ereport(WARNING,
                (errmsg("a model is loaded without a compiled image"),
                 errdetail_internal("%s", convert_message(notice.message)),
                 errhint("Every session that uses it reads its folder and has memory of its own "
                         "for it, until the image can be written.")));
}

/* ------------------------------------------------------------------------------- preloading */

/* In the postmaster: what goes wrong is logged, and the server starts all the same. */
static void preload(sembed_registry *registry, const char *name)
{
    const sembed_model *model = NULL;
    sembed_error error = {0};

    if (sembed_registry_acquire(registry, name, NULL, &model, &error) != SEMBED_OK)
        ereport(WARNING, (errmsg("sembed.preload_models: model \"%s\" is not loaded", name),
                          errdetail_internal("%s", error.message)));
    else
        ereport(LOG, (errmsg("model \"%s\" is preloaded", name)));
    compile_report(registry);
}

void compile_preload(void)
{
    char *names = pstrdup(settings_preload_models());
    List *list = NIL;
    ListCell *cell;
    sembed_registry *registry;

    if (!SplitGUCList(names, ',', &list)) {
        ereport(WARNING, (errmsg("sembed.preload_models: expected names separated by commas")));
        return;
    }
    if (list == NIL)
        return;
    registry = models_registry();
    foreach (cell, list)
        preload(registry, lfirst(cell));
}

/* -------------------------------------------------------------------------- ahead of time */

PG_FUNCTION_INFO_V1(sembed_sql_compile);

/* sembed_compile(model text) → bigint: the bytes of the image */
Datum sembed_sql_compile(PG_FUNCTION_ARGS)
{
    sembed_registry *registry = models_registry();
    const char *name = convert_string(text_to_cstring(PG_GETARG_TEXT_PP(0)));
    uint64_t bytes = 0;
    struct call call;
    sembed_status status;

    if (!compile_folder())
        ereport(ERROR,
                (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                 errmsg("images of models are not kept"), errhint("\"sembed.cache_limit\" is 0.")));
    models_generation();
    call_begin(&call);
    do
        status = sembed_registry_compile(registry, name, &call.poll, &bytes, &call.error);
    while (call_again(&call, status));
    call_check(&call, status, NULL);
    PG_RETURN_INT64((int64)bytes);
}
