/* The scratch memory of one thread, and the batch in which it gathers tokens. */
#ifndef SEMBED_CONTEXT_H
#define SEMBED_CONTEXT_H

#include "core/base/memory.h"
#include "core/model/model.h"
#include "core/team.h"

/*
 * Texts laid one behind the other, without padding:
 *
 *     texts     "a cat"      "dogs"
 *     ids       101 1037 4937 102 101 6077 102
 *     starts    0                 4            7
 *
 * A text is added whole, and a batch is run when the next text would take it past BATCH_TOKENS; so a
 * batch holds at least one text, and its memory is bounded by the longest text that a model reads.
 */
#define BATCH_TOKENS 512

struct batch {
    uint32_t *ids;  /* [tokens] */
    uint8_t *types; /* [tokens] */
    size_t *starts; /* [texts + 1] */
    size_t *places; /* [texts]: which of the call's texts each is */
    size_t tokens, texts;
    size_t token_capacity, type_capacity, start_capacity, place_capacity;
};

struct sembed_context {
    struct encoder_session *session;
    struct tokenizer_scratch *tokenizer_scratch;
    struct encoding encoding; /* the text being added */
    struct batch batch;
    float *rows[2];         /* [texts, width], one read while the other is written */
    size_t row_capacity[2]; /* floats */
    char *prompted;         /* a prompt and a text behind it */
    size_t prompted_capacity;
    struct team *team;               /* NULL: one thread */
    struct sembed_context **members; /* [member_count], one per thread; the first is this one */
    size_t member_count;
    size_t max_text; /* bytes; 0: no limit */
};

/* SEMBED_LIMIT where one of texts[count] is longer than the context takes. */
SEMBED_MUST_CHECK sembed_status context_check_texts(const struct sembed_context *context,
                                                    const sembed_text *texts, size_t count,
                                                    sembed_error *error);

/* Runs the batch through the model's encoder: *hidden [tokens, hidden size], the session's. */
SEMBED_MUST_CHECK sembed_status batch_run(const struct sembed_model *model,
                                          struct sembed_context *context, size_t layers,
                                          const sembed_poll *poll, const float **hidden,
                                          sembed_error *error);

/* Room for `floats` numbers in rows[which]. */
SEMBED_MUST_CHECK sembed_status context_reserve_rows(struct sembed_context *context, int which,
                                                     size_t texts, size_t width,
                                                     sembed_error *error);

#endif
