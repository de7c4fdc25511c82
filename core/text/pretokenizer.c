#include "core/text/pretokenizer.h"

#include "core/text/components.h"
#include "core/text/pretokenizer_steps.h"

enum step_type {
    STEP_BERT,
    STEP_WHITESPACE_SPLIT,
    STEP_WORDS,
    STEP_PUNCTUATION,
    STEP_DIGITS,
    STEP_REGEX,
    STEP_GPT2,
    /* From here on the text is rewritten. */
    STEP_PREFIX_SPACE,
    STEP_METASPACE,
    STEP_BYTES
};

struct step {
    enum step_type type;
    enum split_behavior behavior;
    struct regex *regex;
    bool invert;
    struct metaspace metaspace;
    /* See pretokenizer_allows_cuts: a word ends where the text may be cut; a cut there may change
     * what this step does elsewhere. */
    bool ends_words, forbids_cuts;
};

struct pretokenizer {
    struct step *steps;
    size_t count, capacity;
};

/* ------------------------------------------------------------------------------- from JSON */

typedef sembed_status reader(const struct json_file *file, const json_t *json,
                             struct pretokenizer *pretokenizer, sembed_error *error);

/* Appends a step; *step is where it lies until the next is appended. */
static sembed_status append_step(struct pretokenizer *pretokenizer, enum step_type type,
                                 struct step **step, sembed_error *error)
{
    if (!memory_grow((void **)&pretokenizer->steps, &pretokenizer->capacity,
                     pretokenizer->count + 1, sizeof *pretokenizer->steps))
        return error_no_memory(error, "a pre-tokenizer");
    *step = &pretokenizer->steps[pretokenizer->count++];
    **step = (struct step){.type = type};
    return SEMBED_OK;
}

static sembed_status read_word_step(struct pretokenizer *pretokenizer, enum step_type type,
                                    sembed_error *error)
{
    struct step *step = NULL;
    sembed_status status = append_step(pretokenizer, type, &step, error);
    if (status == SEMBED_OK)
        step->ends_words = true;
    return status;
}

static sembed_status read_bert(const struct json_file *file, const json_t *json,
                               struct pretokenizer *pretokenizer, sembed_error *error)
{
    (void)file, (void)json;
    return read_word_step(pretokenizer, STEP_BERT, error);
}

static sembed_status read_whitespace(const struct json_file *file, const json_t *json,
                                     struct pretokenizer *pretokenizer, sembed_error *error)
{
    (void)file, (void)json;
    return read_word_step(pretokenizer, STEP_WORDS, error);
}

static sembed_status read_whitespace_split(const struct json_file *file, const json_t *json,
                                           struct pretokenizer *pretokenizer, sembed_error *error)
{
    (void)file, (void)json;
    return read_word_step(pretokenizer, STEP_WHITESPACE_SPLIT, error);
}

static sembed_status read_behavior(const struct json_file *file, const json_t *json,
                                   const char *fallback, enum split_behavior *behavior,
                                   sembed_error *error)
{
    static const struct {
        const char *name;
        enum split_behavior behavior;
    } behaviors[] = {
        {"Removed", BEHAVIOR_REMOVED},
        {"Isolated", BEHAVIOR_ISOLATED},
        {"MergedWithPrevious", BEHAVIOR_MERGED_WITH_PREVIOUS},
        {"MergedWithNext", BEHAVIOR_MERGED_WITH_NEXT},
        {"Contiguous", BEHAVIOR_CONTIGUOUS},
    };
    const char *name;
    sembed_status status = json_get_string_or(file, json, "behavior", fallback, &name, error);
    if (status != SEMBED_OK)
        return status;
    for (size_t i = 0; i < sizeof behaviors / sizeof behaviors[0]; i++) {
        if (strcmp(behaviors[i].name, name) == 0) {
            *behavior = behaviors[i].behavior;
            return SEMBED_OK;
        }
    }
    return error_set(error, SEMBED_UNSUPPORTED,
                     "%s: key 'pre_tokenizer': behavior '%s' is not supported", file->path, name);
}

static sembed_status read_punctuation(const struct json_file *file, const json_t *json,
                                      struct pretokenizer *pretokenizer, sembed_error *error)
{
    struct step *step = NULL;
    sembed_status status = append_step(pretokenizer, STEP_PUNCTUATION, &step, error);
    if (status == SEMBED_OK)
        status = read_behavior(file, json, "Isolated", &step->behavior, error);
    return status;
}

static sembed_status read_digits(const struct json_file *file, const json_t *json,
                                 struct pretokenizer *pretokenizer, sembed_error *error)
{
    bool individual;
    struct step *step = NULL;
    sembed_status status =
        json_get_bool_or(file, json, "individual_digits", false, &individual, error);
    if (status == SEMBED_OK)
        status = append_step(pretokenizer, STEP_DIGITS, &step, error);
    if (status == SEMBED_OK)
        step->behavior = individual ? BEHAVIOR_ISOLATED : BEHAVIOR_CONTIGUOUS;
    return status;
}

static sembed_status read_split(const struct json_file *file, const json_t *json,
                                struct pretokenizer *pretokenizer, sembed_error *error)
{
    struct step *step = NULL;
    sembed_status status = append_step(pretokenizer, STEP_REGEX, &step, error);
    if (status != SEMBED_OK)
        return status;
    step->forbids_cuts = true; /* a pattern may look anywhere */
    status = read_behavior(file, json, "", &step->behavior, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "invert", false, &step->invert, error);
    if (status == SEMBED_OK)
        status =
            regex_create_from_json(file, json_object_get(json, "pattern"), &step->regex, error);
    return status;
}

/* A string that holds one character. */
static sembed_status read_character(const struct json_file *file, const json_t *json,
                                    const char *key, const char **text, size_t *length,
                                    sembed_error *error)
{
    const json_t *string = json_object_get(json, key);
    *text = json_string_value(string);
    *length = json_string_length(string);
    size_t size = 0;
    if (*length)
        unicode_decode(*text, &size);
    if (size == 0 || size != *length)
        return json_expected(file, key, "a string of one character", string, error);
    return SEMBED_OK;
}

static sembed_status read_delimiter(const struct json_file *file, const json_t *json,
                                    struct pretokenizer *pretokenizer, sembed_error *error)
{
    struct step *step = NULL;
    const char *text;
    size_t length;
    sembed_status status = read_character(file, json, "delimiter", &text, &length, error);
    if (status == SEMBED_OK)
        status = append_step(pretokenizer, STEP_REGEX, &step, error);
    if (status != SEMBED_OK)
        return status;
    step->behavior = BEHAVIOR_REMOVED;
    step->ends_words = text[0] == ' ';
    return regex_create_literal(text, length, &step->regex, error);
}

static sembed_status read_prepend_scheme(const struct json_file *file, const json_t *json,
                                         enum prepend_scheme *scheme, sembed_error *error)
{
    const char *name;
    bool add_prefix_space;
    sembed_status status = json_get_string_or(file, json, "prepend_scheme", "always", &name, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "add_prefix_space", true, &add_prefix_space, error);
    if (status != SEMBED_OK)
        return status;
    if (strcmp(name, "never") == 0)
        *scheme = PREPEND_NEVER;
    else if (!add_prefix_space) /* written before there were schemes */
        return error_set(error, SEMBED_MALFORMED,
                         "%s: key 'add_prefix_space': false does not go with prepend_scheme '%s'",
                         file->path, name);
    else if (strcmp(name, "always") == 0)
        *scheme = PREPEND_ALWAYS;
    else if (strcmp(name, "first") == 0)
        *scheme = PREPEND_FIRST;
    else
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: key 'prepend_scheme': '%s' is not supported", file->path, name);
    return SEMBED_OK;
}

static sembed_status read_metaspace(const struct json_file *file, const json_t *json,
                                    struct pretokenizer *pretokenizer, sembed_error *error)
{
    struct metaspace metaspace = {0}; /* no byte of it goes unset into an image */
    const char *text;
    bool split;
    struct step *step = NULL;
    sembed_status status =
        read_character(file, json, "replacement", &text, &metaspace.length, error);
    if (status == SEMBED_OK)
        status = read_prepend_scheme(file, json, &metaspace.prepend, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "split", true, &split, error);
    if (status == SEMBED_OK)
        status = append_step(pretokenizer, STEP_METASPACE, &step, error);
    if (status != SEMBED_OK)
        return status;
    memcpy(metaspace.replacement, text, metaspace.length);
    step->metaspace = metaspace;
    if (!split)
        return SEMBED_OK;
    status = append_step(pretokenizer, STEP_REGEX, &step, error);
    if (status != SEMBED_OK)
        return status;
    step->behavior = BEHAVIOR_MERGED_WITH_NEXT;
    step->ends_words = true;
    return regex_create_literal(text, metaspace.length, &step->regex, error);
}

static sembed_status read_byte_level(const struct json_file *file, const json_t *json,
                                     struct pretokenizer *pretokenizer, sembed_error *error)
{
    bool add_prefix_space, use_regex;
    struct step *step = NULL;
    sembed_status status =
        json_get_bool_or(file, json, "add_prefix_space", true, &add_prefix_space, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "use_regex", true, &use_regex, error);
    if (status == SEMBED_OK && add_prefix_space)
        status = append_step(pretokenizer, STEP_PREFIX_SPACE, &step, error);
    if (status == SEMBED_OK && use_regex)
        status = read_word_step(pretokenizer, STEP_GPT2, error);
    if (status == SEMBED_OK)
        status = append_step(pretokenizer, STEP_BYTES, &step, error);
    return status;
}

static const struct {
    const char *type;
    reader *read;
} readers[] = {
    {"BertPreTokenizer", read_bert},
    {"Whitespace", read_whitespace},
    {"WhitespaceSplit", read_whitespace_split},
    {"Punctuation", read_punctuation},
    {"Digits", read_digits},
    {"Split", read_split},
    {"CharDelimiterSplit", read_delimiter},
    {"Metaspace", read_metaspace},
    {"ByteLevel", read_byte_level},
};

static component_reader read_component;

static const struct component_kind kind = {"pre_tokenizer", "pretokenizers", read_component};

static sembed_status read_component(void *owner, const struct json_file *file, const json_t *json,
                                    const char *type, sembed_error *error)
{
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
        if (strcmp(readers[i].type, type) == 0)
            return readers[i].read(file, json, owner, error);
    return component_unknown(&kind, file, type, error);
}

sembed_status pretokenizer_create(const struct json_file *file, const json_t *json,
                                  struct pretokenizer **pretokenizer, sembed_error *error)
{
    struct pretokenizer *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a pre-tokenizer");
    sembed_status status = components_read(&kind, made, file, json, error);
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
    for (size_t i = 0; i < pretokenizer->count; i++)
        regex_destroy(pretokenizer->steps[i].regex);
    memory_free(pretokenizer->steps);
    memory_free(pretokenizer);
}

/* Whether a step has what it is made of. */
static bool is_sound(const struct step *step)
{
    const struct metaspace *metaspace = &step->metaspace;
    return step->type <= STEP_BYTES && step->behavior <= BEHAVIOR_CONTIGUOUS &&
           metaspace->length <= sizeof metaspace->replacement &&
           unicode_valid_prefix(metaspace->replacement, metaspace->length) == metaspace->length &&
           (step->regex || step->type != STEP_REGEX);
}

void pretokenizer_store(struct archive *archive, struct pretokenizer **pretokenizer)
{
    struct pretokenizer *stored = archive_struct(archive, (void **)pretokenizer, sizeof *stored);
    if (!stored ||
        !archive_array(archive, (void **)&stored->steps, &stored->count, sizeof *stored->steps))
        return;
    for (size_t i = 0; i < stored->count; i++) {
        struct step *step = &stored->steps[i];
        archive_value(archive, &step->type);
        archive_value(archive, &step->behavior);
        archive_value(archive, &step->invert);
        archive_value(archive, &step->metaspace);
        archive_value(archive, &step->ends_words);
        archive_value(archive, &step->forbids_cuts);
        regex_store(archive, &step->regex);
        archive_check(archive, is_sound(step), "a pre-tokenizer in parts");
    }
}

/* ------------------------------------------------------------------------------- questions */

bool pretokenizer_is_byte_level(const struct pretokenizer *pretokenizer)
{
    return pretokenizer->count && pretokenizer->steps[pretokenizer->count - 1].type == STEP_BYTES;
}

void pretokenizer_leave_bytes(struct pretokenizer *pretokenizer)
{
    pretokenizer->count--;
}

bool pretokenizer_needs_spans(const struct pretokenizer *pretokenizer)
{
    for (size_t i = 0; i < pretokenizer->count; i++)
        if (pretokenizer->steps[i].type == STEP_METASPACE &&
            pretokenizer->steps[i].metaspace.prepend == PREPEND_FIRST)
            return true;
    return false;
}

bool pretokenizer_allows_cuts(const struct pretokenizer *pretokenizer)
{
    bool ends_words = false;
    for (size_t i = 0; i < pretokenizer->count; i++) {
        if (pretokenizer->steps[i].forbids_cuts)
            return false;
        ends_words |= pretokenizer->steps[i].ends_words;
    }
    return ends_words;
}

/* ------------------------------------------------------------------------------- applying */

static sembed_status apply_split(const struct step *step, const struct pretokenizer_pass *pass,
                                 struct split split)
{
    switch (step->type) {
    case STEP_BERT:
        return split_bert(pass, split);
    case STEP_WHITESPACE_SPLIT:
        return split_by_class(pass, split, unicode_is_whitespace, BEHAVIOR_REMOVED);
    case STEP_WORDS:
        return split_words(pass, split);
    case STEP_PUNCTUATION:
        return split_by_class(pass, split, unicode_is_punctuation, step->behavior);
    case STEP_DIGITS:
        return split_by_class(pass, split, unicode_is_numeric, step->behavior);
    case STEP_REGEX:
        return split_by_regex(pass, split, step->regex, step->invert, step->behavior);
    case STEP_GPT2:
        return split_gpt2(pass, split);
    default:
        return error_set(pass->error, SEMBED_INVALID_ARGUMENT, "no such pre-tokenizer");
    }
}

static sembed_status apply_rewrite(const struct step *step, const struct pretokenizer_pass *pass,
                                   struct split split, struct aligned_text *to)
{
    size_t start = to->length;
    sembed_status status;
    if (split.token != VOCABULARY_NONE)
        status =
            aligned_text_copy(to, pass->text, split.start, split.stop, pass->poll, pass->error);
    else if (step->type == STEP_PREFIX_SPACE)
        status = rewrite_with_prefix_space(pass, split, to);
    else if (step->type == STEP_METASPACE)
        status = rewrite_metaspace(pass, split, &step->metaspace, to);
    else
        status = rewrite_bytes(pass, split, to);
    if (status == SEMBED_OK)
        status = splits_append(pass->out, start, to->length, split.token, pass->error);
    return status;
}

static sembed_status apply_step(const struct step *step, const struct pretokenizer_pass *pass,
                                struct split split, struct aligned_text *to)
{
    if (step->type >= STEP_PREFIX_SPACE)
        return apply_rewrite(step, pass, split, to);
    if (split.token != VOCABULARY_NONE)
        return splits_append(pass->out, split.start, split.stop, split.token, pass->error);
    return apply_split(step, pass, split);
}

sembed_status pretokenizer_apply(const struct pretokenizer *pretokenizer,
                                 struct pretokenizer_scratch *scratch, struct aligned_text *text,
                                 struct splits *splits, const sembed_poll *poll,
                                 sembed_error *error)
{
    const struct pretokenizer_pass pass = {.text = text,
                                           .out = &scratch->other_splits,
                                           .scratch = scratch,
                                           .poll = poll,
                                           .error = error};
    for (size_t i = 0; i < pretokenizer->count; i++) {
        const struct step *step = &pretokenizer->steps[i];
        scratch->other_splits.count = 0;
        aligned_text_clear(&scratch->other_text, text->tracked);
        scratch->other_text.most = text->most;
        for (size_t j = 0, next = PRETOKENIZER_POLL_BYTES; j < splits->count; j++) {
            if (poll_wants_stop_past(poll, splits->items[j].start, &next))
                return error_canceled(error);
            sembed_status status = apply_step(step, &pass, splits->items[j], &scratch->other_text);
            if (status != SEMBED_OK)
                return status;
        }
        splits_swap(splits, &scratch->other_splits);
        if (step->type >= STEP_PREFIX_SPACE)
            aligned_text_swap(text, &scratch->other_text);
    }
    return SEMBED_OK;
}

void pretokenizer_scratch_free(struct pretokenizer_scratch *scratch)
{
    aligned_text_free(&scratch->other_text);
    memory_free(scratch->other_splits.items);
    memory_free(scratch->matches);
    regex_scratch_free(&scratch->regex);
    *scratch = (struct pretokenizer_scratch){0};
}
