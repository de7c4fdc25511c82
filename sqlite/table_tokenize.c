/*
 * tokenize(text), tokenize(model, text) → position, id, token, start, stop
 *
 * A row for each token, special ones included, also those that embed would cut off. start and stop
 * are characters of the text, so that substr(text, start + 1, stop - start) is what the token was
 * made from; NULL where it was made from nothing in it.
 */
#include "sqlite/extension.h"

enum column {
    COLUMN_POSITION,
    COLUMN_ID,
    COLUMN_TOKEN,
    COLUMN_START,
    COLUMN_STOP,
    COLUMN_COUNT,
};

struct tokens {
    struct table_rows rows;
    const sembed_model *model;
    sembed_token *list;
    struct characters characters;
};

static sembed_status tokens_start(struct table_rows *rows, int count, sqlite3_value **arguments,
                                  sembed_error *error)
{
    struct tokens *tokens = (struct tokens *)rows;
    const char *name = NULL;
    sembed_text text = {0};
    sembed_context *scratch = NULL;
    sembed_poll poll = connection_poll(rows->connection);
    sembed_status status =
        value_model_and_text("tokenize", count > 1, arguments, "text", &name, &text, error);
    if (!status)
        status = connection_model(rows->connection, name, &tokens->model, error);
    if (!status)
        status = connection_scratch(rows->connection, &scratch, error);
    if (!status)
        status = sembed_tokenize(tokens->model, scratch, text, SIZE_MAX, &poll, &tokens->list,
                                 &rows->count, error);
    if (!status)
        status = characters_find(text, &poll, &tokens->characters, error);
    return status;
}

static sembed_status tokens_column(struct table_rows *rows, size_t row, int column,
                                   sqlite3_context *context, sembed_error *error)
{
    (void)error;
    const struct tokens *tokens = (const struct tokens *)rows;
    const sembed_token *token = &tokens->list[row];
    const bool is_from_text = token->stop > 0;
    size_t length = 0;
    const char *spelling;
    switch ((enum column)column) {
    case COLUMN_POSITION:
        sqlite3_result_int64(context, (sqlite3_int64)row);
        break;
    case COLUMN_ID:
        sqlite3_result_int64(context, token->id);
        break;
    case COLUMN_TOKEN:
        spelling = sembed_token_text(tokens->model, token->id, &length);
        if (spelling)
            sqlite3_result_text64(context, spelling, length, SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    case COLUMN_START:
        if (is_from_text)
            sqlite3_result_int64(context,
                                 (sqlite3_int64)characters_at(&tokens->characters, token->start));
        break;
    case COLUMN_STOP:
        if (is_from_text)
            sqlite3_result_int64(
                context, (sqlite3_int64)characters_before(&tokens->characters, token->stop));
        break;
    case COLUMN_COUNT:
        break;
    }
    return SEMBED_OK;
}

static void tokens_stop(struct table_rows *rows)
{
    struct tokens *tokens = (struct tokens *)rows;
    sembed_free(tokens->list);
    characters_free(&tokens->characters);
    model_release(tokens->model);
}

const struct table_function table_tokenize = {
    .name = "tokenize",
    .usage = "tokenize(text) or tokenize(model, text)",
    .columns = "position INTEGER, id INTEGER, token TEXT, start INTEGER, stop INTEGER",
    .column_count = COLUMN_COUNT,
    .fewest_arguments = 1,
    .most_arguments = 2,
    .numbered = true,
    .state_size = sizeof(struct tokens),
    .start = tokens_start,
    .column = tokens_column,
    .stop = tokens_stop,
};
