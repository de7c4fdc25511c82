#include "core/text/normalizer.h"

#include "core/text/normalizer_steps.h"

enum step_type { STEP_BERT };

struct step {
    enum step_type type;
    union {
        struct bert_normalizer bert;
    };
};

struct normalizer {
    struct step *steps;
    size_t count, capacity;
};

/* ------------------------------------------------------------------------------- from JSON */

static sembed_status read_bert(const struct json_file *file, const json_t *json, struct step *step,
                               sembed_error *error)
{
    struct bert_normalizer *bert = &step->bert;
    step->type = STEP_BERT;
    sembed_status status =
        json_get_bool_or(file, json, "clean_text", true, &bert->clean_text, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "handle_chinese_chars", true,
                                  &bert->handle_chinese_chars, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "lowercase", true, &bert->lowercase, error);
    if (status == SEMBED_OK) /* null: as lowercase says */
        status = json_get_bool_or(file, json, "strip_accents", bert->lowercase,
                                  &bert->strip_accents, error);
    bert_normalizer_prepare(bert);
    return status;
}

typedef sembed_status step_reader(const struct json_file *file, const json_t *json,
                                  struct step *step, sembed_error *error);

static const struct {
    const char *type;
    step_reader *read;
} readers[] = {
    {"BertNormalizer", read_bert},
};

static step_reader *find_reader(const char *type)
{
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        if (strcmp(readers[i].type, type) == 0)
            return readers[i].read;
    return NULL;
}

static sembed_status read_steps(const struct json_file *file, const json_t *json,
                                struct normalizer *normalizer, unsigned depth, sembed_error *error);

static sembed_status read_sequence(const struct json_file *file, const json_t *json,
                                   struct normalizer *normalizer, unsigned depth,
                                   sembed_error *error)
{
    const json_t *parts = json_object_get(json, "normalizers");
    if (!json_is_array(parts))
        return json_expected(file, "normalizers", "an array", parts, error);
    if (depth == 0)
        return error_set(error, SEMBED_LIMIT, "%s: key 'normalizer': nested too deep", file->path);
    for (size_t i = 0; i < json_array_size(parts); i++) {
        sembed_status status =
            read_steps(file, json_array_get(parts, i), normalizer, depth - 1, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static sembed_status read_steps(const struct json_file *file, const json_t *json,
                                struct normalizer *normalizer, unsigned depth, sembed_error *error)
{
    const char *type;
    sembed_status status = json_get_string(file, json, "type", &type, error);
    if (status != SEMBED_OK)
        return status;
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(file, json, normalizer, depth, error);
    step_reader *read = find_reader(type);
    if (!read)
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: key 'normalizer': type '%s' is not supported", file->path, type);
    if (!memory_grow((void **)&normalizer->steps, &normalizer->capacity, normalizer->count + 1,
                     sizeof *normalizer->steps))
        return error_no_memory(error, "a normalizer");
    struct step *step = &normalizer->steps[normalizer->count++];
    *step = (struct step){0};
    return read(file, json, step, error);
}

#define DEEPEST_SEQUENCE 16

sembed_status normalizer_create(const struct json_file *file, const json_t *json,
                                struct normalizer **normalizer, sembed_error *error)
{
    struct normalizer *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a normalizer");
    sembed_status status = SEMBED_OK;
    if (json && !json_is_null(json))
        status = read_steps(file, json, made, DEEPEST_SEQUENCE, error);
    if (status != SEMBED_OK) {
        normalizer_destroy(made);
        return status;
    }
    *normalizer = made;
    return SEMBED_OK;
}

void normalizer_destroy(struct normalizer *normalizer)
{
    if (!normalizer)
        return;
    memory_free(normalizer->steps);
    memory_free(normalizer);
}

/* ------------------------------------------------------------------------------- applying */

bool normalizer_allows_cuts(const struct normalizer *normalizer)
{
    (void)normalizer;
    return true;
}

sembed_status normalizer_apply(const struct normalizer *normalizer,
                               struct normalizer_scratch *scratch, struct aligned_text *text,
                               bool at_start, bool at_end, const sembed_poll *poll,
                               sembed_error *error)
{
    (void)at_start;
    (void)at_end;
    for (size_t i = 0; i < normalizer->count; i++) {
        const struct step *step = &normalizer->steps[i];
        sembed_status status = SEMBED_OK;
        aligned_text_clear(&scratch->other, text->tracked);
        switch (step->type) {
        case STEP_BERT:
            status = bert_normalize(&step->bert, scratch, text, &scratch->other, poll, error);
            break;
        }
        if (status != SEMBED_OK)
            return status;
        aligned_text_swap(text, &scratch->other);
    }
    return SEMBED_OK;
}

void normalizer_scratch_free(struct normalizer_scratch *scratch)
{
    aligned_text_free(&scratch->other);
    mark_run_free(&scratch->marks);
}
