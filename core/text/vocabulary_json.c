#include "core/text/vocabulary_json.h"

#include "core/base/json_reader.h"
#include "core/base/memory.h"

#include <stdio.h>

#define POLL_INTERVAL 16384 /* tokens */

/* "token": id */
static sembed_status read_entry(struct json_reader *reader, const struct json_file *file,
                                const char *key, struct json_string *token,
                                struct vocabulary *vocabulary, sembed_error *error)
{
    uint32_t id;
    if (!json_reader_string(reader, token) || !json_reader_take(reader, ':'))
        return json_reader_expected(reader, file, key, "a token and its id", error);
    if (!json_reader_u32(reader, &id)) {
        char expected[100];
        snprintf(expected, sizeof expected, "an id for '%.*s'",
                 (int)(token->length < 64 ? token->length : 64), token->data);
        return json_reader_expected(reader, file, key, expected, error);
    }
    return vocabulary_add(vocabulary, token->data, token->length, id, error);
}

sembed_status vocabulary_read_ids(const struct json_file *file, const char *key,
                                  const struct json_text *text, struct vocabulary *vocabulary,
                                  const sembed_poll *poll, sembed_error *error)
{
    struct json_reader reader = {.at = text->data, .end = text->data + text->size};
    struct json_string token = {0};
    sembed_status status = SEMBED_OK;
    if (!json_reader_take(&reader, '{'))
        return json_reader_expected(&reader, file, key, "an object", error);
    if (!json_reader_sees(&reader, '}')) {
        size_t count = 0;
        do {
            status = read_entry(&reader, file, key, &token, vocabulary, error);
            if (status == SEMBED_OK && poll_wants_stop_every(poll, count++, POLL_INTERVAL))
                status = error_canceled(error);
        } while (status == SEMBED_OK && json_reader_take(&reader, ','));
    }
    if (status == SEMBED_OK && (!json_reader_take(&reader, '}') || !json_reader_at_end(&reader)))
        status = json_reader_expected(&reader, file, key, "the end of the object", error);
    memory_free(token.buffer);
    return status;
}

sembed_status vocabulary_read_vocab(const struct json_file *file, const json_t *object,
                                    struct vocabulary *vocabulary, const sembed_poll *poll,
                                    sembed_error *error)
{
    struct json_text text;
    sembed_status status = json_text_of(file, object, "vocab", &text, error);
    if (status != SEMBED_OK)
        return status;
    status = vocabulary_read_ids(file, "vocab", &text, vocabulary, poll, error);
    json_text_free(&text);
    return status;
}
