#include "core/base/json_array.h"

#include "core/base/memory.h"

/* What json_type_word calls the value that is next, which is taken; NULL where there is none, with
 * *expected. */
static const char *take_any(struct json_reader *reader, const char **expected)
{
    struct json_string string = {0};
    int64_t whole;
    double number;
    bool is_array = json_reader_sees(reader, '[');
    if (is_array || json_reader_sees(reader, '{')) {
        *expected = "a value with an end";
        if (!json_reader_skip_container(reader))
            return NULL;
        return is_array ? "an array" : "an object";
    }
    if (json_reader_sees(reader, '"')) {
        *expected = "a string";
        bool taken = json_reader_string(reader, &string);
        memory_free(string.buffer);
        return taken ? "a string" : NULL;
    }
    if (json_reader_word(reader, "null"))
        return "null";
    if (json_reader_word(reader, "true") || json_reader_word(reader, "false"))
        return "a boolean";
    if (json_reader_integer(reader, &whole))
        return "an integer";
    *expected = "a value";
    return json_reader_number(reader, &number) ? "a fraction" : NULL;
}

/* What stands where something else is wanted. */
static sembed_status refuse(struct json_reader *reader, const char *start, size_t index,
                            struct json_array_fault *fault)
{
    const char *expected = NULL;
    if (!reader->no_memory && !reader->canceled) {
        json_reader_skip_space(reader);
        *fault = (struct json_array_fault){.index = index, .offset = (size_t)(reader->at - start)};
        fault->found = take_any(reader, &expected);
    }
    if (reader->canceled)
        return SEMBED_CANCELED;
    if (reader->no_memory)
        return SEMBED_NO_MEMORY;
    if (!fault->found)
        json_reader_found(reader, expected, fault->expected, sizeof fault->expected);
    return SEMBED_MALFORMED;
}

/* What is missing where the reader stands. */
static sembed_status miss(const struct json_reader *reader, const char *start, const char *expected,
                          struct json_array_fault *fault)
{
    *fault =
        (struct json_array_fault){.index = JSON_NO_ELEMENT, .offset = (size_t)(reader->at - start)};
    json_reader_found(reader, expected, fault->expected, sizeof fault->expected);
    return SEMBED_MALFORMED;
}

sembed_status json_array_read(const char *data, size_t size, const sembed_poll *poll,
                              json_take_element *take, void *state, struct json_array_fault *fault)
{
    struct json_reader reader = {.at = data, .end = data + size, .poll = poll};
    if (!json_reader_take(&reader, '['))
        return refuse(&reader, data, JSON_NO_ELEMENT, fault);
    if (!json_reader_sees(&reader, ']')) {
        size_t index = 0, next_poll = 0;
        do {
            if (poll_wants_stop_past(poll, (size_t)(reader.at - data), &next_poll))
                return SEMBED_CANCELED;
            if (!take(&reader, state))
                return refuse(&reader, data, index, fault);
            index++;
        } while (json_reader_take(&reader, ','));
    }
    if (!json_reader_take(&reader, ']'))
        return miss(&reader, data, "',' or ']'", fault);
    return json_reader_at_end(&reader) ? SEMBED_OK
                                       : miss(&reader, data, "the end of the text", fault);
}
