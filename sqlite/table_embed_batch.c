/*
 * embed_batch(json_array), embed_batch(model, json_array) → id, vector
 *
 * A row for each element of a JSON array of texts, in order, id from 0. null gives a NULL vector.
 *
 * Texts are embedded in chunks, when a vector of the chunk is first read: memory stays bounded
 * whatever the array's length, LIMIT 5 pays for one chunk, and count(*) for none. A text's vector
 * does not depend on its chunk (the core's contract), so chunks cannot be seen in the numbers.
 *
 * SQLite gives the arguments of a table-valued function to its hidden columns from left to right, so
 * the first of them is the model where there are two, else the array.
 */
#include "sqlite/extension.h"

/* Enough short texts for the core to run at full speed: 256 × 12 tokens. */
enum { CHUNK = 256 };

enum column { COLUMN_ID, COLUMN_VECTOR, COLUMN_FIRST, COLUMN_SECOND };

/* In xBestIndex's idxNum: which arguments xFilter gets, in this order. */
enum { HAS_FIRST = 1, HAS_SECOND = 2 };

struct cursor {
    sqlite3_vtab_cursor base;
    sqlite3_value *arguments[2]; /* what the hidden columns show; NULL where not given */
    const sembed_model *model;
    size_t dimensions;
    struct json_texts texts;
    size_t row;

    /* The chunk: rows [chunk_start, chunk_end) and, without gaps for nulls, their vectors. */
    size_t chunk_start, chunk_end;
    float *vectors;      /* [CHUNK, dimensions] */
    size_t slots[CHUNK]; /* row − chunk_start → row of vectors */
};

static int batch_connect(sqlite3 *database, void *connection, int count,
                         const char *const *arguments, sqlite3_vtab **table, char **message)
{
    (void)count, (void)arguments, (void)message;
    return table_connect(database, connection,
                         "CREATE TABLE x(id INTEGER, vector BLOB, argument_1 HIDDEN, "
                         "argument_2 HIDDEN)",
                         table);
}

/*
 * A missing argument is refused by xFilter, not here: SQLite also asks for plans of parts of a WHERE
 * (the branches of an OR) in which the arguments do not stand. Such a plan gets a cost that makes
 * SQLite take any other.
 */
static int batch_best_index(sqlite3_vtab *table, sqlite3_index_info *plan)
{
    (void)table;
    int usable[2] = {-1, -1};
    bool given[2] = {false, false};
    for (int i = 0; i < plan->nConstraint; i++) {
        const struct sqlite3_index_constraint *term = &plan->aConstraint[i];
        if (term->iColumn < COLUMN_FIRST || term->op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        given[term->iColumn - COLUMN_FIRST] = true;
        if (term->usable)
            usable[term->iColumn - COLUMN_FIRST] = i;
    }

    plan->idxNum = 0;
    int position = 0;
    for (int i = 0; i < 2; i++) {
        if (given[i] && usable[i] < 0)
            return SQLITE_CONSTRAINT; /* the argument comes from a table that is read later */
        if (!given[i])
            continue;
        plan->aConstraintUsage[usable[i]].argvIndex = ++position;
        plan->aConstraintUsage[usable[i]].omit = 1;
        plan->idxNum |= i ? HAS_SECOND : HAS_FIRST;
    }
    bool complete = plan->idxNum & HAS_FIRST;
    plan->estimatedCost = complete ? 1e6 : 1e99;
    plan->estimatedRows = complete ? 100 : 1000000000;
    plan->orderByConsumed =
        plan->nOrderBy == 1 && plan->aOrderBy[0].iColumn <= COLUMN_ID && !plan->aOrderBy[0].desc;
    return SQLITE_OK;
}

static int batch_open(sqlite3_vtab *table, sqlite3_vtab_cursor **opened)
{
    (void)table;
    struct cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    *cursor = (struct cursor){0};
    *opened = &cursor->base;
    return SQLITE_OK;
}

static void batch_reset(struct cursor *cursor)
{
    for (int i = 0; i < 2; i++)
        sqlite3_value_free(cursor->arguments[i]);
    json_texts_free(&cursor->texts);
    sqlite3_free(cursor->vectors);
    *cursor = (struct cursor){.base = cursor->base};
}

static int batch_close(sqlite3_vtab_cursor *base)
{
    struct connection *connection = ((struct table *)base->pVtab)->connection;
    batch_reset((struct cursor *)base);
    sqlite3_free(base);
    connection_trim(connection);
    return SQLITE_OK;
}

/* The model and the texts from the arguments that xFilter got. */
static sembed_status batch_start(struct cursor *cursor, struct connection *connection, int count,
                                 sqlite3_value **values, sembed_error *error)
{
    const char *name = NULL;
    sembed_text json = {0};
    struct argument texts = {"embed_batch", count, "texts"};
    sembed_poll poll = connection_poll(connection);
    sembed_status status = SEMBED_OK;

    if (count == 2)
        status =
            value_string(values[0], (struct argument){"embed_batch", 1, "model"}, &name, error);
    if (!status)
        status = value_text(values[count - 1], texts, &json, error);
    if (!status)
        status = connection_model(connection, name, &cursor->model, error);
    if (!status)
        status = json_texts_read(json, texts, &poll, &cursor->texts, error);
    if (!status)
        status = sembed_dimensions(cursor->model, NULL, &cursor->dimensions, error);
    return status;
}

static int batch_filter(sqlite3_vtab_cursor *base, int given, const char *unused, int count,
                        sqlite3_value **values)
{
    (void)unused;
    struct cursor *cursor = (struct cursor *)base;
    sembed_error error = {0};
    batch_reset(cursor);
    if (!(given & HAS_FIRST)) {
        error_set(&error, SEMBED_INVALID_ARGUMENT,
                  "embed_batch: expected an argument, a JSON array of texts: "
                  "embed_batch(json_array) or embed_batch(model, json_array)");
        return table_fail(base->pVtab, &error);
    }
    for (int i = 0; i < count; i++) {
        cursor->arguments[i] = sqlite3_value_dup(values[i]);
        if (!cursor->arguments[i])
            return SQLITE_NOMEM;
    }
    if (any_null(count, values))
        return SQLITE_OK;
    struct connection *connection = ((struct table *)base->pVtab)->connection;
    if (batch_start(cursor, connection, count, values, &error))
        return table_fail(base->pVtab, &error);
    return SQLITE_OK;
}

static int batch_next(sqlite3_vtab_cursor *base)
{
    ((struct cursor *)base)->row++;
    return SQLITE_OK;
}

static int batch_eof(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = (struct cursor *)base;
    return cursor->row >= cursor->texts.count;
}

/* Embeds the chunk that begins with the current row. */
static sembed_status embed_chunk(struct cursor *cursor, struct connection *connection,
                                 sembed_error *error)
{
    sembed_context *scratch = NULL;
    sembed_status status = connection_scratch(connection, &scratch, error);
    if (status)
        return status;
    if (!cursor->vectors) {
        cursor->vectors = sqlite3_malloc64(CHUNK * cursor->dimensions * sizeof(float));
        if (!cursor->vectors)
            return error_no_memory(error, "a chunk of embeddings");
    }

    size_t left = cursor->texts.count - cursor->row;
    size_t rows = left < CHUNK ? left : CHUNK;
    sembed_text texts[CHUNK];
    size_t count = 0;
    for (size_t i = 0; i < rows; i++) {
        cursor->slots[i] = count;
        count += json_texts_get(&cursor->texts, cursor->row + i, &texts[count]);
    }
    sembed_poll poll = connection_poll(connection);
    cursor->chunk_end = 0; /* no chunk, should it fail */
    status =
        sembed_embed(cursor->model, scratch, texts, count, NULL, &poll, cursor->vectors, error);
    if (status)
        return status;
    cursor->chunk_start = cursor->row;
    cursor->chunk_end = cursor->row + rows;
    return SEMBED_OK;
}

static void result_row_vector(struct cursor *cursor, sqlite3_context *context)
{
    sembed_text text;
    if (!json_texts_get(&cursor->texts, cursor->row, &text))
        return;
    if (cursor->row < cursor->chunk_start || cursor->row >= cursor->chunk_end) {
        struct connection *connection = ((struct table *)cursor->base.pVtab)->connection;
        sembed_error error = {0};
        if (embed_chunk(cursor, connection, &error)) {
            function_fail(context, &error);
            return;
        }
    }
    size_t slot = cursor->slots[cursor->row - cursor->chunk_start];
    vector_result(context, cursor->vectors + slot * cursor->dimensions, cursor->dimensions);
}

static int batch_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct cursor *cursor = (struct cursor *)base;
    switch ((enum column)column) {
    case COLUMN_ID:
        sqlite3_result_int64(context, (sqlite3_int64)cursor->row);
        break;
    case COLUMN_VECTOR:
        result_row_vector(cursor, context);
        break;
    case COLUMN_FIRST:
    case COLUMN_SECOND:
        if (cursor->arguments[column - COLUMN_FIRST])
            sqlite3_result_value(context, cursor->arguments[column - COLUMN_FIRST]);
        break;
    }
    return SQLITE_OK;
}

static int batch_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((struct cursor *)base)->row;
    return SQLITE_OK;
}

const sqlite3_module table_embed_batch = {
    .iVersion = 0,
    .xConnect = batch_connect,
    .xBestIndex = batch_best_index,
    .xDisconnect = table_disconnect,
    .xOpen = batch_open,
    .xClose = batch_close,
    .xFilter = batch_filter,
    .xNext = batch_next,
    .xEof = batch_eof,
    .xColumn = batch_column,
    .xRowid = batch_rowid,
};
