#include "core/text/pretokenizer.h"

enum step_type { STEP_BERT };

struct step {
    enum step_type type;
};

struct pretokenizer {
    struct step *steps;
    size_t count, capacity;
};

/* ------------------------------------------------------------------------------- from JSON */

#define DEEPEST_SEQUENCE 16

static sembed_status read_bert(const struct json_file *file, const json_t *json, struct step *step,
                               sembed_error *error)
{
    (void)file;
    (void)json;
    (void)error;
    step->type = STEP_BERT;
    return SEMBED_OK;
}

typedef sembed_status step_reader(const struct json_file *file, const json_t *json,
                                  struct step *step, sembed_error *error);

static const struct {
    const char *type;
    step_reader *read;
} readers[] = {
    {"BertPreTokenizer", read_bert},
};

static step_reader *find_reader(const char *type)
{
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        if (strcmp(readers[i].type, type) == 0)
            return readers[i].read;
    return NULL;
}

static sembed_status read_steps(const struct json_file *file, const json_t *json,
                                struct pretokenizer *pretokenizer, unsigned depth,
                                sembed_error *error);

static sembed_status read_sequence(const struct json_file *file, const json_t *json,
                                   struct pretokenizer *pretokenizer, unsigned depth,
                                   sembed_error *error)
{
    const json_t *parts = json_object_get(json, "pretokenizers");
    if (!json_is_array(parts))
        return json_expected(file, "pretokenizers", "an array", parts, error);
    if (depth == 0)
        return error_set(error, SEMBED_LIMIT, "%s: key 'pre_tokenizer': nested too deep",
                         file->path);
    for (size_t i = 0; i < json_array_size(parts); i++) {
        sembed_status status =
            read_steps(file, json_array_get(parts, i), pretokenizer, depth - 1, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static sembed_status read_steps(const struct json_file *file, const json_t *json,
                                struct pretokenizer *pretokenizer, unsigned depth,
                                sembed_error *error)
{
    const char *type;
    sembed_status status = json_get_string(file, json, "type", &type, error);
    if (status != SEMBED_OK)
        return status;
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(file, json, pretokenizer, depth, error);
    step_reader *read = find_reader(type);
    if (!read)
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: key 'pre_tokenizer': type '%s' is not supported", file->path, type);
    if (!memory_grow((void **)&pretokenizer->steps, &pretokenizer->capacity,
                     pretokenizer->count + 1, sizeof *pretokenizer->steps))
        return error_no_memory(error, "a pre-tokenizer");
    struct step *step = &pretokenizer->steps[pretokenizer->count++];
    *step = (struct step){0};
    return read(file, json, step, error);
}

sembed_status pretokenizer_create(const struct json_file *file, const json_t *json,
                                  struct pretokenizer **pretokenizer, sembed_error *error)
{
    struct pretokenizer *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a pre-tokenizer");
    sembed_status status = SEMBED_OK;
    if (json && !json_is_null(json))
        status = read_steps(file, json, made, DEEPEST_SEQUENCE, error);
    if (status != SEMBED_OK) {
        pretokenizer_destroy(made);
        return status;
    }
    *pretokenizer = made;
    return SEMBED_OK;
}

void pretokenizer_destroy(struct pretokenizer *pretokenizer)
{
    if (!pretokenizer)
        return;
    memory_free(pretokenizer->steps);
    memory_free(pretokenizer);
}

/* ------------------------------------------------------------------------------- applying */

/* BertPreTokenizer: words between spaces, each punctuation character a word of its own. */
static sembed_status split_bert(const struct aligned_text *text, struct split split,
                                struct splits *out, sembed_error *error)
{
    size_t word = split.start;
    for (size_t at = split.start, size; at < split.stop; at += size) {
        uint32_t character = unicode_decode(text->bytes + at, &size);
        bool space = unicode_is_whitespace(character);
        if (!space && !unicode_is_punctuation(character))
            continue;
        sembed_status status = splits_append(out, word, at, VOCABULARY_NONE, error);
        if (status == SEMBED_OK && !space)
            status = splits_append(out, at, at + size, VOCABULARY_NONE, error);
        if (status != SEMBED_OK)
            return status;
        word = at + size;
    }
    return splits_append(out, word, split.stop, VOCABULARY_NONE, error);
}

static sembed_status apply_step(const struct step *step, const struct aligned_text *text,
                                struct split split, struct splits *out, sembed_error *error)
{
    if (split.token != VOCABULARY_NONE)
        return splits_append(out, split.start, split.stop, split.token, error);
    switch (step->type) {
    case STEP_BERT:
        return split_bert(text, split, out, error);
    }
    return SEMBED_OK;
}

bool pretokenizer_allows_cuts(const struct pretokenizer *pretokenizer)
{
    return pretokenizer->count > 0;
}

sembed_status pretokenizer_apply(const struct pretokenizer *pretokenizer,
                                 struct pretokenizer_scratch *scratch, struct aligned_text *text,
                                 struct splits *splits, const sembed_poll *poll,
                                 sembed_error *error)
{
    (void)poll;
    for (size_t i = 0; i < pretokenizer->count; i++) {
        scratch->other_splits.count = 0;
        for (size_t j = 0; j < splits->count; j++) {
            sembed_status status = apply_step(&pretokenizer->steps[i], text, splits->items[j],
                                              &scratch->other_splits, error);
            if (status != SEMBED_OK)
                return status;
        }
        splits_swap(splits, &scratch->other_splits);
    }
    return SEMBED_OK;
}

void pretokenizer_scratch_free(struct pretokenizer_scratch *scratch)
{
    aligned_text_free(&scratch->other_text);
    memory_free(scratch->other_splits.items);
}
