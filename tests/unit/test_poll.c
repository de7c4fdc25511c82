/*
 * How long a caller waits who wants a call to stop: the most processor time between two times that its
 * poll is asked, for whatever takes long, the first call with a model included. Processor time, since a
 * busy machine must not fail the test; and where some step took too long, all are made again, up to
 * three times, and each counts by its best: a processor that was lent to others (a virtual one's time
 * goes on) or came from a cold cache is not at the same place again.
 *
 *     SEMBED_POLL_MODEL       a model's folder instead of the fixtures'
 *     SEMBED_POLL_MEGABYTES   how long the texts are (1)
 *     SEMBED_SLOW_MACHINE     if set, print and do not judge
 *     SEMBED_TEST_EMULATED    if set, the processor is an emulated one
 */
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"
#include "tests/unit/watch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What hosts promise; and how many times as slow a program is that is compiled without optimization,
 * with a sanitizer or counters, or emulated. */
enum { LONGEST_MS = 100, TRIES = 3, SLOWER = 30, MOST_STEPS = 20 };

/* What was watched, in turn, each with the best of the tries. */
static struct {
    struct {
        char what[64];
        unsigned asked;
        double longest; /* ms */
    } steps[MOST_STEPS];
    size_t count, at;
} all;

static void note(struct watch *watch, const char *what)
{
    watch_look(watch);
    assert_true(all.at < MOST_STEPS);
    size_t at = all.at++;
    if (at == all.count) {
        snprintf(all.steps[at].what, sizeof all.steps[at].what, "%s", what);
        all.steps[at].longest = watch->longest;
        all.count++;
    }
    assert_string_equal(all.steps[at].what, what);
    all.steps[at].asked = watch->asked;
    if (watch->longest < all.steps[at].longest)
        all.steps[at].longest = watch->longest;
}

static double limit(void)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || defined SEMBED_COUNTS_LINES ||  \
    !defined __OPTIMIZE__
    return LONGEST_MS * SLOWER;
#else
    return is_emulated() ? LONGEST_MS * SLOWER : LONGEST_MS;
#endif
}

static bool all_are_quick(void)
{
    bool quick = true;
    for (size_t i = 0; i < all.count; i++)
        quick &= all.steps[i].longest <= limit();
    return quick;
}

/* Repeats a piece until there are so many bytes. */
static sembed_text repeat(const char *piece, size_t size)
{
    size_t length = strlen(piece);
    char *data = malloc(size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++)
        data[i] = piece[i % length];
    return (sembed_text){data, size - size % length};
}

enum { MANY = 64 };

static size_t megabytes(void)
{
    const char *wanted = getenv("SEMBED_POLL_MEGABYTES");
    return wanted ? (size_t)atoi(wanted) : 1;
}

static void watch_tokens(const sembed_model *model, sembed_context *context, const char *name,
                         const char *piece)
{
    sembed_text text = repeat(piece, megabytes() << 20);
    struct watch watch;
    sembed_poll poll = {watch_look, &watch};
    sembed_error error = {0};
    sembed_token *tokens = NULL;
    size_t count = 0;
    char what[64];
    watch = watch_begin(0);
    assert_ok(sembed_tokenize(model, context, text, (size_t)-1, &poll, &tokens, &count, &error),
              error);
    snprintf(what, sizeof what, "tokenize %zu MB of %s", megabytes(), name);
    note(&watch, what);
    sembed_free(tokens);
    free((char *)text.data);
}

static void watch_embed(const sembed_model *model, sembed_context *context, const char *what)
{
    sembed_text texts[MANY], text = repeat("rivers and ferries ", 8192);
    sembed_model_info info;
    struct watch watch;
    sembed_poll poll = {watch_look, &watch};
    sembed_error error = {0};
    sembed_model_describe(model, &info);
    size_t width = info.dimensions ? info.dimensions : info.labels;
    float *numbers = malloc(MANY * width * sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < MANY; i++)
        texts[i] = (sembed_text){text.data, text.length - 100 * i};
    watch = watch_begin(0);
    assert_ok(info.dimensions
                  ? sembed_embed(model, context, texts, MANY, NULL, &poll, numbers, &error)
                  : sembed_score(model, context, texts[0], texts, MANY, 0, &poll, numbers, &error),
              error);
    note(&watch, what);
    free(numbers);
    free((char *)text.data);
}

static void watch_chunks(const sembed_model *model, sembed_context *context)
{
    sembed_text text = repeat("A river. A ferry! Rain?\n", 1 << 20);
    struct watch watch;
    sembed_poll poll = {watch_look, &watch};
    sembed_error error = {0};
    sembed_chunk *chunks = NULL;
    size_t count = 0;
    watch = watch_begin(0);
    assert_ok(sembed_chunk_text(model, context, text, 32, 8, &poll, &chunks, &count, &error),
              error);
    note(&watch, "chunk 1 MB");
    sembed_free(chunks);
    free((char *)text.data);
}

static void watch_all(const char *folder, const char *name)
{
    char cache[] = "/tmp/sembed-poll.XXXXXX", command[128];
    sembed_registry *registry = NULL;
    sembed_context *context = NULL;
    const sembed_model *model = NULL;
    struct watch watch;
    sembed_poll poll = {watch_look, &watch};
    sembed_error error = {0};
    uint64_t bytes;

    assert_non_null(mkdtemp(cache));
    assert_ok(sembed_context_create(&context, &error), error);
    assert_ok(sembed_registry_create(NULL, &registry, &error), error);
    watch = watch_begin(0);
    assert_ok(sembed_registry_load(registry, name, folder, &poll, &error), error);
    note(&watch, "load");
    assert_ok(sembed_registry_acquire(registry, name, NULL, &model, &error), error);
    watch_embed(model, context, "first call");
    watch_embed(model, context, "second call");
    watch_tokens(model, context, "words", "rivers, ferries and 不眠症 ");
    watch_tokens(model, context, "one word", "river");
    watch_tokens(model, context, "signs", "!?");
    watch_tokens(model, context, "invalid UTF-8", "\xff\xfe a\xc3");
    watch_tokens(model, context, "accents", "e\xcc\x81\xcc\x80 ");
    watch_chunks(model, context);
    assert_ok(sembed_registry_set_cache(registry, cache, SEMBED_CACHE_LIMIT, &error), error);
    watch = watch_begin(0);
    assert_ok(sembed_registry_compile(registry, name, &poll, &bytes, &error), error);
    note(&watch, "make an image");
    sembed_registry_destroy(registry);

    assert_ok(sembed_registry_create(NULL, &registry, &error), error);
    assert_ok(sembed_registry_set_cache(registry, cache, SEMBED_CACHE_LIMIT, &error), error);
    watch = watch_begin(0);
    assert_ok(sembed_registry_load(registry, name, folder, &poll, &error), error);
    note(&watch, "load by its image");
    assert_ok(sembed_registry_acquire(registry, name, NULL, &model, &error), error);
    watch_embed(model, context, "first call");
    sembed_registry_destroy(registry);
    sembed_context_destroy(context);
    snprintf(command, sizeof command, "rm -rf %s", cache);
    assert_int_equal(system(command), 0);
}

static void judge(const char *folder, const char *name)
{
    all.count = 0;
    for (unsigned tries = 0; tries == 0 || (tries < TRIES && !all_are_quick()); tries++) {
        all.at = 0;
        watch_all(folder, name);
    }
    print_message("%s\n", folder);
    for (size_t i = 0; i < all.count; i++)
        print_message("  %-44s asked %6u times, %6.1f ms between two at most\n", all.steps[i].what,
                      all.steps[i].asked, all.steps[i].longest);
    if (!all_are_quick() && !getenv("SEMBED_SLOW_MACHINE"))
        fail_msg("%s: more than %.0f ms between two polls", folder, limit());
}

static void polls_are_asked_often(void **state)
{
    (void)state;
    static const char *const fixtures[] = {"tiny-bert", "cross-roberta", "xlm-roberta"};
    char folder[512];
    const char *named = getenv("SEMBED_POLL_MODEL");
    if (named) {
        judge(named, "named");
        return;
    }
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++) {
        snprintf(folder, sizeof folder, "%s/%s", fixtures_folder(), fixtures[i]);
        judge(folder, fixtures[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(polls_are_asked_often)};
    return cmocka_run_group_tests_name("poll", tests, NULL, NULL);
}
