/*
 * sembed_models → name, folder, loaded, precision, architecture, dimensions, max_tokens, layers,
 * parameters, similarity, labels, private_bytes, shared_bytes, load_ms
 *
 * A row for each model on the model path or loaded. What a model is becomes known when it is loaded;
 * until then the columns from architecture on are NULL.
 */
#include "sqlite/extension.h"

enum column {
    COLUMN_NAME,
    COLUMN_FOLDER,
    COLUMN_LOADED,
    COLUMN_PRECISION,
    COLUMN_ARCHITECTURE,
    COLUMN_DIMENSIONS,
    COLUMN_MAX_TOKENS,
    COLUMN_LAYERS,
    COLUMN_PARAMETERS,
    COLUMN_SIMILARITY,
    COLUMN_LABELS,
    COLUMN_PRIVATE_BYTES,
    COLUMN_SHARED_BYTES,
    COLUMN_LOAD_MS,
    COLUMN_COUNT,
};

struct models {
    struct table_rows rows;
    sembed_listing listing;
};

static sembed_status models_start(struct table_rows *rows, int count, sqlite3_value **arguments,
                                  sembed_error *error)
{
    (void)count, (void)arguments;
    sembed_listing *listing = &((struct models *)rows)->listing;
    sembed_status status = sembed_registry_list(process_registry(), listing, error);
    rows->count = listing->count;
    return status;
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
    case COLUMN_LABELS:
        sqlite3_result_int64(context, (sqlite3_int64)info->labels);
        break;
    case COLUMN_PRIVATE_BYTES:
        sqlite3_result_int64(context, (sqlite3_int64)info->private_bytes);
        break;
    case COLUMN_SHARED_BYTES:
        sqlite3_result_int64(context, (sqlite3_int64)info->shared_bytes);
        break;
    case COLUMN_LOAD_MS:
        sqlite3_result_double(context, info->load_milliseconds);
        break;
    default:
        break;
    }
}

static sembed_status models_column(struct table_rows *rows, size_t row, int column,
                                   sqlite3_context *context, sembed_error *error)
{
    (void)error;
    const sembed_listing_entry *entry = &((struct models *)rows)->listing.entries[row];
    if (column == COLUMN_NAME) {
        result_string(context, entry->name);
    } else if (column == COLUMN_FOLDER) {
        result_string(context, entry->folder);
    } else if (column == COLUMN_LOADED) {
        sqlite3_result_int(context, entry->model != NULL);
    } else if (column == COLUMN_PRECISION) {
        result_string(context, entry->precision);
    } else if (entry->model) {
        sembed_model_info info;
        sembed_model_describe(entry->model, &info);
        result_of_loaded(context, &info, (enum column)column);
    }
    return SEMBED_OK;
}

static void models_stop(struct table_rows *rows)
{
    sembed_listing_free(&((struct models *)rows)->listing);
}

const struct table_function table_sembed_models = {
    .name = "sembed_models",
    .usage = "sembed_models",
    .columns = "name TEXT, folder TEXT, loaded INTEGER, precision TEXT, architecture TEXT, "
               "dimensions INTEGER, max_tokens INTEGER, layers INTEGER, parameters INTEGER, "
               "similarity TEXT, labels INTEGER, private_bytes INTEGER, shared_bytes INTEGER, "
               "load_ms REAL",
    .column_count = COLUMN_COUNT,
    .state_size = sizeof(struct models),
    .start = models_start,
    .column = models_column,
    .stop = models_stop,
};
