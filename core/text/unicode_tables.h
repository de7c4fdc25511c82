/* Which characters the tokenizers library takes for what: see scripts/make-unicode-tables. */
#ifndef SEMBED_TEXT_UNICODE_TABLES_H
#define SEMBED_TEXT_UNICODE_TABLES_H

#include <stdint.h>

/* The bits of a character's classes. */
enum unicode_class {
    UNICODE_OTHER = 1,       /* unicode_is_other */
    UNICODE_NONSPACING = 2,  /* unicode_is_nonspacing_mark */
    UNICODE_PUNCTUATION = 4, /* unicode_is_punctuation */
    UNICODE_COMBINING = 8,   /* unicode_is_combining_mark */
    UNICODE_WORD = 16,       /* unicode_is_word */
    UNICODE_LETTER = 32,     /* unicode_is_letter */
    UNICODE_NUMBER = 64,     /* unicode_is_number */
    UNICODE_NUMERIC = 128    /* unicode_is_numeric */
};

/* Runs of characters that have the same classes: first character × 256 + bits, in order. */
extern const uint32_t unicode_runs[];
extern const uint32_t unicode_run_count;

/* The run in which each block of 256 characters below U+20000 begins. */
#define UNICODE_BLOCKS 512
extern const uint16_t unicode_first_run[UNICODE_BLOCKS + 1];

#endif
