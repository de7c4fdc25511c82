#include "core/text/postprocessor.h"

#include "core/base/memory.h"
#include "core/text/components.h"

#include <string.h>

/* More than any model reads; the file can multiply its own length otherwise. */
#define MOST_PARTS 65536

/* Appends a part. */
static sembed_status template_append(struct template *template, uint32_t id, uint32_t type,
                                     sembed_error *error)
{
    if (type > UINT8_MAX)
        return error_set(error, SEMBED_LIMIT, "token type %u is over %u", type, UINT8_MAX);
    if (template->count == MOST_PARTS)
        return error_set(error, SEMBED_LIMIT, "key 'post_processor': more than %d special tokens",
                         MOST_PARTS);
    if (!memory_grow((void **)&template->parts, &template->capacity, template->count + 1,
                     sizeof *template->parts))
        return error_no_memory(error, "the special tokens");
    template->parts[template->count++] = (struct template_part){id, (uint8_t)type};
    template->special_count += id < TEMPLATE_FIRST;
    return SEMBED_OK;
}

static sembed_status read_id(const struct json_file *file, const char *key, const json_t *json,
                             uint32_t *id, sembed_error *error)
{
    json_int_t value = json_is_integer(json) ? json_integer_value(json) : -1;
    if (value < 0 || value >= TEMPLATE_FIRST)
        return json_expected(file, key, "a token id", json, error);
    *id = (uint32_t)value;
    return SEMBED_OK;
}

/* ---------------------------------------------------------------------- TemplateProcessing */

/* {"SpecialToken": {"id": "[CLS]", "type_id": 0}}: all the ids that special_tokens lists for it. */
static sembed_status append_special(const struct json_file *file, const json_t *special_tokens,
                                    const char *name, uint32_t type, struct template *template,
                                    sembed_error *error)
{
    const json_t *ids = json_object_get(json_object_get(special_tokens, name), "ids");
    if (!json_is_array(ids))
        return error_set(error, SEMBED_MALFORMED,
                         "%s: key 'post_processor': special_tokens has no ids for '%s'", file->path,
                         name);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        uint32_t id = 0;
        sembed_status status = read_id(file, "ids", json_array_get(ids, i), &id, error);
        if (status == SEMBED_OK)
            status = template_append(template, id, type, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static sembed_status append_part(const struct json_file *file, const json_t *part,
                                 const json_t *special_tokens, bool pair, struct template *template,
                                 sembed_error *error)
{
    const json_t *special = json_object_get(part, "SpecialToken");
    const json_t *sequence = json_object_get(part, "Sequence");
    const json_t *piece = special ? special : sequence;
    const char *name;
    size_t type = 0;
    if (!piece)
        return json_expected(file, "post_processor", "a SpecialToken or a Sequence", part, error);
    sembed_status status = json_get_string(file, piece, "id", &name, error);
    if (status == SEMBED_OK)
        status = json_get_size_or(file, piece, "type_id", 0, &type, error);
    if (status != SEMBED_OK)
        return status;
    if (type > UINT8_MAX)
        type = (size_t)UINT8_MAX + 1; /* template_append refuses it */
    if (special)
        return append_special(file, special_tokens, name, (uint32_t)type, template, error);
    if (strcmp(name, "A") == 0)
        return template_append(template, TEMPLATE_FIRST, (uint32_t)type, error);
    if (strcmp(name, "B") == 0 && pair)
        return template_append(template, TEMPLATE_SECOND, (uint32_t)type, error);
    return error_set(error, SEMBED_MALFORMED,
                     "%s: key 'post_processor': expected sequence A%s, found '%s'", file->path,
                     pair ? " or B" : "", name);
}

static sembed_status read_template(const struct json_file *file, const json_t *json,
                                   const char *key, struct template *template, sembed_error *error)
{
    const json_t *parts = json_object_get(json, key);
    const json_t *special_tokens = json_object_get(json, "special_tokens");
    if (!json_is_array(parts))
        return json_expected(file, key, "an array", parts, error);
    for (size_t i = 0; i < json_array_size(parts); i++) {
        sembed_status status = append_part(file, json_array_get(parts, i), special_tokens,
                                           strcmp(key, "pair") == 0, template, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static sembed_status read_templates(const struct json_file *file, const json_t *json,
                                    struct postprocessor *postprocessor, sembed_error *error)
{
    sembed_status status = read_template(file, json, "single", &postprocessor->single, error);
    if (status == SEMBED_OK)
        status = read_template(file, json, "pair", &postprocessor->pair, error);
    return status;
}

/* -------------------------------------------------------- BertProcessing, RobertaProcessing */

/* ["[SEP]", 102] */
static sembed_status read_token(const struct json_file *file, const json_t *json, const char *key,
                                uint32_t *id, sembed_error *error)
{
    const json_t *token = json_object_get(json, key);
    if (!json_is_array(token) || json_array_size(token) != 2)
        return json_expected(file, key, "a token and its id", token, error);
    return read_id(file, key, json_array_get(token, 1), id, error);
}

static sembed_status append_all(struct template *template, const struct template_part *parts,
                                size_t count, sembed_error *error)
{
    for (size_t i = 0; i < count; i++) {
        sembed_status status = template_append(template, parts[i].id, parts[i].type, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The parts of the pair; the first three are those of a single text. */
static sembed_status make_templates(struct postprocessor *postprocessor,
                                    const struct template_part *parts, size_t count,
                                    sembed_error *error)
{
    sembed_status status = append_all(&postprocessor->single, parts, 3, error);
    return status == SEMBED_OK ? append_all(&postprocessor->pair, parts, count, error) : status;
}

sembed_status postprocessor_make_bert(struct postprocessor *postprocessor, uint32_t cls,
                                      uint32_t sep, sembed_error *error)
{
    const struct template_part parts[] = {
        {cls, 0}, {TEMPLATE_FIRST, 0}, {sep, 0}, {TEMPLATE_SECOND, 1}, {sep, 1},
    };
    return make_templates(postprocessor, parts, COUNT(parts), error);
}

sembed_status postprocessor_make_roberta(struct postprocessor *postprocessor, uint32_t cls,
                                         uint32_t sep, sembed_error *error)
{
    const struct template_part parts[] = {
        {cls, 0}, {TEMPLATE_FIRST, 0}, {sep, 0}, {sep, 0}, {TEMPLATE_SECOND, 0}, {sep, 0},
    };
    return make_templates(postprocessor, parts, COUNT(parts), error);
}

sembed_status postprocessor_add_trim(struct postprocessor *postprocessor, const char *name,
                                     bool add_prefix_space, sembed_error *error)
{
    if (postprocessor->trim_count == POSTPROCESSOR_MOST_TRIMS)
        return error_set(error, SEMBED_LIMIT,
                         "%s: key 'post_processor': offsets are trimmed over %d times", name,
                         POSTPROCESSOR_MOST_TRIMS);
    postprocessor->trims[postprocessor->trim_count++].add_prefix_space = add_prefix_space;
    return SEMBED_OK;
}

static sembed_status read_cls_and_sep(const struct json_file *file, const json_t *json,
                                      uint32_t *cls, uint32_t *sep, sembed_error *error)
{
    *cls = *sep = 0;
    sembed_status status = read_token(file, json, "cls", cls, error);
    return status == SEMBED_OK ? read_token(file, json, "sep", sep, error) : status;
}

static sembed_status read_bert(const struct json_file *file, const json_t *json,
                               struct postprocessor *postprocessor, sembed_error *error)
{
    uint32_t cls, sep;
    sembed_status status = read_cls_and_sep(file, json, &cls, &sep, error);
    return status == SEMBED_OK ? postprocessor_make_bert(postprocessor, cls, sep, error) : status;
}

static sembed_status read_trim(const struct json_file *file, const json_t *json,
                               struct postprocessor *postprocessor, sembed_error *error)
{
    bool trim, add_prefix_space;
    sembed_status status = json_get_bool_or(file, json, "trim_offsets", true, &trim, error);
    if (status == SEMBED_OK)
        status = json_get_bool_or(file, json, "add_prefix_space", true, &add_prefix_space, error);
    if (status == SEMBED_OK && trim)
        status = postprocessor_add_trim(postprocessor, file->path, add_prefix_space, error);
    return status;
}

static sembed_status read_roberta(const struct json_file *file, const json_t *json,
                                  struct postprocessor *postprocessor, sembed_error *error)
{
    uint32_t cls, sep;
    sembed_status status = read_cls_and_sep(file, json, &cls, &sep, error);
    if (status == SEMBED_OK)
        status = read_trim(file, json, postprocessor, error);
    return status == SEMBED_OK ? postprocessor_make_roberta(postprocessor, cls, sep, error)
                               : status;
}

/* ------------------------------------------------------------------------------- any kind */

typedef sembed_status processor_reader(const struct json_file *file, const json_t *json,
                                       struct postprocessor *postprocessor, sembed_error *error);

static const struct {
    const char *type;
    processor_reader *read;
    bool adds_tokens;
} readers[] = {
    {"TemplateProcessing", read_templates, true},
    {"BertProcessing", read_bert, true},
    {"RobertaProcessing", read_roberta, true},
    {"ByteLevel", read_trim, false},
};

static component_reader read_processor;

static const struct component_kind kind = {"post_processor", "processors", read_processor};

static sembed_status read_processor(void *owner, const struct json_file *file, const json_t *json,
                                    const char *type, sembed_error *error)
{
    struct postprocessor *postprocessor = owner;
    for (size_t i = 0; i < COUNT(readers); i++) {
        if (strcmp(readers[i].type, type) != 0)
            continue;
        if (readers[i].adds_tokens && postprocessor->single.count)
            return error_set(error, SEMBED_UNSUPPORTED,
                             "%s: key 'post_processor': '%s' behind another that adds tokens",
                             file->path, type);
        return readers[i].read(file, json, postprocessor, error);
    }
    return component_unknown(&kind, file, type, error);
}

sembed_status postprocessor_read(const struct json_file *file, const json_t *json,
                                 struct postprocessor *postprocessor, sembed_error *error)
{
    sembed_status status = components_read(&kind, postprocessor, file, json, error);
    if (status != SEMBED_OK || postprocessor->single.count)
        return status;
    /* Nothing added: the sequences one behind the other. */
    const struct template_part parts[] = {{TEMPLATE_FIRST, 0}, {TEMPLATE_SECOND, 1}};
    status = append_all(&postprocessor->single, parts, 1, error);
    if (status == SEMBED_OK)
        status = append_all(&postprocessor->pair, parts, COUNT(parts), error);
    return status;
}

void postprocessor_free(struct postprocessor *postprocessor)
{
    memory_free(postprocessor->single.parts);
    memory_free(postprocessor->pair.parts);
    *postprocessor = (struct postprocessor){0};
}

/* ------------------------------------------------------------------------------- images */

/* What appending to it sees to: special_count says how many special tokens there are, and a second
 * sequence has a place in the template of pairs alone. */
static bool is_sound(const struct template *template, uint32_t last_place)
{
    size_t special = 0;
    bool sound = true;
    for (size_t i = 0; i < template->count; i++) {
        special += template->parts[i].id < TEMPLATE_FIRST;
        sound &= template->parts[i].id <= last_place && template->parts[i].type <= 1;
    }
    return sound && special == template->special_count;
}

static void store_template(struct archive *archive, struct template *template, uint32_t last_place)
{
    archive_value(archive, &template->special_count);
    if (!archive_array(archive, (void **)&template->parts, &template->count,
                       sizeof *template->parts))
        return;
    for (size_t i = 0; i < template->count; i++) {
        archive_value(archive, &template->parts[i].id);
        archive_value(archive, &template->parts[i].type);
    }
    archive_check(archive, is_sound(template, last_place), "a template that is none");
}

void postprocessor_store(struct archive *archive, struct postprocessor *postprocessor)
{
    store_template(archive, &postprocessor->single, TEMPLATE_FIRST);
    store_template(archive, &postprocessor->pair, TEMPLATE_SECOND);
    for (size_t i = 0; i < POSTPROCESSOR_MOST_TRIMS; i++)
        archive_value(archive, &postprocessor->trims[i].add_prefix_space);
    archive_value(archive, &postprocessor->trim_count);
    archive_check(archive, postprocessor->trim_count <= POSTPROCESSOR_MOST_TRIMS,
                  "a post-processor with too many steps");
}
