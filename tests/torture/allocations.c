/*
 * Every allocation fails once: of the core, of the libraries below it and of SQLite, at the Nth call for
 * every N, one alone and all from there on, while models load, texts are embedded, ranked, cut and
 * tokenized, and images written and read. (For oneDNN and OpenBLAS see address_space.c.)
 *
 *     allocations [STEP [NAME]]      every STEPth N (1: all), of the cases whose names have NAME in them
 *
 * Each time: an out-of-memory error or the right answer (a cache that could not grow), the same call
 * right afterwards, and nothing lost: a second round over all N leaves no more blocks than the first.
 */
#include "core/base/memory.h"
#include "core/model/compiled.h"
#include "tests/sqlite/linked.h"
#include "tests/torture/failing_malloc.h"
#include "tests/unit/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_NUMBERS 128

struct outcome {
    sembed_status status;
    float numbers[MOST_NUMBERS];
};

struct attempt {
    const char *name;
    const char *argument; /* a fixture, or a statement */
    void (*run)(const struct attempt *attempt, struct outcome *outcome);
};

static const char *cache,
    *links;               /* folders: of images; a model path with a link that leads out of it */
static char message[512]; /* of the last error */
static sembed_context *context;
static const struct sembed_model *bi_encoder, *cross_encoder;

static void give_up(const char *what, const struct attempt *attempt, size_t nth, bool all)
{
    fprintf(stderr, "FAILED: %s, %s %zu: %s\n", attempt->name, all ? "from" : "without", nth, what);
    exit(1);
}

/* ---------------------------------------------------------------------------------- attempts */

static const sembed_text texts[] = {{"the river runs to the sea", 25}, {"na\xC3\xAFve \xFF", 7}};

static sembed_status compute(const struct sembed_model *model, sembed_context *scratch,
                             float *numbers, sembed_error *error)
{
    sembed_model_info info;
    sembed_model_describe(model, &info);
    if (info.labels)
        return sembed_score(model, scratch, texts[0], texts, 2, 0, NULL, numbers, error);
    return sembed_embed(model, scratch, texts, 2, NULL, NULL, numbers, error);
}

/* Loads a folder, or its image, and embeds with a context of its own. */
static void load(const struct attempt *attempt, enum precision precision,
                 const struct image_settings *settings, struct outcome *outcome)
{
    struct sembed_model *model = NULL;
    sembed_context *own = NULL;
    sembed_error error = {0}, notice = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/%s", fixtures_folder(), attempt->argument);
    outcome->status = compiled_load("m", path, precision, settings, NULL, &model, &notice, &error);
    if (outcome->status == SEMBED_OK)
        outcome->status = sembed_context_create(&own, &error);
    if (outcome->status == SEMBED_OK)
        outcome->status = compute(model, own, outcome->numbers, &error);
    sembed_context_destroy(own);
    model_free(model);
    snprintf(message, sizeof message, "%s", error.message);
}

static void run_load(const struct attempt *attempt, struct outcome *outcome)
{
    const struct image_settings no_image = {0};
    load(attempt, PRECISION_F32, &no_image, outcome);
}

static void run_load_bf16(const struct attempt *attempt, struct outcome *outcome)
{
    const struct image_settings no_image = {0};
    load(attempt, PRECISION_BF16, &no_image, outcome);
}

static void run_load_int8(const struct attempt *attempt, struct outcome *outcome)
{
    const struct image_settings no_image = {0};
    load(attempt, PRECISION_INT8, &no_image, outcome);
}

static void run_image(const struct attempt *attempt, struct outcome *outcome)
{
    const struct image_settings settings = {cache, UINT64_MAX};
    load(attempt, PRECISION_F32, &settings, outcome);
}

/* The image is made anew each time. */
static void run_compile(const struct attempt *attempt, struct outcome *outcome)
{
    const struct image_settings settings = {cache, 0};
    load(attempt, PRECISION_F32, &settings, outcome);
}

static void run_compute(const struct attempt *attempt, struct outcome *outcome)
{
    sembed_error error = {0};
    const struct sembed_model *model = *attempt->argument == 'c' ? cross_encoder : bi_encoder;
    sembed_context *own = NULL;
    outcome->status = sembed_context_create(&own, &error);
    if (outcome->status == SEMBED_OK)
        outcome->status = compute(model, own, outcome->numbers, &error);
    sembed_context_destroy(own);
}

static void run_tokenize(const struct attempt *attempt, struct outcome *outcome)
{
    sembed_token *tokens = NULL;
    size_t count = 0;
    sembed_error error = {0};
    (void)attempt;
    sembed_context_trim(context);
    outcome->status =
        sembed_tokenize(bi_encoder, context, texts[1], 0, NULL, &tokens, &count, &error);
    for (size_t i = 0; i < count && i < MOST_NUMBERS; i++)
        outcome->numbers[i] = (float)tokens[i].id;
    sembed_free(tokens);
}

static void run_chunk(const struct attempt *attempt, struct outcome *outcome)
{
    sembed_chunk *chunks = NULL;
    size_t count = 0;
    sembed_error error = {0};
    (void)attempt;
    outcome->status =
        sembed_chunk_text(bi_encoder, context, texts[0], 5, 1, NULL, &chunks, &count, &error);
    for (size_t i = 0; i < count && i < MOST_NUMBERS; i++)
        outcome->numbers[i] = (float)chunks[i].stop;
    sembed_free(chunks);
}

/* Finds and loads a model as a host does. */
static void run_registry(const struct attempt *attempt, struct outcome *outcome)
{
    sembed_registry *registry = NULL;
    sembed_context *own = NULL;
    const struct sembed_model *model = NULL;
    sembed_error error = {0};
    outcome->status = sembed_registry_create(fixtures_folder(), &registry, &error);
    if (outcome->status == SEMBED_OK)
        outcome->status = sembed_registry_set_cache(registry, cache, UINT64_MAX, &error);
    if (outcome->status == SEMBED_OK)
        outcome->status =
            sembed_registry_acquire(registry, attempt->argument, NULL, &model, &error);
    if (outcome->status == SEMBED_OK)
        outcome->status = sembed_context_create(&own, &error);
    if (outcome->status == SEMBED_OK)
        outcome->status = compute(model, own, outcome->numbers, &error);
    sembed_context_destroy(own);
    sembed_registry_destroy(registry);
    snprintf(message, sizeof message, "%s", error.message);
}

/* A link that leads out of the model path is refused also where there is no memory to follow it. */
static void run_refusal(const struct attempt *attempt, struct outcome *outcome)
{
    sembed_registry *registry = NULL;
    const struct sembed_model *model = NULL;
    sembed_error error = {0};
    outcome->status = sembed_registry_create(links, &registry, &error);
    if (outcome->status == SEMBED_OK)
        outcome->status =
            sembed_registry_acquire(registry, attempt->argument, NULL, &model, &error);
    outcome->numbers[0] = model != NULL;
    if (outcome->status == SEMBED_IO && strstr(error.message, "leads out of the model path"))
        outcome->status = SEMBED_OK;
    sembed_registry_destroy(registry);
    snprintf(message, sizeof message, "%s", error.message);
}

/* A connection of its own; the numbers are the first row's BLOB or number. */
static void run_sql(const struct attempt *attempt, struct outcome *outcome)
{
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    int result = try_open_linked(&database);
    if (result == SQLITE_OK)
        result = sqlite3_prepare_v2(database, attempt->argument, -1, &statement, NULL);
    if (result == SQLITE_OK && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        const void *blob = sqlite3_column_blob(statement, 0);
        size_t size = (size_t)sqlite3_column_bytes(statement, 0);
        size_t most = sizeof outcome->numbers;
        if (blob)
            memcpy(outcome->numbers, blob, size < most ? size : most);
        result = blob ? SQLITE_OK : SQLITE_NOMEM;
    }
    while (result == SQLITE_OK && (result = sqlite3_step(statement)) == SQLITE_ROW)
        result = SQLITE_OK;
    sqlite3_finalize(statement);
    sqlite3_close(database);
    outcome->status = result == SQLITE_DONE    ? SEMBED_OK
                      : result == SQLITE_NOMEM ? SEMBED_NO_MEMORY
                                               : SEMBED_ENGINE;
}

static const struct attempt attempts[] = {
    {"load WordPiece", "dense-chain", run_load},
    {"load vocab.txt", "distilbert", run_load},
    {"load byte-level BPE", "cross-roberta", run_load},
    {"load merges.txt", "roberta-merges", run_load},
    {"load Unigram", "xlm-roberta", run_load},
    {"load SentencePiece", "camembert-model", run_load},
    {"load MPNet", "mpnet", run_load},
    {"load bfloat16", "tiny-bert", run_load_bf16},
    {"load int8", "pooling-two", run_load_int8},
    {"write an image", "cross-bert", run_compile},
    {"read an image", "tiny-bert", run_image},
    {"find a model", "cross-bert", run_registry},
    {"refuse a link", "linked", run_refusal},
    {"embed", "bi", run_compute},
    {"score", "cross", run_compute},
    {"tokenize", "", run_tokenize},
    {"chunk", "", run_chunk},
    {"SQL embed", "SELECT embed('tiny-bert', 'river', '{\"dims\": 8}')", run_sql},
    {"SQL batch", "SELECT vector FROM embed_batch('tiny-bert', '[\"river\", \"stone\"]')", run_sql},
    {"SQL rerank", "SELECT text FROM rerank('cross-bert', 'river', '[\"stone\", \"water\"]')",
     run_sql},
    {"SQL tokenize", "SELECT token FROM tokenize('tiny-bert', 'the river')", run_sql},
    {"SQL models", "SELECT name FROM sembed_models", run_sql},
    {"SQL vectors", "SELECT cos_sim('[1, 2]', l2_normalize('[0.5, 1e-3]'))", run_sql},
    {"SQL aggregate", "SELECT spearman(value, -value) FROM json_each('[1, 3, 2]')", run_sql},
    {"SQL chunk", "SELECT text FROM chunk('tiny-bert', 'the river runs. it rains.', 8, 1)",
     run_sql},
};

/* ------------------------------------------------------------------------------------ torture */

static bool same(const struct outcome *a, const struct outcome *b)
{
    return a->status == b->status && memcmp(a->numbers, b->numbers, sizeof a->numbers) == 0;
}

/* Fails the nth allocation; false where there are fewer. */
static bool fail_once(const struct attempt *attempt, size_t nth, bool all,
                      const struct outcome *right)
{
    struct outcome outcome = {0}, after = {0};
    failing_malloc_from(nth, all);
    attempt->run(attempt, &outcome);
    bool failed = failing_malloc_failed();
    failing_malloc_from(0, false);
    if (outcome.status != SEMBED_OK && outcome.status != SEMBED_NO_MEMORY)
        give_up(message, attempt, nth, all);
    if (outcome.status == SEMBED_OK && !same(&outcome, right))
        give_up("another answer", attempt, nth, all);
    if (!failed && outcome.status != SEMBED_OK)
        give_up("fails with memory there", attempt, nth, all);
    attempt->run(attempt, &after);
    if (!same(&after, right))
        give_up("another answer afterwards", attempt, nth, all);
    return failed;
}

/* How many allocations there were. */
static size_t fail_each(const struct attempt *attempt, size_t step, const struct outcome *right)
{
    size_t nth = 1;
    for (int all = 0; all < 2; all++)
        for (nth = 1; fail_once(attempt, nth, all, right); nth += step)
            ;
    return nth - 1;
}

static void torture(const struct attempt *attempt, size_t step)
{
    struct outcome right = {0}, again = {0};
    attempt->run(attempt, &right);
    if (right.status == SEMBED_UNSUPPORTED) {
        printf("skip: %s: this machine cannot\n", attempt->name);
        return;
    }
    attempt->run(attempt, &again);
    if (right.status != SEMBED_OK || !same(&right, &again))
        give_up(sembed_status_name(right.status), attempt, 0, false);
    /* What libraries keep for good is there after the first round. */
    fail_each(attempt, step, &right);
    long before = failing_malloc_live();
    size_t count = fail_each(attempt, step, &right);
    long kept = failing_malloc_live() - before;
    if (kept > 0) {
        fprintf(stderr, "FAILED: %s: %ld blocks are lost\n", attempt->name, kept);
        exit(1);
    }
    printf("ok: %s: about %zu allocations, each failed alone and with all after it\n",
           attempt->name, count);
    fflush(stdout);
}

static bool add_link(const char *folder)
{
    char path[600];
    snprintf(path, sizeof path, "%s/link.txt", folder);
    return symlink("/dev/null", path) == 0;
}

static void prepare(void)
{
    struct sembed_model *models[2];
    static const char *const names[2] = {"roberta", "cross-roberta"};
    const struct image_settings no_image = {0};
    sembed_error error = {0}, notice = {0};
    char path[512];
    cache = folder_create();
    links = folder_create();
    char *linked = folder_copy_fixture("tiny-bert");
    snprintf(path, sizeof path, "%s/linked", links);
    if (rename(linked, path) != 0 || !add_link(path))
        exit(1);
    setenv("SEMBED_MODEL_PATH", fixtures_folder(), 1);
    setenv("SEMBED_CACHE", "", 1);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", fixtures_folder(), names[i]);
        if (compiled_load("m", path, PRECISION_F32, &no_image, NULL, &models[i], &notice, &error)) {
            fprintf(stderr, "FAILED: %s\n", error.message);
            exit(1);
        }
    }
    bi_encoder = models[0];
    cross_encoder = models[1];
    if (sembed_context_create(&context, &error) != SEMBED_OK)
        exit(1);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
}

int main(int count, char **arguments)
{
    size_t step = count > 1 ? strtoul(arguments[1], NULL, 10) : 1;
    prepare();
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        if (count < 3 || strstr(attempts[i].name, arguments[2]))
            torture(&attempts[i], step ? step : 1);
    folder_remove((char *)cache);
    folder_remove((char *)links);
    return 0;
}
