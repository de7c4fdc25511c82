/*
 * Any bytes as a text, to the tokenizers of fixtures of every kind: the first byte says which, the second
 * the limit.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/folder.h"

#include <stdio.h>

/* WordPiece, byte-level BPE, Unigram, and their older files; make_seeds.py counts them. */
static const char *const fixtures[] = {
    "tiny-bert",       "bert-saved",       "roberta",           "roberta-merges",
    "roberta-prefix",  "xlm-roberta",      "xlm-roberta-saved", "camembert",
    "mpnet",           "tokenizer-config", "xlm-roberta-model", "camembert-model",
    "lowercase-first",
};
#define FIXTURES (sizeof fixtures / sizeof *fixtures)

/* Stays open until the program ends. */
static struct tokenizer *open_fixture(size_t which)
{
    static struct tokenizer *tokenizers[FIXTURES];
    sembed_error error = {0};
    char path[512];
    if (tokenizers[which])
        return tokenizers[which];
    snprintf(path, sizeof path, "%s/%s", fixtures_folder(), fixtures[which]);
    fuzz_require(tokenizer_open(path, NULL, &tokenizers[which], &error) == SEMBED_OK);
    return tokenizers[which];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokenizer_scratch *scratch;
    struct fuzz_input input = {data, size};
    sembed_error error = {0};
    size_t which = fuzz_take_byte(&input) % FIXTURES;
    size_t limit = 2 + fuzz_take_byte(&input) % 64;
    if (!scratch)
        fuzz_require(tokenizer_scratch_create(&scratch, &error) == SEMBED_OK);
    fuzz_check_tokens(open_fixture(which), scratch,
                      (sembed_text){(const char *)input.data, input.size}, limit);
    return 0;
}
