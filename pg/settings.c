/*
 * The settings.
 *
 * A value is checked for its form alone when it is set. Whether a model of that name exists is
 * asked when it is used: settings come in any order, and in server start-up, from the configuration
 * file and in ALTER DATABASE there may be no folder to look into yet.
 */
#include "host.h"

#include "miscadmin.h"
#include "port.h"
#include "utils/guc.h"

#include <limits.h>

static char *model;
static char *reranker;
static char *model_path;
static int on_truncate;
static int threads = 1;
static int max_loaded;
static int max_text_size; /* kB */
static int cache_limit;   /* MB */
static char *preload_models;
static uint64 generation;

enum { TRUNCATE, REFUSE };

static const struct config_enum_entry on_truncate_values[] = {
    {"truncate", TRUNCATE, false}, {"error", REFUSE, false}, {NULL, 0, false}};

const char *settings_model(enum purpose purpose)
{
    const char *name = purpose == TO_RANK ? reranker : model;

    return name && *name ? name : NULL;
}

bool settings_refuse_truncation(void)
{
    return on_truncate == REFUSE;
}

size_t settings_threads(void)
{
    return threads;
}

const char *settings_model_path(void)
{
    return model_path;
}

int settings_max_loaded(void)
{
    return max_loaded;
}

size_t settings_max_text_size(void)
{
    return (size_t)max_text_size << 10;
}

uint64 settings_cache_limit(void)
{
    return (uint64)cache_limit << 20;
}

const char *settings_preload_models(void)
{
    return preload_models;
}

uint64 settings_generation(void)
{
    return generation;
}

static void note_change(const char *value, void *extra)
{
    generation++;
}

static void note_enum_change(int value, void *extra)
{
    generation++;
}

static void note_number_change(int value, void *extra)
{
    generation++;
}

static bool check_model(char **value, void **extra, GucSource source)
{
    if (**value != '.' && !strchr(*value, '/'))
        return true;
    GUC_check_errdetail("A model's name is that of a folder on \"sembed.model_path\": no slash, "
                        "no dot at its beginning.");
    return false;
}

/* Absolute folders only: a relative one would be looked for in the data directory. */
static bool check_model_path(char **value, void **extra, GucSource source)
{
    for (const char *folder = *value; *folder;) {
        size_t length = strcspn(folder, ":");

        if (length > 0 && *folder != '/') {
            GUC_check_errdetail("\"%.*s\" is not an absolute path.", (int)length, folder);
            return false;
        }
        folder += length + (folder[length] == ':');
    }
    return true;
}

/* $sharedir/sembed, beside text search's $sharedir/tsearch_data. PostgreSQL keeps the pointer. */
static const char *default_model_path(void)
{
    static char path[MAXPGPATH];
    char share[MAXPGPATH];

    get_share_path(my_exec_path, share);
    strlcpy(path, share, sizeof(path));
    strlcat(path, "/sembed", sizeof(path));
    return path;
}

void settings_define(void)
{
    DefineCustomStringVariable(
        "sembed.model", "The model that embed uses where the call names none.",
        "The name of a folder on sembed.model_path. Empty: the only model there is.", &model, "",
        PGC_USERSET, 0, check_model, note_change, NULL);

    DefineCustomStringVariable(
        "sembed.reranker", "The cross-encoder that rerank uses where the call names none.",
        "The name of a folder on sembed.model_path. Empty: the only model there is.", &reranker, "",
        PGC_USERSET, 0, check_model, note_change, NULL);

    DefineCustomEnumVariable(
        "sembed.on_truncate", "What becomes of a text that is longer than the model reads.",
        "truncate: embed reads its beginning. error: embed refuses it.", &on_truncate, TRUNCATE,
        on_truncate_values, PGC_USERSET, 0, NULL, note_enum_change, NULL);

    DefineCustomIntVariable(
        "sembed.threads", "How many threads of a backend share the texts of one call.",
        "One is right where queries run in parallel. More serve embed(text[]) and rerank in a "
        "session that has the machine to itself.",
        &threads, 1, 1, SEMBED_MAX_THREADS, PGC_USERSET, 0, NULL, NULL, NULL);

    /* Which folders the server may read is the administrator's to say. */
    DefineCustomStringVariable("sembed.model_path", "The folders in which models are looked for.",
                               "Absolute paths separated by colons, each holding model folders.",
                               &model_path, default_model_path(), PGC_SUSET, 0, check_model_path,
                               note_change, NULL);

    DefineCustomIntVariable("sembed.max_loaded",
                            "How many models a session keeps loaded between transactions.",
                            "The least recently used ones are given up. 0: no limit.", &max_loaded,
                            8, 0, 10000, PGC_USERSET, 0, NULL, NULL, NULL);

    /* A session that reads a text takes up to some 80 times its size in memory, the server's. */
    DefineCustomIntVariable("sembed.max_text_size", "The longest text that a call takes.",
                            "A longer one is an error. 0: no limit.", &max_text_size,
                            (int)(SEMBED_MAX_TEXT >> 10), 0, MAX_KILOBYTES, PGC_SUSET, GUC_UNIT_KB,
                            NULL, NULL, NULL);

    /* The folder is the server's, so its size is the administrator's to say. */
    DefineCustomIntVariable("sembed.cache_limit",
                            "How large all compiled images of models may be together.",
                            "They are in the folder sembed_cache of the data directory. 0: none "
                            "are kept.",
                            &cache_limit, (int)(SEMBED_CACHE_LIMIT >> 20), 0, INT_MAX, PGC_SUSET,
                            GUC_UNIT_MB, NULL, note_number_change, NULL);

    DefineCustomStringVariable("sembed.preload_models",
                               "Models that the server opens when it starts.",
                               "Names separated by commas; where shared_preload_libraries has "
                               "sembed.",
                               &preload_models, "", PGC_SIGHUP, 0, NULL, NULL, NULL);

#if PG_VERSION_NUM >= 150000
    MarkGUCPrefixReserved("sembed");
#else
    EmitWarningsOnPlaceholders("sembed");
#endif
}
