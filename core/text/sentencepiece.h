/*
 * A SentencePiece .model file: what a folder carries that has no tokenizer.json
 * (sentencepiece.bpe.model). It is a protobuf message (ModelProto of sentencepiece_model.proto),
 * read here with a reader of its own that checks every length.
 *
 * sentencepiece_open reads the file as it is. sentencepiece_convert gives the list of pieces that
 * transformers 5 makes of it for a family of models (convert_slow_tokenizer.py, convert_from_spm):
 * their ids are not the file's, since fairseq, where these models come from, put its own special
 * tokens first. The pipeline around it is the family's, not the file's (tokenization_xlm_roberta.py,
 * tokenization_camembert.py), the same for both:
 *
 *     normalizer      Precompiled(charsmap), left out where the file has none
 *     pre-tokenizer   WhitespaceSplit, then Metaspace "▁", prepend_scheme always
 *     model           Unigram(pieces, unknown_id 3, no byte fallback)
 *     post-processor  <s> A </s>   <s> A </s> </s> B </s>, all of type 0
 *
 *     var sp = {0}
 *     sentencepiece_open(path, NULL, &sp)
 *     sentencepiece_convert(&sp, SENTENCEPIECE_XLM_ROBERTA, &converted)
 *     unigram_create_from_pieces(path, converted.pieces, converted.count, converted.unknown_id, …)
 *     charsmap_create(path, sp.charsmap, sp.charsmap_size, …)
 */
#ifndef SEMBED_TEXT_SENTENCEPIECE_H
#define SEMBED_TEXT_SENTENCEPIECE_H

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/text/unigram.h"

#include <stdbool.h>

enum sentencepiece_type {
    SENTENCEPIECE_NORMAL = 1,
    SENTENCEPIECE_UNKNOWN = 2,
    SENTENCEPIECE_CONTROL = 3,      /* <s>, </s>: an added token, special */
    SENTENCEPIECE_USER_DEFINED = 4, /* an added token, not special */
    SENTENCEPIECE_UNUSED = 5,
    SENTENCEPIECE_BYTE = 6
};

enum sentencepiece_algorithm {
    SENTENCEPIECE_UNIGRAM = 1,
    SENTENCEPIECE_BPE = 2,
    SENTENCEPIECE_WORD = 3,
    SENTENCEPIECE_CHARACTER = 4
};

/* One ModelProto. Strings point into the mapped file, which stays open until
 * sentencepiece_close. */
struct sentencepiece {
    struct file_map map;
    char *path; /* for messages */
    struct unigram_piece *pieces;
    uint8_t *types; /* [count], enum sentencepiece_type */
    size_t count;

    enum sentencepiece_algorithm algorithm;           /* trainer_spec.model_type */
    int32_t unknown_id, begin_id, end_id, padding_id; /* -1: none */
    bool byte_fallback;

    const unsigned char *charsmap; /* normalizer_spec.precompiled_charsmap; NULL: none */
    size_t charsmap_size;
    bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
};

/* SEMBED_MALFORMED where the file is not such a message or a piece is not UTF-8. Close with
 * sentencepiece_close, also after a failure. */
SEMBED_MUST_CHECK sembed_status sentencepiece_open(const char *path, const sembed_poll *poll,
                                                   struct sentencepiece *model,
                                                   sembed_error *error);
void sentencepiece_close(struct sentencepiece *model); /* a zeroed one is allowed */

/* The families whose conversion is known. */
enum sentencepiece_family {
    SENTENCEPIECE_XLM_ROBERTA, /* <s> <pad> </s> <unk>, the file's pieces from the 4th on, <mask> */
    SENTENCEPIECE_CAMEMBERT    /* five tokens, the file's pieces from the 2nd on, <mask> */
};

/* A token that is cut out of the text before anything else. */
struct sentencepiece_added_token {
    const char *text;
    size_t length;
    uint32_t id;
    bool special, lstrip; /* rstrip, single_word and normalized are false */
};

struct sentencepiece_conversion {
    struct unigram_piece *pieces; /* in order of id; strings belong to the sentencepiece */
    size_t count;
    size_t unknown_id;
    struct sentencepiece_added_token *added;
    size_t added_count;
};

/* SEMBED_UNSUPPORTED where the file was trained as something else than Unigram. Free with
 * sentencepiece_conversion_free; it must not outlive model. */
SEMBED_MUST_CHECK sembed_status sentencepiece_convert(const struct sentencepiece *model,
                                                      enum sentencepiece_family family,
                                                      struct sentencepiece_conversion *conversion,
                                                      sembed_error *error);
void sentencepiece_conversion_free(struct sentencepiece_conversion *conversion);

#endif
