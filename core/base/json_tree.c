#include "core/base/json_tree.h"

#include "core/base/json_reader.h"
#include "core/base/memory.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_LIMIT 2048 /* values within values: a call each, here and where jansson frees them */

struct tree_reader {
    struct json_reader json;
    struct json_string string; /* the last value that was one */
    const char *start;
    const struct json_omissions *omissions; /* may be NULL */
    size_t next_poll, depth;
    const char *expected; /* what is not there where json stands; NULL: the text is good so far */
};

/* Where a value stands in the tree, for what is left out. */
enum place { ROOT, OUTER, ELSEWHERE };

static json_t *read_value(struct tree_reader *reader, enum place place);

json_t *json_empty_object(void)
{
    return json_pack("{}");
}

static void *refuse(struct tree_reader *reader, const char *expected)
{
    reader->expected = expected;
    return NULL;
}

static bool take(struct tree_reader *reader, char character, const char *expected)
{
    return json_reader_take(&reader->json, character) || refuse(reader, expected);
}

static bool take_string(struct tree_reader *reader, struct json_string *string)
{
    if (json_reader_string(&reader->json, string))
        return true;
    if (!reader->json.no_memory)
        refuse(reader, "a string");
    return false;
}

static json_t *read_string(struct tree_reader *reader)
{
    if (!take_string(reader, &reader->string))
        return NULL;
    return json_stringn_nocheck(reader->string.data, reader->string.length);
}

static json_t *read_number(struct tree_reader *reader)
{
    int64_t whole;
    double number;
    if (json_reader_integer(&reader->json, &whole))
        return json_integer(whole);
    if (json_reader_number(&reader->json, &number))
        return json_real(number);
    return reader->json.no_memory ? NULL : refuse(reader, "a number of at most 1.8e308");
}

/* --- arrays and objects ------------------------------------------------------------------------- */

static bool read_elements(struct tree_reader *reader, json_t *array)
{
    if (json_reader_take(&reader->json, ']'))
        return true;
    do {
        json_t *element = read_value(reader, ELSEWHERE);
        if (!element || json_array_append_new(array, element) != 0)
            return false;
    } while (json_reader_take(&reader->json, ','));
    return take(reader, ']', "',' or ']'");
}

static bool is_spelled(const struct json_string *key, const char *wanted)
{
    return key->length == strlen(wanted) && memcmp(key->data, wanted, key->length) == 0;
}

static bool is_outer(const struct tree_reader *reader, const struct json_string *key)
{
    return reader->omissions && is_spelled(key, reader->omissions->outer);
}

static struct json_omission *find_omission(const struct tree_reader *reader,
                                           const struct json_string *key)
{
    for (size_t i = 0; i < reader->omissions->count; i++)
        if (is_spelled(key, reader->omissions->list[i].key))
            return &reader->omissions->list[i];
    return NULL;
}

static void forget(struct json_omission *omission)
{
    *omission = (struct json_omission){.key = omission->key};
}

/* Moves over an array or an object; what stands in for it. */
static json_t *leave_out(struct tree_reader *reader, struct json_omission *omission)
{
    const char *data = reader->json.at;
    if (!json_reader_skip_container(&reader->json))
        return reader->json.canceled ? NULL : refuse(reader, "a value with an end");
    json_t *stand_in = *data == '[' ? json_array() : json_empty_object();
    omission->data = data;
    omission->end = reader->json.at;
    omission->stand_in = stand_in;
    return stand_in;
}

static json_t *read_member(struct tree_reader *reader, const struct json_string *key,
                           enum place place)
{
    struct json_omission *omission = place == OUTER ? find_omission(reader, key) : NULL;
    if (omission) {
        forget(omission); /* that of an earlier member of this name */
        /* Anything else is small, and wrong in a way that the tree shows better. */
        if (json_reader_sees(&reader->json, '[') || json_reader_sees(&reader->json, '{'))
            return leave_out(reader, omission);
    }
    return read_value(reader, place == ROOT && is_outer(reader, key) ? OUTER : ELSEWHERE);
}

static bool take_key(struct tree_reader *reader, struct json_string *key)
{
    const char *start = reader->json.at;
    if (!take_string(reader, key))
        return false;
    if (!memchr(key->data, '\0', key->length))
        return take(reader, ':', "':'");
    reader->json.at = start;
    return refuse(reader, "a key without a zero byte");
}

static bool read_members(struct tree_reader *reader, json_t *object, enum place place)
{
    if (json_reader_take(&reader->json, '}'))
        return true;
    for (size_t i = 0; place == OUTER && i < reader->omissions->count; i++)
        forget(&reader->omissions->list[i]); /* those of an earlier outer object */
    struct json_string key = {0};
    bool good;
    do {
        json_t *value = take_key(reader, &key) ? read_member(reader, &key, place) : NULL;
        good = value && json_object_setn_new_nocheck(object, key.data, key.length, value) == 0;
    } while (good && json_reader_take(&reader->json, ','));
    memory_free(key.buffer);
    return good && take(reader, '}', "',' or '}'");
}

/* --- values ------------------------------------------------------------------------------------- */

static json_t *read_container(struct tree_reader *reader, enum place place)
{
    bool is_array = json_reader_take(&reader->json, '[');
    json_t *container = is_array ? json_array() : json_empty_object();
    if (!container)
        return NULL;
    bool good =
        is_array ? read_elements(reader, container)
                 : json_reader_take(&reader->json, '{') && read_members(reader, container, place);
    if (good)
        return container;
    json_decref(container);
    return NULL;
}

/* A value of another kind than place says is none that json_omissions speaks of. NULL: see finish. */
static json_t *read_value(struct tree_reader *reader, enum place place)
{
    size_t offset = (size_t)(reader->json.at - reader->start);
    if (poll_wants_stop_past(reader->json.poll, offset, &reader->next_poll)) {
        reader->json.canceled = true;
        return NULL;
    }
    json_reader_skip_space(&reader->json);
    char first = reader->json.at < reader->json.end ? *reader->json.at : '\0';
    json_t *value;
    if (++reader->depth > DEPTH_LIMIT)
        return refuse(reader, "no more than 2048 values within values");
    if (first == '[' || first == '{')
        value = read_container(reader, place);
    else if (first == '"')
        value = read_string(reader);
    else if (json_reader_word(&reader->json, "true"))
        value = json_true();
    else if (json_reader_word(&reader->json, "false"))
        value = json_false();
    else if (json_reader_word(&reader->json, "null"))
        value = json_null();
    else if (first == '-' || (first >= '0' && first <= '9'))
        value = read_number(reader);
    else
        value = refuse(reader, "a value");
    reader->depth--;
    return value;
}

static void fill_fault(const struct tree_reader *reader, struct json_fault *fault)
{
    const char *at = reader->json.at;
    *fault = (struct json_fault){.offset = (size_t)(at - reader->start), .line = 1};
    for (const char *before = reader->start; before < at; before++)
        fault->line += *before == '\n';
    json_reader_found(&reader->json, reader->expected, fault->message, sizeof fault->message);
}

sembed_status json_tree_read(const char *data, size_t size, const sembed_poll *poll,
                             const struct json_omissions *omissions, json_t **root,
                             struct json_fault *fault)
{
    struct tree_reader reader = {.json = {.at = data, .end = data + size, .poll = poll},
                                 .start = data,
                                 .omissions = omissions};
    *root = read_value(&reader, ROOT);
    if (*root && !json_reader_at_end(&reader.json))
        refuse(&reader, "the end of the text");
    memory_free(reader.string.buffer);
    if (*root && !reader.expected)
        return SEMBED_OK;
    json_decref(*root);
    *root = NULL;
    if (reader.json.canceled)
        return SEMBED_CANCELED;
    if (!reader.expected)
        return SEMBED_NO_MEMORY;
    fill_fault(&reader, fault);
    return SEMBED_MALFORMED;
}
