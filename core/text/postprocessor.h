/*
 * Post-processors: where the special tokens go around one sequence or two, and which token type
 * each part has. All kinds are turned into two templates when they are read:
 *
 *     single   [CLS]:0 A:0 [SEP]:0
 *     pair     [CLS]:0 A:0 [SEP]:0 B:1 [SEP]:1
 */
#ifndef SEMBED_TEXT_POSTPROCESSOR_H
#define SEMBED_TEXT_POSTPROCESSOR_H

#include "core/base/archive.h"
#include "core/base/json.h"

#define TEMPLATE_FIRST  (UINT32_MAX - 1) /* the first sequence stands here */
#define TEMPLATE_SECOND UINT32_MAX       /* the second */

/* A special token, or the place of a sequence. */
struct template_part {
    uint32_t id;
    uint8_t type;
};

struct template
{
    struct template_part *parts;
    size_t count, capacity;
    size_t special_count; /* tokens that it adds */
};

/* ByteLevel and RobertaProcessing take the spaces off a token's offsets, which can happen twice. */
#define POSTPROCESSOR_MOST_TRIMS 4

struct postprocessor {
    struct template single, pair;
    struct {
        bool add_prefix_space; /* the one space at the front of a text was added: it stays */
    } trims[POSTPROCESSOR_MOST_TRIMS];
    size_t trim_count;
};

/* Reads tokenizer.json's "post_processor" (NULL or null: no special tokens) into a zeroed struct.
 * Free with postprocessor_free, also after a failure. */
SEMBED_MUST_CHECK sembed_status postprocessor_read(const struct json_file *file, const json_t *json,
                                                   struct postprocessor *postprocessor,
                                                   sembed_error *error);
void postprocessor_free(struct postprocessor *postprocessor);

/* To and from an image. */
void postprocessor_store(struct archive *archive, struct postprocessor *postprocessor);

/* BertProcessing: cls A sep, cls A sep B:1 sep:1. Into a zeroed struct, as the next. */
SEMBED_MUST_CHECK sembed_status postprocessor_make_bert(struct postprocessor *postprocessor,
                                                        uint32_t cls, uint32_t sep,
                                                        sembed_error *error);

/* RobertaProcessing: cls A sep, cls A sep sep B sep, all of type 0. Trims nothing by itself. */
SEMBED_MUST_CHECK sembed_status postprocessor_make_roberta(struct postprocessor *postprocessor,
                                                           uint32_t cls, uint32_t sep,
                                                           sembed_error *error);

/* Trims offsets once more. name stands for the file in messages. */
SEMBED_MUST_CHECK sembed_status postprocessor_add_trim(struct postprocessor *postprocessor,
                                                       const char *name, bool add_prefix_space,
                                                       sembed_error *error);

#endif
