#include "sqlite/extension.h"

#include "core/base/json.h"
#include "core/text/unicode.h"

#include <string.h>

/* *repaired_length: of the text once each fault of its UTF-8 has become U+FFFD; written to out where that
 * is not NULL. */
static sembed_status repair(sembed_text text, const sembed_poll *poll, char *out,
                            size_t *repaired_length, sembed_error *error)
{
    size_t length = 0;
    for (size_t i = 0, next = 0; i < text.length;) {
        if (poll_wants_stop_past(poll, i, &next))
            return error_canceled(error);
        size_t valid = unicode_valid_prefix(text.data + i, text.length - i);
        if (out)
            memcpy(out + length, text.data + i, valid);
        length += valid;
        i += valid;
        if (i == text.length)
            break;
        char replacement[UNICODE_LONGEST];
        size_t size = unicode_encode(UNICODE_REPLACEMENT, replacement);
        if (out)
            memcpy(out + length, replacement, size);
        length += size;
        i += unicode_fault_length(text.data + i, text.length - i);
    }
    *repaired_length = length;
    return SEMBED_OK;
}

static sembed_status read_valid(sembed_text json, struct argument argument, const sembed_poll *poll,
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
    if (status)
        return argument_fail(argument, error, "malformed JSON at byte %lld: %s",
                             (long long)fault.offset, fault.message);
    return SEMBED_OK;
}

/* JSON has no invalid UTF-8, but one bad text in a table must not refuse the others. */
sembed_status json_read(sembed_text json, struct argument argument, const sembed_poll *poll,
                        void **root, sembed_error *error)
{
    if (unicode_valid_prefix(json.data, json.length) == json.length)
        return read_valid(json, argument, poll, root, error);

    size_t length = 0;
    sembed_status status = repair(json, poll, NULL, &length, error);
    char *repaired = status ? NULL : sqlite3_malloc64(length);
    if (!status && !repaired)
        status = error_no_memory(error, "a JSON value");
    if (!status)
        status = repair(json, poll, repaired, &length, error);
    if (!status)
        status = read_valid((sembed_text){repaired, length}, argument, poll, root, error);
    sqlite3_free(repaired);
    return status;
}

static sembed_status check(const json_t *root, struct argument argument, sembed_error *error)
{
    if (!json_is_array(root))
        return argument_fail(argument, error, "expected a JSON array of strings, found %s",
                             json_type_word(root));
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *element = json_array_get(root, i);
        if (!json_is_string(element) && !json_is_null(element))
            return argument_fail(argument, error,
                                 "expected a string or null at index %zu, found %s", i,
                                 json_type_word(element));
    }
    return SEMBED_OK;
}

sembed_status json_texts_read(sembed_text json, struct argument argument, const sembed_poll *poll,
                              struct json_texts *texts, sembed_error *error)
{
    void *root = NULL;
    sembed_status status = json_read(json, argument, poll, &root, error);
    if (!status)
        status = check(root, argument, error);
    if (status) {
        json_decref(root);
        return status;
    }
    *texts = (struct json_texts){root, json_array_size(root)};
    return SEMBED_OK;
}

void json_texts_free(struct json_texts *texts)
{
    json_decref(texts->root);
    *texts = (struct json_texts){0};
}

bool json_texts_get(const struct json_texts *texts, size_t i, sembed_text *text)
{
    const json_t *element = json_array_get(texts->root, i);
    if (!json_is_string(element))
        return false;
    *text = (sembed_text){json_string_value(element), json_string_length(element)};
    return true;
}
