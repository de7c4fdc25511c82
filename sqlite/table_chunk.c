/*
 * chunk([model,] text [, max_tokens [, overlap]]) → chunk_index, text, start, stop
 *
 * A row for each piece of a long text that a model can read whole. start and stop are characters, so
 * that substr(text, start + 1, stop - start) is the piece.
 *
 * An INTEGER in the second place is max_tokens; anything else there is the text, and the model stands
 * before it.
 */
#include "sqlite/extension.h"

enum column { COLUMN_INDEX, COLUMN_TEXT, COLUMN_START, COLUMN_STOP, COLUMN_COUNT };

struct chunks {
    struct table_rows rows;
    int text; /* which argument, from 0 */
    sembed_chunk *list;
    struct characters characters;
};

/* The numbers behind the text, which is argument `position` (from 1); 0 where not given. */
static sembed_status read_sizes(int count, sqlite3_value **arguments, int position,
                                size_t *max_tokens, size_t *overlap, sembed_error *error)
{
    sembed_status status = SEMBED_OK;
    if (count > position + 2)
        return error_set(error, SEMBED_INVALID_ARGUMENT, "chunk: too many arguments: %s",
                         table_chunk.usage);
    if (count > position)
        status =
            value_size(arguments[position], (struct argument){"chunk", position + 1, "max_tokens"},
                       max_tokens, error);
    if (!status && count > position + 1)
        status = value_size(arguments[position + 1],
                            (struct argument){"chunk", position + 2, "overlap"}, overlap, error);
    return status;
}

static sembed_status chunks_start(struct table_rows *rows, int count, sqlite3_value **arguments,
                                  sembed_error *error)
{
    struct chunks *chunks = (struct chunks *)rows;
    const bool names_model = count > 1 && sqlite3_value_type(arguments[1]) != SQLITE_INTEGER;
    const char *name = NULL;
    sembed_text text = {0};
    size_t max_tokens = 0, overlap = 0;
    const sembed_model *model = NULL;
    sembed_context *scratch = NULL;
    sembed_poll poll = connection_poll(rows->connection);
    sembed_status status =
        value_model_and_text("chunk", names_model, arguments, "text", &name, &text, error);
    if (!status)
        status = read_sizes(count, arguments, names_model ? 2 : 1, &max_tokens, &overlap, error);
    if (!status)
        status = connection_model(rows->connection, name, &model, error);
    if (!status)
        status = connection_scratch(rows->connection, &scratch, error);
    if (!status)
        status = sembed_chunk_text(model, scratch, text, max_tokens, overlap, &poll, &chunks->list,
                                   &rows->count, error);
    if (!status)
        status = characters_find(text, &poll, &chunks->characters, error);
    model_release(model);
    chunks->text = names_model;
    return status;
}

static sembed_status chunks_column(struct table_rows *rows, size_t row, int column,
                                   sqlite3_context *context, sembed_error *error)
{
    const struct chunks *chunks = (const struct chunks *)rows;
    const sembed_chunk *chunk = &chunks->list[row];
    sembed_text text;
    switch ((enum column)column) {
    case COLUMN_INDEX:
        sqlite3_result_int64(context, (sqlite3_int64)row);
        break;
    case COLUMN_TEXT:
        text = table_text(rows, chunks->text);
        if (!text.data)
            return error_no_memory(error, "a text");
        sqlite3_result_text64(context, text.data + chunk->start, chunk->stop - chunk->start,
                              SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    case COLUMN_START:
        sqlite3_result_int64(context,
                             (sqlite3_int64)characters_at(&chunks->characters, chunk->start));
        break;
    case COLUMN_STOP:
        sqlite3_result_int64(context,
                             (sqlite3_int64)characters_before(&chunks->characters, chunk->stop));
        break;
    case COLUMN_COUNT:
        break;
    }
    return SEMBED_OK;
}

static void chunks_stop(struct table_rows *rows)
{
    struct chunks *chunks = (struct chunks *)rows;
    sembed_free(chunks->list);
    characters_free(&chunks->characters);
}

const struct table_function table_chunk = {
    .name = "chunk",
    .usage = "chunk(text [, max_tokens [, overlap]]) or "
             "chunk(model, text [, max_tokens [, overlap]])",
    .columns = "chunk_index INTEGER, text TEXT, start INTEGER, stop INTEGER",
    .column_count = COLUMN_COUNT,
    .fewest_arguments = 1,
    .most_arguments = 4,
    .numbered = true,
    .state_size = sizeof(struct chunks),
    .start = chunks_start,
    .column = chunks_column,
    .stop = chunks_stop,
};
