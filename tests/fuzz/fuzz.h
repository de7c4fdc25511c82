/*
 * What the fuzzers share. Each fuzz_<subject>.c has one function, LLVMFuzzerTestOneInput, which takes
 * any bytes and must come back: without a bad access, a leak, undefined behaviour or an answer that
 * cannot be right (fuzz_require). Linked with libFuzzer it searches for such bytes; linked with
 * replay.c it reads those that were found, as a test that needs no clang.
 *
 * They are run from the root of the repository; SEMBED_FIXTURES says otherwise where the model folders
 * are. Files are written below $TMPDIR, which should be in memory.
 */
#ifndef SEMBED_TESTS_FUZZ_H
#define SEMBED_TESTS_FUZZ_H

#include "core/base/error.h"
#include "core/text/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

/* The next byte; 0 where there is none. */
unsigned fuzz_take_byte(struct fuzz_input *input);

/* Up to the next byte 0xFF, which no UTF-8 holds, or to the end. */
sembed_text fuzz_take_text(struct fuzz_input *input);

/* Stops the run, as a bad access does, unless the condition holds. */
#define fuzz_require(condition) fuzz_check(condition, #condition, __FILE__, __LINE__)
void fuzz_check(bool condition, const char *text, const char *file, int line);

/* Whether a call that failed said why, and in words that hosts can show: valid UTF-8, ended. */
void fuzz_check_status(sembed_status status, const sembed_error *error);

/* A path under which these bytes can be read until the next call. */
const char *fuzz_file(const void *data, size_t size);

/* A folder that holds files of its own and is removed at the end. */
const char *fuzz_folder(void);
const char *fuzz_fixture(const char *name); /* the same, a copy of a fixture */

/* Tokenizes the text in several ways, none of which may contradict another. */
void fuzz_check_tokens(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                       sembed_text text, size_t limit);

/* Opens a folder's tokenizer and, where that works, tokenizes some strange texts. */
void fuzz_try_tokenizer(const char *folder);

#endif
