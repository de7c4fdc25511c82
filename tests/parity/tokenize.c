/*
 * Prints the tokens of texts, for tokenizer_parity.py to compare with the tokenizers library's.
 *
 *     tokenize FOLDER [LIMIT] < lines        LIMIT 0: none
 *
 * Each line is a JSON string (one text) or an array of two (a pair). Each line of output is
 * {"ids": […], "types": […], "offsets": [[start, stop], …]}, offsets in bytes, or {"error": …}.
 *
 *     tokenize FOLDER LIMIT time < lines     prints microseconds per text instead
 */
#include "core/text/tokenizer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct session {
    struct tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    struct encoding encoding;
    size_t limit;
};

static void fail(const char *message)
{
    fprintf(stderr, "tokenize: %s\n", message);
    exit(1);
}

static sembed_text text_of(const json_t *json)
{
    return (sembed_text){json_string_value(json), json_string_length(json)};
}

static sembed_status encode(struct session *session, const json_t *line, bool with_offsets,
                            sembed_error *error)
{
    if (json_is_array(line))
        return tokenizer_encode_pair(session->tokenizer, session->scratch,
                                     text_of(json_array_get(line, 0)),
                                     text_of(json_array_get(line, 1)), session->limit, with_offsets,
                                     NULL, &session->encoding, error);
    return tokenizer_encode(session->tokenizer, session->scratch, text_of(line), session->limit,
                            with_offsets, NULL, &session->encoding, error);
}

static void print_line(struct session *session, const json_t *line)
{
    sembed_error error = {0};
    const struct encoding *encoding = &session->encoding;
    if (encode(session, line, true, &error) != SEMBED_OK) {
        json_t *message = json_string(error.message);
        printf("{\"error\": ");
        json_dumpf(message, stdout, JSON_ENCODE_ANY);
        printf("}\n");
        json_decref(message);
        return;
    }
    printf("{\"ids\": [");
    for (size_t i = 0; i < encoding->count; i++)
        printf(i ? ", %u" : "%u", encoding->ids[i]);
    printf("], \"types\": [");
    for (size_t i = 0; i < encoding->count; i++)
        printf(i ? ", %u" : "%u", encoding->types[i]);
    printf("], \"offsets\": [");
    for (size_t i = 0; i < encoding->count; i++)
        printf(i ? ", [%u, %u]" : "[%u, %u]", encoding->start[i], encoding->stop[i]);
    printf("], \"truncated\": %s}\n", encoding->truncated ? "true" : "false");
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* The fastest of several runs over all lines. */
static void print_time(struct session *session, json_t *const *lines, size_t count,
                       bool with_offsets)
{
    double best = 1e30;
    size_t tokens = 0;
    for (int run = 0; run < 10; run++) {
        double start = now();
        tokens = 0;
        for (size_t i = 0; i < count; i++) {
            sembed_error error = {0};
            if (encode(session, lines[i], with_offsets, &error) != SEMBED_OK)
                fail(error.message);
            tokens += session->encoding.count;
        }
        double taken = now() - start;
        best = taken < best ? taken : best;
    }
    printf("%.3f us/text, %.1f tokens/text%s\n", best * 1e6 / (double)count,
           (double)tokens / (double)count, with_offsets ? ", with offsets" : "");
}

static json_t *read_line(char **buffer, size_t *capacity)
{
    ssize_t length = getline(buffer, capacity, stdin);
    if (length < 0)
        return NULL;
    json_error_t problem;
    json_t *line = json_loadb(*buffer, (size_t)length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &problem);
    if (!line)
        fail(problem.text);
    return line;
}

int main(int count, char **arguments)
{
    if (count < 2)
        fail("usage: tokenize FOLDER [LIMIT [time]] < lines");
    struct session session = {.limit = SIZE_MAX};
    sembed_error error = {0};
    if (count > 2 && strtoull(arguments[2], NULL, 10))
        session.limit = strtoull(arguments[2], NULL, 10);
    double start = now();
    if (tokenizer_open(arguments[1], NULL, &session.tokenizer, &error) != SEMBED_OK ||
        tokenizer_scratch_create(&session.scratch, &error) != SEMBED_OK)
        fail(error.message);
    double opened = now() - start;

    bool timing = count > 3 && strcmp(arguments[3], "time") == 0;
    char *buffer = NULL;
    size_t capacity = 0, lines_count = 0;
    json_t **lines = NULL, *line;
    while ((line = read_line(&buffer, &capacity))) {
        if (timing) {
            lines = realloc(lines, (lines_count + 1) * sizeof *lines);
            lines[lines_count++] = line;
        } else {
            print_line(&session, line);
            json_decref(line);
        }
    }
    if (timing && lines_count) {
        printf("opened in %.1f ms\n", opened * 1e3);
        print_time(&session, lines, lines_count, false);
        print_time(&session, lines, lines_count, true);
    }
    for (size_t i = 0; i < lines_count; i++)
        json_decref(lines[i]);
    free(lines);
    free(buffer);
    encoding_free(&session.encoding);
    tokenizer_scratch_destroy(session.scratch);
    tokenizer_close(session.tokenizer);
    return 0;
}
