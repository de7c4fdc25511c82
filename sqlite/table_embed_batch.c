/*
 * embed_batch(json_array), embed_batch(model, json_array [, options]) → id, vector
 *
 * A row for each element of a JSON array of texts, in order, id from 0. null gives a NULL vector.
 *
 * Texts are embedded in chunks, when a vector of the chunk is first read: memory stays bounded
 * whatever the array's length, LIMIT 5 pays for one chunk, and count(*) for none. A text's vector
 * does not depend on its chunk (the core's contract), so chunks cannot be seen in the numbers.
 */
#include "sqlite/extension.h"

/* Enough short texts for the core to run at full speed: 256 × 12 tokens. */
enum { CHUNK = 256 };

enum column { COLUMN_ID, COLUMN_VECTOR, COLUMN_COUNT };

struct batch {
    struct table_rows rows;
    const sembed_model *model;
    struct embed_options options;
    size_t dimensions;
    struct json_texts texts;

    /* The chunk: rows [chunk_start, chunk_end) and, without gaps for nulls, their vectors. */
    size_t chunk_start, chunk_end;
    float *vectors;      /* [CHUNK, dimensions] */
    size_t slots[CHUNK]; /* row − chunk_start → row of vectors */
};

static sembed_status batch_start(struct table_rows *rows, int count, sqlite3_value **arguments,
                                 sembed_error *error)
{
    struct batch *batch = (struct batch *)rows;
    struct connection *connection = rows->connection;
    const struct argument texts = {"embed_batch", count > 1 ? 2 : 1, "texts"};
    sembed_poll poll = connection_poll(connection);
    const char *name = NULL;
    sembed_text json = {0};
    sembed_context *scratch = NULL;

    sembed_status status = SEMBED_OK;
    if (count > 1)
        status =
            value_string(arguments[0], (struct argument){"embed_batch", 1, "model"}, &name, error);
    if (!status)
        status = value_text(arguments[texts.position - 1], texts, &json, error);
    if (!status)
        status = options_read(connection, count > 2 ? arguments[2] : NULL,
                              (struct argument){"embed_batch", 3, "options"}, NULL, &batch->options,
                              error);
    if (!status)
        status = connection_model(connection, name, &batch->model, error);
    if (!status)
        status = json_texts_read(json, texts, &poll, &batch->texts, error);
    if (!status)
        status = sembed_dimensions(batch->model, &batch->options.values, &batch->dimensions, error);
    if (!status)
        status = connection_scratch(connection, &scratch, error);
    /* No texts: are the options right? */
    if (!status)
        status = sembed_embed(batch->model, scratch, NULL, 0, &batch->options.values, &poll, NULL,
                              error);
    if (!status)
        rows->count = batch->texts.count;
    return status;
}

/* Embeds the chunk that begins with that row. */
static sembed_status embed_chunk(struct batch *batch, size_t first, sembed_error *error)
{
    struct connection *connection = batch->rows.connection;
    sembed_context *scratch = NULL;
    sembed_status status = connection_scratch(connection, &scratch, error);
    if (status)
        return status;
    if (!batch->vectors) {
        batch->vectors = sqlite3_malloc64(CHUNK * batch->dimensions * sizeof(float));
        if (!batch->vectors)
            return error_no_memory(error, "a chunk of embeddings");
    }

    size_t left = batch->texts.count - first;
    size_t rows = left < CHUNK ? left : CHUNK;
    sembed_text texts[CHUNK];
    size_t count = 0;
    for (size_t i = 0; i < rows; i++) {
        batch->slots[i] = count;
        count += json_texts_get(&batch->texts, first + i, &texts[count]);
    }
    sembed_poll poll = connection_poll(connection);
    batch->chunk_end = 0; /* no chunk, should it fail */
    status = sembed_embed(batch->model, scratch, texts, count, &batch->options.values, &poll,
                          batch->vectors, error);
    if (status)
        return status;
    batch->chunk_start = first;
    batch->chunk_end = first + rows;
    return SEMBED_OK;
}

static sembed_status batch_column(struct table_rows *rows, size_t row, int column,
                                  sqlite3_context *context, sembed_error *error)
{
    struct batch *batch = (struct batch *)rows;
    sembed_text text;
    if (column == COLUMN_ID) {
        sqlite3_result_int64(context, (sqlite3_int64)row);
        return SEMBED_OK;
    }
    if (!json_texts_get(&batch->texts, row, &text))
        return SEMBED_OK;
    if (row < batch->chunk_start || row >= batch->chunk_end) {
        sembed_status status = embed_chunk(batch, row, error);
        if (status)
            return status;
    }
    size_t slot = batch->slots[row - batch->chunk_start];
    vector_result(context, batch->vectors + slot * batch->dimensions, batch->dimensions);
    return SEMBED_OK;
}

static void batch_stop(struct table_rows *rows)
{
    struct batch *batch = (struct batch *)rows;
    json_texts_free(&batch->texts);
    options_free(&batch->options);
    sqlite3_free(batch->vectors);
    model_release(batch->model);
}

const struct table_function table_embed_batch = {
    .name = "embed_batch",
    .usage = "embed_batch(json_array) or embed_batch(model, json_array [, options])",
    .columns = "id INTEGER, vector BLOB",
    .column_count = COLUMN_COUNT,
    .fewest_arguments = 1,
    .most_arguments = 3,
    .numbered = true,
    .state_size = sizeof(struct batch),
    .start = batch_start,
    .column = batch_column,
    .stop = batch_stop,
};
