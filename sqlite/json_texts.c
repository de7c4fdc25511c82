#include "sqlite/extension.h"

#include "core/base/json_array.h"
#include "core/base/memory.h"
#include "core/text/repair.h"

/* One text, by its place among the bytes. */
struct json_span {
    size_t start; /* NULL_TEXT: null */
    size_t length;
};

#define NULL_TEXT SIZE_MAX

struct texts_reader {
    struct json_texts *texts;
    size_t length, capacity; /* bytes that texts take so far; spans there is room for */
    struct json_string string;
};

static bool take_text(struct json_reader *json, void *state)
{
    struct texts_reader *reader = state;
    struct json_texts *texts = reader->texts;
    if (!memory_grow((void **)&texts->spans, &reader->capacity, texts->count + 1,
                     sizeof *texts->spans)) {
        json->no_memory = true;
        return false;
    }
    struct json_span *span = &texts->spans[texts->count];
    *span = (struct json_span){.start = NULL_TEXT};
    if (!json_reader_word(json, "null")) {
        const struct json_string *string = &reader->string;
        if (!json_reader_string(json, &reader->string))
            return false;
        json->canceled =
            !memory_copy(texts->bytes + reader->length, string->data, string->length, json->poll);
        if (json->canceled)
            return false;
        *span = (struct json_span){reader->length, string->length};
        reader->length += string->length;
    }
    texts->count++;
    return true;
}

static sembed_status fail_array(const struct json_array_fault *fault, struct argument argument,
                                sembed_error *error)
{
    if (!fault->found)
        return json_malformed(argument, fault->offset, fault->expected, error);
    if (fault->index == JSON_NO_ELEMENT)
        return argument_fail(argument, error, "expected a JSON array of strings, found %s",
                             fault->found);
    return argument_fail(argument, error, "expected a string or null at index %zu, found %s",
                         fault->index, fault->found);
}

static sembed_status read_array(sembed_text json, struct argument argument, const sembed_poll *poll,
                                struct json_texts *texts, sembed_error *error)
{
    struct texts_reader reader = {.texts = texts};
    struct json_array_fault fault;
    /* No text is longer than the JSON that says it. */
    texts->bytes = memory_alloc(json.length);
    sembed_status status = SEMBED_NO_MEMORY;
    if (texts->bytes)
        status = json_array_read(json.data, json.length, poll, take_text, &reader, &fault);
    memory_free(reader.string.buffer);
    if (status == SEMBED_CANCELED)
        return error_canceled(error);
    if (status == SEMBED_NO_MEMORY)
        return error_no_memory(error, "a JSON value");
    return status ? fail_array(&fault, argument, error) : SEMBED_OK;
}

/* JSON has no invalid UTF-8, but one bad text in a table must not refuse the others. */
sembed_status json_texts_read(sembed_text json, struct argument argument, const sembed_poll *poll,
                              struct json_texts *texts, sembed_error *error)
{
    struct repair repair = {0};
    *texts = (struct json_texts){0};
    sembed_status status = repair_text(&repair, json, false, poll, &json, error);
    if (!status)
        status = read_array(json, argument, poll, texts, error);
    repair_free(&repair);
    if (status)
        json_texts_free(texts);
    return status;
}

void json_texts_free(struct json_texts *texts)
{
    memory_free(texts->bytes);
    memory_free(texts->spans);
    *texts = (struct json_texts){0};
}

bool json_texts_get(const struct json_texts *texts, size_t i, sembed_text *text)
{
    const struct json_span *span = &texts->spans[i];
    if (span->start == NULL_TEXT)
        return false;
    *text = (sembed_text){texts->bytes + span->start, span->length};
    return true;
}
