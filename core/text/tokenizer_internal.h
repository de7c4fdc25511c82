/* What a tokenizer is made of: filled by tokenizer_json.c, used by tokenizer.c. */
#ifndef SEMBED_TEXT_TOKENIZER_INTERNAL_H
#define SEMBED_TEXT_TOKENIZER_INTERNAL_H

#include "core/text/added_tokens.h"
#include "core/text/bpe.h"
#include "core/text/normalizer.h"
#include "core/text/postprocessor.h"
#include "core/text/pretokenizer.h"
#include "core/text/tokenizer.h"
#include "core/text/unigram.h"
#include "core/text/vocabulary.h"
#include "core/text/wordpiece.h"

enum subword_type { SUBWORD_NONE, SUBWORD_WORDPIECE, SUBWORD_BPE, SUBWORD_UNIGRAM };

struct tokenizer {
    struct vocabulary *vocabulary;
    struct added_tokens *added_tokens;
    struct normalizer *normalizer;
    struct pretokenizer *pretokenizer;
    enum subword_type subword_type;
    union {
        struct wordpiece *wordpiece;
        struct bpe *bpe;
        struct unigram *unigram;
    };
    struct postprocessor postprocessor;
    size_t max_length;
    bool truncates_left;  /* what is over the limit goes from the front of a text */
    bool allows_cuts;     /* a long text may be tokenized in parts, see normalizer_allows_cuts */
    bool cuts_at_chinese; /* also before an ideograph */
    bool needs_spans;     /* spans are kept even where nobody asks for offsets */
};

#endif
