/*
 * sembed_models → name, folder, loaded, architecture, dimensions, max_tokens, layers, parameters,
 * similarity
 *
 * A row for each model on the model path or loaded. What a model is becomes known when it is loaded;
 * until then those columns are NULL.
 */
#include "sqlite/extension.h"

enum column {
    COLUMN_NAME,
    COLUMN_FOLDER,
    COLUMN_LOADED,
    COLUMN_ARCHITECTURE,
    COLUMN_DIMENSIONS,
    COLUMN_MAX_TOKENS,
    COLUMN_LAYERS,
    COLUMN_PARAMETERS,
    COLUMN_SIMILARITY,
};

struct cursor {
    sqlite3_vtab_cursor base;
    sembed_listing listing;
    size_t row;
};

static int models_connect(sqlite3 *database, void *connection, int count,
                          const char *const *arguments, sqlite3_vtab **table, char **message)
{
    (void)count, (void)arguments, (void)message;
    return table_connect(database, connection,
                         "CREATE TABLE x(name TEXT, folder TEXT, loaded INTEGER, "
                         "architecture TEXT, dimensions INTEGER, max_tokens INTEGER, "
                         "layers INTEGER, parameters INTEGER, "
                         "similarity TEXT)",
                         table);
}

static int models_best_index(sqlite3_vtab *table, sqlite3_index_info *plan)
{
    (void)table;
    plan->estimatedCost = 1e4;
    plan->estimatedRows = 10;
    return SQLITE_OK;
}

static int models_open(sqlite3_vtab *table, sqlite3_vtab_cursor **opened)
{
    (void)table;
    struct cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    *cursor = (struct cursor){0};
    *opened = &cursor->base;
    return SQLITE_OK;
}

static int models_close(sqlite3_vtab_cursor *base)
{
    sembed_listing_free(&((struct cursor *)base)->listing);
    sqlite3_free(base);
    return SQLITE_OK;
}

static int models_filter(sqlite3_vtab_cursor *base, int plan, const char *unused, int count,
                         sqlite3_value **values)
{
    (void)plan, (void)unused, (void)count, (void)values;
    struct cursor *cursor = (struct cursor *)base;
    sembed_error error = {0};
    sembed_listing_free(&cursor->listing);
    cursor->listing = (sembed_listing){0};
    cursor->row = 0;
    if (sembed_registry_list(process_registry(), &cursor->listing, &error))
        return table_fail(base->pVtab, &error);
    return SQLITE_OK;
}

static int models_next(sqlite3_vtab_cursor *base)
{
    ((struct cursor *)base)->row++;
    return SQLITE_OK;
}

static int models_eof(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = (struct cursor *)base;
    return cursor->row >= cursor->listing.count;
}

static void result_string(sqlite3_context *context, const char *string)
{
    sqlite3_result_text(context, string, -1, SQLITE_TRANSIENT);
}

static void result_of_loaded(sqlite3_context *context, const sembed_model_info *info,
                             enum column column)
{
    switch (column) {
    case COLUMN_ARCHITECTURE:
        result_string(context, info->architecture);
        break;
    case COLUMN_DIMENSIONS:
        sqlite3_result_int64(context, (sqlite3_int64)info->dimensions);
        break;
    case COLUMN_MAX_TOKENS:
        sqlite3_result_int64(context, (sqlite3_int64)info->max_tokens);
        break;
    case COLUMN_LAYERS:
        sqlite3_result_int64(context, (sqlite3_int64)info->layers);
        break;
    case COLUMN_PARAMETERS:
        sqlite3_result_int64(context, (sqlite3_int64)info->parameters);
        break;
    case COLUMN_SIMILARITY:
        result_string(context, info->similarity);
        break;
    default:
        break;
    }
}

static int models_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct cursor *cursor = (struct cursor *)base;
    const sembed_listing_entry *entry = &cursor->listing.entries[cursor->row];
    if (column == COLUMN_NAME) {
        result_string(context, entry->name);
    } else if (column == COLUMN_FOLDER) {
        result_string(context, entry->folder);
    } else if (column == COLUMN_LOADED) {
        sqlite3_result_int(context, entry->model != NULL);
    } else if (entry->model) {
        sembed_model_info info;
        sembed_model_describe(entry->model, &info);
        result_of_loaded(context, &info, (enum column)column);
    }
    return SQLITE_OK;
}

static int models_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((struct cursor *)base)->row;
    return SQLITE_OK;
}

const sqlite3_module table_sembed_models = {
    .iVersion = 0,
    .xConnect = models_connect,
    .xBestIndex = models_best_index,
    .xDisconnect = table_disconnect,
    .xOpen = models_open,
    .xClose = models_close,
    .xFilter = models_filter,
    .xNext = models_next,
    .xEof = models_eof,
    .xColumn = models_column,
    .xRowid = models_rowid,
};
