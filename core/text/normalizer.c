#include "core/text/normalizer.h"

#include "core/text/components.h"
#include "core/text/normalizer_steps.h"

enum step_type {
    STEP_BERT,
    STEP_NFC,
    STEP_NFD,
    STEP_NFKC,
    STEP_NFKD,
    STEP_LOWERCASE,
    STEP_STRIP_ACCENTS,
    STEP_NMT,
    STEP_BYTE_LEVEL,
    STEP_STRIP,
    STEP_PREPEND,
    STEP_REPLACE,
    STEP_PRECOMPILED
};

struct step {
    enum step_type type;
    bool forbids_cuts;
    struct bert_normalizer bert;
    bool strip_left, strip_right;
    struct regex *regex; /* Replace */
    char *content;       /* Replace, Prepend */
    size_t content_length;
    struct charsmap *charsmap;
};

struct normalizer {
    struct step *steps;
    size_t count, capacity;
};

/* ------------------------------------------------------------------------------- from JSON */

typedef sembed_status step_reader(const struct json_file *file, const json_t *json,
                                  struct step *step, sembed_error *error);

static sembed_status read_plain(const struct json_file *file, const json_t *json, struct step *step,
                                sembed_error *error)
{
    (void)file, (void)json, (void)step, (void)error;
    return SEMBED_OK;
}

static sembed_status read_bert(const struct json_file *file, const json_t *json, struct step *step,
                               sembed_error *error)
{
    struct bert_normalizer *bert = &step->bert;
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

static sembed_status read_bytes(const struct json_file *file, const json_t *json, struct step *step,
                                sembed_error *error)
{
    step->forbids_cuts = true; /* a space is none any more */
    return read_plain(file, json, step, error);
}

static sembed_status read_strip(const struct json_file *file, const json_t *json, struct step *step,
                                sembed_error *error)
{
    sembed_status status =
        json_get_bool_or(file, json, "strip_left", true, &step->strip_left, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "strip_right", true, &step->strip_right, error);
    return status;
}

static sembed_status read_content(const struct json_file *file, const json_t *json, const char *key,
                                  struct step *step, sembed_error *error)
{
    const json_t *content = json_object_get(json, key);
    if (!json_is_string(content))
        return json_expected(file, key, "a string", content, error);
    step->content_length = json_string_length(content);
    step->content = memory_alloc(step->content_length);
    if (!step->content)
        return error_no_memory(error, "a normalizer");
    memcpy(step->content, json_string_value(content), step->content_length);
    return SEMBED_OK;
}

static sembed_status read_prepend(const struct json_file *file, const json_t *json,
                                  struct step *step, sembed_error *error)
{
    return read_content(file, json, "prepend", step, error);
}

/* Whether no match stands across the place between a letter or digit and a space, and whether both
 * are still there afterwards. Known are patterns of other characters alone, and runs of spaces that
 * become one. */
static bool keeps_cuts(const json_t *pattern, const char *content, size_t length)
{
    const json_t *literal = json_object_get(pattern, "String");
    const char *text = json_string_value(literal);
    for (size_t i = 0; i < json_string_length(literal); i++)
        if (text[i] == ' ' || (text[i] >= '0' && text[i] <= '9') ||
            (text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= 'a' && text[i] <= 'z'))
            return false;
    if (literal)
        return json_string_length(literal) > 0; /* the empty string matches at a cut as well */
    static const char *const space_runs[] = {" {2,}", " +", "\\s+", "\\s{2,}"};
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    if (length != 1 || content[0] != ' ' || !regex)
        return false;
    for (size_t i = 0; i < sizeof space_runs / sizeof space_runs[0]; i++)
        if (strcmp(space_runs[i], regex) == 0)
            return true;
    return false;
}

static sembed_status read_replace(const struct json_file *file, const json_t *json,
                                  struct step *step, sembed_error *error)
{
    const json_t *pattern = json_object_get(json, "pattern");
    sembed_status status = read_content(file, json, "content", step, error);
    if (status == SEMBED_OK)
        status = regex_create_from_json(file, pattern, &step->regex, error);
    step->forbids_cuts = !keeps_cuts(pattern, step->content, step->content_length);
    return status;
}

static sembed_status read_precompiled(const struct json_file *file, const json_t *json,
                                      struct step *step, sembed_error *error)
{
    return charsmap_create_from_json(file, json, &step->charsmap, error);
}

static const struct {
    const char *name;
    enum step_type type;
    step_reader *read;
} readers[] = {
    {"BertNormalizer", STEP_BERT, read_bert},
    {"NFC", STEP_NFC, read_plain},
    {"NFD", STEP_NFD, read_plain},
    {"NFKC", STEP_NFKC, read_plain},
    {"NFKD", STEP_NFKD, read_plain},
    {"Lowercase", STEP_LOWERCASE, read_plain},
    {"StripAccents", STEP_STRIP_ACCENTS, read_plain},
    {"Nmt", STEP_NMT, read_plain},
    {"ByteLevel", STEP_BYTE_LEVEL, read_bytes},
    {"Strip", STEP_STRIP, read_strip},
    {"Prepend", STEP_PREPEND, read_prepend},
    {"Replace", STEP_REPLACE, read_replace},
    {"Precompiled", STEP_PRECOMPILED, read_precompiled},
};

/* Appends a step; *step is where it lies until the next is appended. */
static sembed_status append_step(struct normalizer *normalizer, enum step_type type,
                                 struct step **step, sembed_error *error)
{
    if (!memory_grow((void **)&normalizer->steps, &normalizer->capacity, normalizer->count + 1,
                     sizeof *normalizer->steps))
        return error_no_memory(error, "a normalizer");
    *step = &normalizer->steps[normalizer->count++];
    **step = (struct step){.type = type};
    return SEMBED_OK;
}

static component_reader read_step;

static const struct component_kind kind = {"normalizer", "normalizers", read_step};

static sembed_status read_step(void *owner, const struct json_file *file, const json_t *json,
                               const char *type, sembed_error *error)
{
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        if (strcmp(readers[i].name, type) != 0)
            continue;
        struct step *step = NULL;
        sembed_status status = append_step(owner, readers[i].type, &step, error);
        return status == SEMBED_OK ? readers[i].read(file, json, step, error) : status;
    }
    return component_unknown(&kind, file, type, error);
}

sembed_status normalizer_create(const struct json_file *file, const json_t *json,
                                struct normalizer **normalizer, sembed_error *error)
{
    struct normalizer *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a normalizer");
    sembed_status status = components_read(&kind, made, file, json, error);
    if (status != SEMBED_OK) {
        normalizer_destroy(made);
        return status;
    }
    *normalizer = made;
    return SEMBED_OK;
}

sembed_status normalizer_create_precompiled(const char *name, const unsigned char *blob,
                                            size_t size, struct normalizer **normalizer,
                                            sembed_error *error)
{
    struct normalizer *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a normalizer");
    struct step *step = NULL;
    sembed_status status = append_step(made, STEP_PRECOMPILED, &step, error);
    if (status == SEMBED_OK)
        status = charsmap_create(name, blob, size, &step->charsmap, error);
    if (status != SEMBED_OK) {
        normalizer_destroy(made);
        return status;
    }
    *normalizer = made;
    return SEMBED_OK;
}

sembed_status normalizer_lowercase_first(struct normalizer *normalizer, sembed_error *error)
{
    for (size_t i = 0; i < normalizer->count; i++)
        if (normalizer->steps[i].type == STEP_LOWERCASE)
            return SEMBED_OK;
    struct step *step = NULL;
    sembed_status status = append_step(normalizer, STEP_LOWERCASE, &step, error);
    if (status != SEMBED_OK)
        return status;
    struct step lowercase = *step;
    memmove(normalizer->steps + 1, normalizer->steps,
            (normalizer->count - 1) * sizeof *normalizer->steps);
    normalizer->steps[0] = lowercase;
    return SEMBED_OK;
}

void normalizer_destroy(struct normalizer *normalizer)
{
    if (!normalizer)
        return;
    for (size_t i = 0; i < normalizer->count; i++) {
        regex_destroy(normalizer->steps[i].regex);
        charsmap_destroy(normalizer->steps[i].charsmap);
        memory_free(normalizer->steps[i].content);
    }
    memory_free(normalizer->steps);
    memory_free(normalizer);
}

/* Whether a step has what it is made of. */
static bool is_sound(const struct step *step)
{
    bool has_content = step->type == STEP_PREPEND || step->type == STEP_REPLACE;
    return step->type <= STEP_PRECOMPILED && (!has_content || step->content) &&
           (!step->content ||
            unicode_valid_prefix(step->content, step->content_length) == step->content_length) &&
           (step->type != STEP_REPLACE || step->regex) &&
           (step->type != STEP_PRECOMPILED || step->charsmap);
}

void normalizer_store(struct archive *archive, struct normalizer **normalizer)
{
    struct normalizer *stored = archive_struct(archive, (void **)normalizer, sizeof *stored);
    if (!stored ||
        !archive_array(archive, (void **)&stored->steps, &stored->count, sizeof *stored->steps))
        return;
    for (size_t i = 0; i < stored->count; i++) {
        struct step *step = &stored->steps[i];
        bool has_content = step->content != NULL;
        archive_value(archive, &step->type);
        archive_value(archive, &step->forbids_cuts);
        archive_value(archive, &step->bert.clean_text);
        archive_value(archive, &step->bert.handle_chinese_chars);
        archive_value(archive, &step->bert.strip_accents);
        archive_value(archive, &step->bert.lowercase);
        if (archive->opening)
            bert_normalizer_prepare(&step->bert);
        archive_value(archive, &step->strip_left);
        archive_value(archive, &step->strip_right);
        regex_store(archive, &step->regex);
        charsmap_store(archive, &step->charsmap);
        archive_value(archive, &has_content);
        if (has_content)
            archive_text(archive, &step->content, &step->content_length);
        archive_check(archive, is_sound(step), "a normalizer in parts");
    }
}

/* ------------------------------------------------------------------------------- applying */

bool normalizer_allows_cuts(const struct normalizer *normalizer)
{
    for (size_t i = 0; i < normalizer->count; i++)
        if (normalizer->steps[i].forbids_cuts)
            return false;
    return true;
}

bool normalizer_isolates_chinese(const struct normalizer *normalizer)
{
    return normalizer->count && normalizer->steps[0].type == STEP_BERT &&
           normalizer->steps[0].bert.handle_chinese_chars;
}

static sembed_status apply_step(const struct step *step, const struct normalizer_pass *pass)
{
    switch (step->type) {
    case STEP_BERT:
        return bert_normalize(&step->bert, pass);
    case STEP_NFC:
        return normalize_form(pass, false, true);
    case STEP_NFD:
        return normalize_form(pass, false, false);
    case STEP_NFKC:
        return normalize_form(pass, true, true);
    case STEP_NFKD:
        return normalize_form(pass, true, false);
    case STEP_LOWERCASE:
        return normalize_lowercase(pass);
    case STEP_STRIP_ACCENTS:
        return normalize_strip_accents(pass);
    case STEP_NMT:
        return normalize_nmt(pass);
    case STEP_BYTE_LEVEL:
        return normalize_bytes(pass);
    case STEP_STRIP:
        return normalize_strip(pass, step->strip_left, step->strip_right);
    case STEP_PREPEND:
        return normalize_prepend(pass, step->content, step->content_length);
    case STEP_REPLACE:
        return normalize_replace(pass, step->regex, step->content, step->content_length);
    case STEP_PRECOMPILED:
        return normalize_charsmap(pass, step->charsmap);
    }
    return error_set(pass->error, SEMBED_INVALID_ARGUMENT, "no such normalizer");
}

sembed_status normalizer_apply(const struct normalizer *normalizer,
                               struct normalizer_scratch *scratch, struct aligned_text *text,
                               bool at_start, bool at_end, const sembed_poll *poll,
                               sembed_error *error)
{
    const struct normalizer_pass pass = {.from = text,
                                         .to = &scratch->other,
                                         .scratch = scratch,
                                         .at_start = at_start,
                                         .at_end = at_end,
                                         .poll = poll,
                                         .error = error};
    for (size_t i = 0; i < normalizer->count; i++) {
        aligned_text_clear(&scratch->other, text->tracked);
        scratch->other.origin = text->origin;
        scratch->other.most = text->most;
        sembed_status status = apply_step(&normalizer->steps[i], &pass);
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
    memory_free(scratch->changes);
    memory_free(scratch->charsmap.bytes);
    memory_free(scratch->charsmap.sources);
    regex_scratch_free(&scratch->regex);
    *scratch = (struct normalizer_scratch){0};
}
