/* The texts that are timed: read from a file, or made up. */
#include "bench/bench.h"

#include "core/base/memory.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void texts_append(struct text_list *texts, size_t *capacity, const char *data, size_t length)
{
    char *copy = memory_alloc(length ? length : 1);

    if (!copy ||
        !memory_grow((void **)&texts->items, capacity, texts->count + 1, sizeof *texts->items))
        die("out of memory for the texts");
    memcpy(copy, data, length);
    texts->items[texts->count++] = (sembed_text){copy, length};
}

static struct text_list texts_read(const char *path)
{
    struct text_list texts = {0};
    size_t capacity = 0, line_capacity = 0;
    char *line = NULL;
    ssize_t length;
    FILE *file = fopen(path, "r");

    if (!file)
        die("cannot open %s", path);
    while ((length = getline(&line, &line_capacity, file)) > 0) {
        json_error_t problem;
        json_t *value =
            json_loadb(line, (size_t)length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);

        if (!json_is_string(value))
            die("%s, line %zu: expected a JSON string", path, texts.count + 1);
        texts_append(&texts, &capacity, json_string_value(value), json_string_length(value));
        json_decref(value);
    }
    free(line);
    fclose(file);
    if (texts.count == 0)
        die("%s holds no texts", path);
    return texts;
}

void texts_free(struct text_list *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        memory_free((void *)texts->items[i].data);
    memory_free(texts->items);
    *texts = (struct text_list){0};
}

/* ------------------------------------------------------------------------------- made-up texts */

/* Words per text: the smallest, the nine deciles and the largest of the real texts that the kinds
 * stand for (STS-B sentences; SciFact abstracts cut to 100 words, and whole). */
struct workload {
    const char *kind;
    size_t texts;
    unsigned words[11];
};

static const struct workload workloads[] = {
    {"short", 2000, {2, 5, 6, 7, 8, 9, 10, 11, 14, 18, 30}},
    {"passage", 300, {56, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100}},
    {"long", 150, {69, 131, 158, 179, 196, 212, 228, 247, 274, 308, 605}},
    {"one", 300, {3, 5, 5, 6, 6, 6, 7, 7, 8, 9, 13}},
};

/* Frequent words and rare ones, whose vocabulary pieces are several; as a text has them. */
static const char *const joining_words[] = {"the",  "a",    "of",   "and",    "in",   "to",
                                            "with", "near", "from", "before", "while"};
static const char *const other_words[] = {
    "woman",     "garden",    "river",         "plays",     "slowly",       "children",
    "bright",    "guitar",    "mountain",      "walks",     "kitchen",      "cooks",
    "train",     "station",   "arrives",       "late",      "evening",      "market",
    "farmer",    "sells",     "apples",        "dog",       "chases",       "ball",
    "across",    "field",     "quiet",         "library",   "students",     "read",
    "history",   "doctor",    "measures",      "blood",     "pressure",     "patients",
    "treatment", "reduces",   "risk",          "disease",   "cells",        "protein",
    "binds",     "receptor",  "signal",        "increase",  "temperature",  "northern",
    "islands",   "storm",     "damaged",       "bridge",    "engineers",    "repaired",
    "minister",  "announced", "budget",        "prices",    "rose",         "percent",
    "company",   "reported",  "earnings",      "software",  "updates",      "secure",
    "network",   "traffic",   "orchestra",     "rehearsed", "symphony",     "glacier",
    "retreated", "valley",    "archaeologist", "unearthed", "pottery",      "lanterns",
    "flickered", "harbor",    "fishermen",     "mended",    "nets",         "cobblestone",
    "bakery",    "sourdough", "fermented",     "overnight", "mitochondria", "phosphorylation",
    "telescope", "observed",  "galaxy",        "spectrum",  "unusually",    "faint",
    "quarterly",
};

/* splitmix64, Steele, Lea and Flood 2014: the next number of a sequence that the state fixes. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A number of words: anywhere between two neighbouring deciles, each pair as likely. */
static size_t draw_length(const struct workload *workload, uint64_t *state)
{
    size_t tenth = next_random(state) % 10;
    unsigned low = workload->words[tenth], high = workload->words[tenth + 1];

    return low + next_random(state) % (high - low + 1);
}

/* Writes `words` words as sentences of four to fifteen into buffer, which has room. */
static size_t write_text(char *buffer, size_t words, uint64_t *state)
{
    size_t length = 0, left_in_sentence = 0;

    for (size_t i = 0; i < words; i++) {
        uint64_t random = next_random(state);
        const char *word =
            random % 3 == 0
                ? joining_words[(random >> 8) % (sizeof joining_words / sizeof *joining_words)]
                : other_words[(random >> 8) % (sizeof other_words / sizeof *other_words)];
        bool first = left_in_sentence == 0;

        if (first)
            left_in_sentence = 4 + (random >> 40) % 12;
        if (i > 0)
            buffer[length++] = ' ';
        for (const char *c = word; *c; c++)
            buffer[length++] = first && c == word ? (char)(*c - 'a' + 'A') : *c;
        if (--left_in_sentence == 0 || i + 1 == words)
            buffer[length++] = '.';
    }
    return length;
}

static struct text_list texts_generate(const char *kind)
{
    for (size_t w = 0; w < sizeof workloads / sizeof *workloads; w++) {
        const struct workload *workload = &workloads[w];
        struct text_list texts = {0};
        size_t capacity = 0;
        uint64_t state = w + 1;
        char buffer[605 * 18]; /* the longest text, of the longest word, a space and a full stop */

        if (strcmp(workload->kind, kind) != 0)
            continue;
        for (size_t i = 0; i < workload->texts; i++) {
            size_t length = write_text(buffer, draw_length(workload, &state), &state);

            texts_append(&texts, &capacity, buffer, length);
        }
        return texts;
    }
    die("--kind is short, passage, long or one, not '%s'", kind);
}

struct text_list texts_load(const struct bench_options *options)
{
    return options->texts_path ? texts_read(options->texts_path) : texts_generate(options->kind);
}
