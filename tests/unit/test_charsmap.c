/* core/text/charsmap and grapheme: what the tokenizers library 0.23.3 makes of the same charsmap. */
#include "core/base/memory.h"
#include "core/text/charsmap.h"
#include "core/text/grapheme.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

/* --- a charsmap made here ----------------------------------------------------------------------- */

struct rule {
    const char *key, *replacement;
};

static const struct rule rules[] = {
    {"A", "a"},
    {"\xC3\xA9", "e\xCC\x81"},                    /* é */
    {"\xE2\x84\xA2", "TM"},                       /* trade mark */
    {"\x1E", ""},                                 /* a control character */
    {"\r", " "},                                  /* carriage return */
    {"e\xCC\x81", "E"},                           /* e and an acute accent */
    {"\xC7\x84", "D\xC5\xBD"},                    /* U+01C4 */
    {"ab", "X"},                                  /* never one cluster */
    {"\xE0\xA5\x98", "\xE0\xA4\x95\xE0\xA4\xBC"}, /* U+0958, a Devanagari consonant */
};
#define RULES (sizeof rules / sizeof *rules)

#define NODES 64
#define BLOCK 256 /* units a node: its children are at place ^ byte, its value at place */

struct charsmap_blob {
    unsigned char bytes[4 + 4 * BLOCK * (NODES + 1) + 256];
    size_t size;
};

static void write_u32(unsigned char *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
}

/* darts-clone's format, laid out with room to spare. */
static void blob_fill(struct charsmap_blob *blob)
{
    static unsigned children[NODES][BLOCK];
    memset(children, 0, sizeof children);
    memset(blob, 0, sizeof *blob);
    unsigned char *units = blob->bytes + 4;
    unsigned node_count = 1;
    size_t table_size = 4 * (size_t)BLOCK * (NODES + 1), strings = 0;
    unsigned char *text = units + table_size;
    write_u32(blob->bytes, (uint32_t)table_size);
    write_u32(units, BLOCK << 10);
    for (size_t r = 0; r < RULES; r++) {
        unsigned node = 0;
        for (const unsigned char *key = (const unsigned char *)rules[r].key; *key; key++) {
            unsigned place = (BLOCK * (node + 1)) ^ *key;
            if (!children[node][*key]) {
                assert_true(node_count < NODES);
                children[node][*key] = node_count++;
                uint32_t offset = place ^ (BLOCK * (children[node][*key] + 1));
                write_u32(units + 4 * place, *key | offset << 10);
            }
            node = children[node][*key];
            if (!key[1]) {
                units[4 * place + 1] |= 1; /* has a value */
                write_u32(units + 4 * BLOCK * (node + 1), 0x80000000u | (uint32_t)strings);
            }
        }
        size_t length = strlen(rules[r].replacement) + 1;
        memcpy(text + strings, rules[r].replacement, length);
        strings += length;
    }
    blob->size = 4 + table_size + strings;
}

static struct charsmap *charsmap_open(void)
{
    static struct charsmap_blob blob;
    blob_fill(&blob);
    struct charsmap *charsmap;
    sembed_error error = {0};
    assert_ok(charsmap_create("blob", blob.bytes, blob.size, &charsmap, &error), error);
    return charsmap;
}

static void output_free(struct charsmap_output *output)
{
    memory_free(output->bytes);
    memory_free(output->sources);
}

/* "0 1 1": for each output byte the beginning of the character that it belongs to, -1 for none. */
static void format_sources(const struct charsmap_output *output, const char *text, char *formatted,
                           size_t size)
{
    size_t length = 0;
    formatted[0] = '\0';
    for (size_t i = 0; i < output->count; i++) {
        uint32_t source = output->sources[i];
        while (source != CHARSMAP_NO_SOURCE && source &&
               ((unsigned char)text[source] & 0xC0) == 0x80)
            source--;
        length +=
            (size_t)snprintf(formatted + length, size - length, "%s%d", i ? " " : "", (int)source);
    }
}

static void replaces_clusters_and_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text, *normalized, *sources;
    } cases[] = {
        {"Abc", "abc", "0 1 2"},
        {"\xE2\x84\xA2\x1Eg", "TMg", "0 3 4"},
        {"\x1E"
         "ab",
         "ab", "0 1"},
        {"e\xCC\x81", "E", "0"},
        {"A\xCC\x81", "a", "0"},
        {"\xC3\xA9x\xE2\x84\xA2", "e\xCC\x81xTM", "0 0 0 2 3 3"},
        {"\x0D\x0Ax", " x", "0 2"},
        {"ab", "ab", "0 1"},
        {"a\xCC\x81"
         "b",
         "a\xCC\x81"
         "b",
         "0 1 1 3"},
        {"A\xE2\x80\x8D", "a", "0"},
        {"\xE2\x84\xA2\xE2\x80\x8D", "TM\xE2\x80\x8D", "0 0 3 3 3"}, /* six bytes are too many */
        {"A\xCC\x81\xCC\x82\xCC\x82", "a\xCC\x81\xCC\x82\xCC\x82", "0 1 1 3 3 5 5"},
        {"\xC7\x84z", "D\xC5\xBDz", "0 0 0 2"},
        {"\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA5\x98\xCC\x81",
         "\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\x95\xE0\xA4\xBC\xCC\x81", "0 0 0 3 3 3 6 6 6 6 6 6 9 9"},
        {"\xE0\xA5\x98\xCC\x81", "\xE0\xA4\x95\xE0\xA4\xBC", "0 0 0 3 3 3"},
        {"\xE1\x84\x80"
         "A\xCC\x81",
         "\xE1\x84\x80"
         "a",
         "0 0 0 3"},
        {"x\x1E\x1Ey", "xy", "0 3"},
        {"\xE2\x84\xA2\x1E\x1E\x1Ez", "TMz", "0 3 6"},
        {"plain text", "plain text", "0 1 2 3 4 5 6 7 8 9"},
        {"", "", ""},
    };
    struct charsmap *charsmap = charsmap_open();
    struct charsmap_output output = {0};
    sembed_error error = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sources[256];
        bool changed;
        for (int with_sources = 1; with_sources >= 0; with_sources--) {
            output.count = 0;
            assert_ok(charsmap_normalize(charsmap, cases[i].text, strlen(cases[i].text),
                                         with_sources, NULL, &output, &changed, &error),
                      error);
            assert_int_equal(output.count, strlen(cases[i].normalized));
            assert_memory_equal(output.bytes, cases[i].normalized, output.count);
            assert_int_equal(changed, strcmp(cases[i].text, cases[i].normalized) != 0);
            format_sources(&output, cases[i].text, sources, sizeof sources);
            assert_string_equal(sources, cases[i].sources);
        }
    }
    output_free(&output);
    charsmap_destroy(charsmap);
}

static void appends_to_what_is_there(void **state)
{
    (void)state;
    struct charsmap *charsmap = charsmap_open();
    struct charsmap_output output = {0};
    sembed_error error = {0};
    assert_ok(charsmap_normalize(charsmap, "A", 1, true, NULL, &output, NULL, &error), error);
    assert_ok(charsmap_normalize(charsmap, "\0A", 2, true, NULL, &output, NULL, &error), error);
    assert_int_equal(output.count, 3);
    assert_memory_equal(output.bytes, "a\0a", 3);
    assert_int_equal(output.sources[2], 1);
    output_free(&output);
    charsmap_destroy(charsmap);
}

static void reads_base64(void **state)
{
    (void)state;
    /* A table of one unit and the strings "", "x", "xy", "xyz". */
    static const struct {
        const char *json;
        bool good;
    } cases[] = {
        {"{\"precompiled_charsmap\": \"BAAAAAAAAAA=\"}", true},
        {"{\"precompiled_charsmap\": \"BAAAAAAAAAB4\"}", true},
        {"{\"precompiled_charsmap\": \"BAAAAAAAAAB4eQ==\"}", true},
        {"{\"precompiled_charsmap\": \"BAAAAAAAAAB4eXo=\"}", true},
        {"{\"precompiled_charsmap\": \"BAAAAAAAAAB4eXp=\"}", false}, /* bits left over */
        {"{\"precompiled_charsmap\": \"BAAAAAAAAAB4eXo\"}", false},  /* no padding */
        {"{\"precompiled_charsmap\": \"BAAAAAAA AAB4eXo=\"}", false},
        {"{\"precompiled_charsmap\": \"BAAA=AAAAAB4\"}", false},
        {"{\"precompiled_charsmap\": \"\"}", false},
        {"{\"precompiled_charsmap\": null}", false},
        {"{}", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_file file;
        struct charsmap *charsmap;
        sembed_error error = {0};
        assert_ok(
            json_memory_open("some.json", cases[i].json, strlen(cases[i].json), &file, &error),
            error);
        sembed_status status = charsmap_create_from_json(&file, file.root, &charsmap, &error);
        if (cases[i].good)
            assert_ok(status, error);
        else
            assert_fails(status, SEMBED_MALFORMED, error, "some.json");
        assert_true(cases[i].good == (charsmap != NULL));
        charsmap_destroy(charsmap);
        json_file_close(&file);
    }
}

static void refuses_a_blob_that_is_cut_short(void **state)
{
    (void)state;
    static struct charsmap_blob blob;
    blob_fill(&blob);
    size_t table_end = 4 + 4 * (size_t)BLOCK * (NODES + 1);
    struct charsmap *charsmap;
    sembed_error error = {0};
    for (size_t size = 0; size < table_end; size += size < 16 ? 1 : 1021)
        assert_fails(charsmap_create("blob", blob.bytes, size, &charsmap, &error), SEMBED_MALFORMED,
                     error, "blob: precompiled_charsmap");
    assert_ok(charsmap_create("blob", blob.bytes, table_end, &charsmap, &error), error);
    charsmap_destroy(charsmap);
    blob.bytes[table_end] = 0xFF;
    assert_fails(charsmap_create("blob", blob.bytes, blob.size, &charsmap, &error),
                 SEMBED_MALFORMED, error, "not UTF-8");
}

/* Whatever stands in the table, no read goes astray (a sanitizer sees to that) and what comes out is
 * bounded: a replacement is at most all strings. */
static void survives_any_table(void **state)
{
    (void)state;
    static struct charsmap_blob blob;
    static const char text[] = "Abc \xC3\xA9\xE2\x84\xA2\x1E e\xCC\x81\xE0\xA5\x98\xCC\x81\r\n";
    struct charsmap_output output = {0};
    sembed_error error = {0};
    srand(1);
    for (int round = 0; round < 300; round++) {
        blob_fill(&blob);
        size_t table_end = 4 + 4 * (size_t)BLOCK * (NODES + 1);
        for (size_t i = 4; i < table_end; i++)
            if (rand() % 2)
                blob.bytes[i] = (unsigned char)rand();
        struct charsmap *charsmap;
        assert_ok(charsmap_create("blob", blob.bytes, blob.size, &charsmap, &error), error);
        output.count = 0;
        assert_ok(
            charsmap_normalize(charsmap, text, sizeof text - 1, true, NULL, &output, NULL, &error),
            error);
        assert_true(output.count <= (sizeof text) * (blob.size - table_end));
        charsmap_destroy(charsmap);
    }
    output_free(&output);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static struct charsmap_blob blob;
    blob_fill(&blob);
    struct charsmap *charsmap = NULL;
    struct charsmap_output output = {0};
    sembed_error error = {0};
    sembed_status status = SEMBED_NO_MEMORY;
    for (size_t nth = 1; status == SEMBED_NO_MEMORY; nth++) {
        memory_fail_from(nth);
        status = charsmap_create("blob", blob.bytes, blob.size, &charsmap, &error);
        if (status == SEMBED_OK)
            status = charsmap_normalize(charsmap, "AAA", 3, true, NULL, &output, NULL, &error);
        memory_fail_from(0);
        assert_true(nth < 100);
        if (status != SEMBED_OK)
            charsmap_destroy(charsmap);
    }
    assert_ok(status, error);
    memory_fail_from(1);
    output.count = 0;
    status = charsmap_normalize(charsmap, "AAA", 3, true, NULL, &output, NULL, &error);
    memory_fail_from(0);
    assert_ok(status, error); /* the second time nothing is allocated */
    output_free(&output);
    charsmap_destroy(charsmap);
}

/* --- clusters ----------------------------------------------------------------------------------- */

/* Clusters of a text, each ended by '|'. Every rule of UAX #29 has a case. */
static void clusters_follow_the_rules(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "a|b|",
        "\r\n|a|",                                           /* GB3 */
        "\n|\r|\xCC\x81|",                                   /* GB4 */
        "a|\n|b|",                                           /* GB5 */
        "\xE1\x84\x80\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8|", /* GB6, GB7: L L V T */
        "\xE1\x84\x80\xEA\xB0\x80\xE1\x85\xA1|",             /* GB6, GB7: L LV V */
        "\xEA\xB0\x81\xE1\x86\xA8|\xE1\x85\xA1|",            /* GB8: LVT T, not V */
        "a\xCC\x81\xCC\x82\xE2\x80\x8D|b|",                  /* GB9: marks and a joiner */
        "\xE0\xA4\x95\xE0\xA4\xBE|a|",                       /* GB9a: a spacing mark */
        ("\xD8\x80"
         "a|b|"),                                /* GB9b: a prepended sign */
        "\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\xB7|", /* GB9c: a conjunct */
        "\xE0\xA4\x95\xE0\xA4\xBC\xE0\xA5\x8D\xE2\x80\x8D\xE0\xA4\xB7|\xE0\xA4\xB7|",
        "\xE0\xA4\x95\xE0\xA5\x8D\xE2\x80\x8C|\xE0\xA4\xB7|", /* a non-joiner breaks it */
        "\xE0\xA4\x95\xE0\xA5\x8D|a|",
        "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9|\xF0\x9F\x91\xA7|", /* GB11 */
        "\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD\xE2\x80\x8D\xC2\xA9|",
        "a\xE2\x80\x8D|\xF0\x9F\x91\xA7|",
        "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA|\xF0\x9F\x87\xAB\xF0\x9F\x87\xB7|", /* GB12, GB13 */
        "\xD8\x80\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA|\xF0\x9F\x87\xAB|",
        "a\xE1\xAB\x8F|",     /* U+1ACF, a mark since Unicode 17 */
        "a\xF0\x91\xAD\xA0|", /* U+11B60, likewise */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        size_t length = 0;
        for (const char *at = cases[i]; *at; at++)
            if (*at != '|')
                text[length++] = *at;
        const char *expected = cases[i];
        for (size_t at = 0, size; at < length; at += size) {
            size = grapheme_length(text + at, length - at, NULL);
            assert_int_equal(size, strcspn(expected, "|"));
            expected += size + 1;
        }
        assert_int_equal(*expected, '\0');
    }
}

/* Long texts of many clusters, and of a single one: whether to stop is asked again and again, and each
 * time the answer counts. */
static void long_texts_can_be_stopped(void **state)
{
    (void)state;
    enum { LENGTH = 1 << 19 };
    static const char *const characters[] = {"A", "\xCC\x81"};
    struct charsmap *charsmap = charsmap_open();
    char *text = malloc(LENGTH);
    assert_non_null(text);
    for (size_t kind = 0; kind < 2; kind++) {
        size_t width = strlen(characters[kind]);
        for (size_t i = 0; i < LENGTH; i++)
            text[i] = characters[kind][i % width];
        size_t stopped = 0;
        for (;; stopped++) {
            struct questions questions = {.stop_at = stopped + 1};
            const sembed_poll poll = questions_poll(&questions);
            struct charsmap_output output = {0};
            sembed_error error = {0};
            sembed_status status =
                charsmap_normalize(charsmap, text, LENGTH, false, &poll, &output, NULL, &error);
            output_free(&output);
            if (questions.asked < questions.stop_at) {
                assert_ok(status, error);
                break;
            }
            assert_int_equal(status, SEMBED_CANCELED);
        }
        assert_true(stopped >= 2);
    }
    free(text);
    charsmap_destroy(charsmap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replaces_clusters_and_characters),
        cmocka_unit_test(appends_to_what_is_there),
        cmocka_unit_test(reads_base64),
        cmocka_unit_test(refuses_a_blob_that_is_cut_short),
        cmocka_unit_test(survives_any_table),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(clusters_follow_the_rules),
        cmocka_unit_test(long_texts_can_be_stopped),
    };
    return cmocka_run_group_tests_name("charsmap", tests, NULL, NULL);
}
