/* A long text of whatever kind keeps nobody waiting: between two questions to poll the tokenizer works
 * no longer than a tenth of a second, in processor time. */
#define _GNU_SOURCE
#include "core/text/tokenizer.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TEXT_BYTES ((size_t)4 << 20)

struct watch {
    double last, longest;
};

static double processor_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int ask(void *state)
{
    struct watch *watch = state;
    double now = processor_time();
    if (now - watch->last > watch->longest)
        watch->longest = now - watch->last;
    watch->last = now;
    return 0;
}

/* The longest time between two questions; 0 where that is a small part of the whole: a machine with far
 * more to do than it can takes its time for everything. */
static double longest_wait(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                           sembed_text text)
{
    double begin = processor_time();
    struct watch watch = {.last = begin};
    const sembed_poll poll = {ask, &watch};
    struct encoding encoding = {0};
    sembed_error error = {0};
    assert_ok(tokenizer_encode(tokenizer, scratch, text, SIZE_MAX, true, &poll, &encoding, &error),
              error);
    ask(&watch);
    encoding_free(&encoding);
    return watch.longest > (watch.last - begin) / 10 ? watch.longest : 0;
}

/* On a machine with far more to do than it can, even processor time jumps: three tries. */
static void check_text(const char *fixture, const struct tokenizer *tokenizer,
                       struct tokenizer_scratch *scratch, sembed_text text, const char *unit)
{
    double longest = 1;
    for (int attempt = 0; attempt < 3 && longest > 0.1; attempt++)
        longest = longest_wait(tokenizer, scratch, text);
    if (longest > 0.1)
        fail_msg("%s, 4 MB of '%s': %.3f s without a question", fixture, unit, longest);
}

static void check_fixture(const char *fixture)
{
    /* Runs of one kind, faults, marks, added tokens, spaces. */
    static const char *const units[] = {"a", "\xFF", "\xCC\x81", "[MASK]", "<s>", " "};
    struct tokenizer *tokenizer = NULL;
    struct tokenizer_scratch *scratch = NULL;
    sembed_error error = {0};
    char path[512], *text = malloc(TEXT_BYTES);
    assert_non_null(text);
    snprintf(path, sizeof path, "%s/%s", fixtures_folder(), fixture);
    assert_ok(tokenizer_open(path, NULL, &tokenizer, &error), error);
    assert_ok(tokenizer_scratch_create(&scratch, &error), error);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t length = 0, unit = strlen(units[i]);
        for (; length + unit <= TEXT_BYTES; length += unit)
            memcpy(text + length, units[i], unit);
        check_text(fixture, tokenizer, scratch, (sembed_text){text, length}, units[i]);
    }
    tokenizer_scratch_destroy(scratch);
    tokenizer_close(tokenizer);
    free(text);
}

static void word_pieces(void **state)
{
    (void)state;
    check_fixture("tokenizer-config");
}

static void byte_level_bpe(void **state)
{
    (void)state;
    check_fixture("roberta-prefix");
}

static void unigram(void **state)
{
    (void)state;
    check_fixture("xlm-roberta");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(word_pieces),
        cmocka_unit_test(byte_level_bpe),
        cmocka_unit_test(unigram),
    };
    return cmocka_run_group_tests_name("tokenizer polls", tests, NULL, NULL);
}
