#include "sqlite/extension.h"

#include "core/base/json.h"
#include "core/base/json_tree.h"
#include "core/text/repair.h"

#include <string.h>

/* What PostgreSQL calls normalize, which is a keyword there. */
#define NORMALIZE_ALIAS "normalize_embeddings"

static sembed_status key_fail(struct argument argument, const char *key, const char *expected,
                              const char *found, sembed_error *error)
{
    return argument_fail(argument, error, "key '%s': expected %s, found %s", key, expected, found);
}

/* What an integer or another value is in a message. */
static const char *found_word(const json_t *value, char buffer[32])
{
    if (!json_is_integer(value))
        return json_type_word(value);
    sqlite3_snprintf(32, buffer, "%lld", (long long)json_integer_value(value));
    return buffer;
}

static sembed_status read_size(const json_t *value, struct argument argument, const char *key,
                               size_t *size, sembed_error *error)
{
    char buffer[32];
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return key_fail(argument, key, "an integer of 0 or more", found_word(value, buffer), error);
    *size = (size_t)json_integer_value(value);
    return SEMBED_OK;
}

static sembed_status read_string(const json_t *value, struct argument argument, const char *key,
                                 const char **string, sembed_error *error)
{
    if (!json_is_string(value))
        return key_fail(argument, key, "a string", json_type_word(value), error);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return key_fail(argument, key, "a string", "one with a zero byte in it", error);
    *string = json_string_value(value);
    return SEMBED_OK;
}

static sembed_status read_normalize(const json_t *value, struct argument argument, const char *key,
                                    sembed_normalize *normalize, sembed_error *error)
{
    static const struct {
        const char *word;
        sembed_normalize normalize;
    } words[] = {{"model", SEMBED_NORMALIZE_AS_MODEL},
                 {"always", SEMBED_NORMALIZE_ALWAYS},
                 {"never", SEMBED_NORMALIZE_NEVER}};
    const char *word = NULL;
    sembed_status status = read_string(value, argument, key, &word, error);
    if (status)
        return status;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i].word) == 0) {
            *normalize = words[i].normalize;
            return SEMBED_OK;
        }
    return argument_fail(argument, error,
                         "key '%s': expected 'model', 'always' or 'never', found '%s'", key, word);
}

static sembed_status read_key(const char *key, const json_t *value, struct argument argument,
                              const char *role, sembed_options *options, sembed_error *error)
{
    if (json_is_null(value))
        return SEMBED_OK; /* as if it were not there: json_object('dims', ?1) */
    if (strcmp(key, "dims") == 0)
        return read_size(value, argument, key, &options->dims, error);
    if (strcmp(key, "layers") == 0)
        return read_size(value, argument, key, &options->layers, error);
    if (strcmp(key, "normalize") == 0 || strcmp(key, NORMALIZE_ALIAS) == 0)
        return read_normalize(value, argument, key, &options->normalize, error);
    if (!role && strcmp(key, "prompt") == 0)
        return read_string(value, argument, key, &options->prompt, error);
    if (!role && strcmp(key, "prompt_name") == 0)
        return read_string(value, argument, key, &options->prompt_name, error);
    return argument_fail(argument, error,
                         "unknown key '%s': the keys are dims, layers, %snormalize", key,
                         role ? "" : "prompt, prompt_name, ");
}

static sembed_status read_object(json_t *root, struct argument argument, const char *role,
                                 sembed_options *options, sembed_error *error)
{
    const char *key;
    json_t *value;
    if (!json_is_object(root))
        return argument_fail(argument, error, "expected a JSON object, found %s",
                             json_type_word(root));
    json_object_foreach(root, key, value)
    {
        sembed_status status = read_key(key, value, argument, role, options, error);
        if (status)
            return status;
    }
    if (json_object_get(root, "normalize") && json_object_get(root, NORMALIZE_ALIAS))
        return argument_fail(argument, error,
                             "normalize and " NORMALIZE_ALIAS " are given: expected one");
    if (options->prompt && options->prompt_name)
        return argument_fail(argument, error, "prompt and prompt_name are given: expected one");
    /* The default prompt can be had without its name, so no prompt at all needs one. */
    if (options->prompt_name && strcmp(options->prompt_name, "none") == 0) {
        options->prompt = "";
        options->prompt_name = NULL;
    }
    return SEMBED_OK;
}

static sembed_status read_tree(sembed_text json, struct argument argument, const sembed_poll *poll,
                               void **root, sembed_error *error)
{
    struct json_fault fault;
    json_t *tree;
    sembed_status status = json_tree_read(json.data, json.length, poll, NULL, &tree, &fault);
    *root = tree;
    if (status == SEMBED_CANCELED)
        return error_canceled(error);
    if (status == SEMBED_NO_MEMORY)
        return error_no_memory(error, "a JSON value");
    return status ? json_malformed(argument, fault.offset, fault.message, error) : SEMBED_OK;
}

sembed_status options_read(struct connection *connection, sqlite3_value *value,
                           struct argument argument, const char *role,
                           struct embed_options *options, sembed_error *error)
{
    options->values = (sembed_options){
        .prompt_name = role,
        .refuse_truncation = connection_refuses_truncation(connection),
    };
    if (!value)
        return SEMBED_OK;
    struct repair repair = {0};
    sembed_text json = {0};
    sembed_poll poll = connection_poll(connection);
    sembed_status status = value_text(value, argument, &json, error);
    if (!status)
        status = repair_text(&repair, json, false, &poll, &json, error);
    if (!status)
        status = read_tree(json, argument, &poll, &options->root, error);
    repair_free(&repair);
    if (!status)
        status = read_object(options->root, argument, role, &options->values, error);
    return status;
}

void options_free(struct embed_options *options)
{
    json_decref(options->root);
    *options = (struct embed_options){0};
}
