/* What the benchmarks share. A benchmark is a program of its own, not a part of the library: it
 * prints, and ends at the first error. */
#ifndef SEMBED_BENCH_H
#define SEMBED_BENCH_H

#include "core/sembed.h"

#include <stdbool.h>

/* ------------------------------------------------------------------------------------ commands */

struct bench_options {
    const char *folder;       /* the model's */
    const char *kind;         /* of texts: short, passage, long, one */
    const char *texts_path;   /* NULL: made-up texts of that kind */
    const char *precision;    /* f32, bf16 or int8 */
    const char *vectors_path; /* where embed writes the vectors; NULL: nowhere */
    size_t passes;
    size_t threads; /* that share the texts; each text is one call's where kind is one */
    bool json;
};

/* Each prints its result and returns the exit status. */
int bench_embed(const struct bench_options *options);
int bench_tokenize(const struct bench_options *options);
int bench_rerank(const struct bench_options *options);
int bench_similarity(const struct bench_options *options);
int bench_matmuls(const struct bench_options *options);
int bench_limit(const struct bench_options *options);

/* The folder's model in a precision, in a registry of its own. */
void open_model(const char *folder, const char *precision, sembed_registry **registry,
                const sembed_model **model);

/* --------------------------------------------------------------------------------------- texts */

struct text_list {
    sembed_text *items; /* [count], each data a block of its own */
    size_t count;
};

/* From the file that the options name: JSON lines, each a string. Without one, made-up English, the
 * same at every run: short (2,000 sentences), passage (300 of 100 words), long (150 documents) or
 * one (300 short sentences). */
struct text_list texts_load(const struct bench_options *options);

void texts_free(struct text_list *texts);

/* ---------------------------------------------------------------------------------- operations */

/* What the matrix products of a text are made of. */
struct dimensions {
    size_t layers, hidden, intermediate;
};

struct dimensions read_dimensions(const char *folder);

/* A multiplication and an addition for each weight and token:
 * layers × 2·tokens·(4·hidden² + 2·hidden·intermediate). */
double layer_operations(const struct dimensions *dimensions, size_t tokens);

/* The same with those of attention, for each pair of tokens in two products:
 * layers × 4·tokens²·hidden. */
double count_operations(const struct dimensions *dimensions, size_t tokens);

/* --------------------------------------------------------------------------- time and reporting */

double seconds_now(void); /* since some fixed moment */

/* Processor time of this process: what a machine that does other work too leaves unchanged. */
double processor_seconds(void);

/* Sorts times[count] and returns the middle one; best is times[0] afterwards. */
double sort_and_median(double *times, size_t count);

/* The processor's name as the system gives it; "unknown processor". */
const char *processor_name(void);

/* Most memory that this process has held at once. */
double peak_megabytes(void);

/* Prints "bench: " and the message, ends the program with status 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with the error's message where status is not SEMBED_OK. */
void must(sembed_status status, const sembed_error *error);

#endif
