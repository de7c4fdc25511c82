/*
 * What all table-valued functions share: one module, told by a table_function what to do.
 *
 * SQLite gives the arguments of a call to the hidden columns from left to right, as constraints
 * argument_1 = …, argument_2 = … of the WHERE clause. xBestIndex sees which there are; xFilter gets
 * their values.
 */
#include "sqlite/extension.h"

#include "core/base/memory.h"

#include <string.h>

/* What a module is registered with. */
struct registration {
    struct connection *connection;
    const struct table_function *function;
};

struct table {
    sqlite3_vtab base;
    struct connection *connection;
    const struct table_function *function;
};

/* A copy of one, which outlives xFilter. Not sqlite3_value_dup's where it is a text: that copies an array of
 * all texts of a table in one go, while an interrupt waits. */
struct table_argument {
    char *text; /* NULL: value */
    size_t length;
    sqlite3_value *value; /* NULL too: not given */
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct table_argument arguments[TABLE_MOST_ARGUMENTS];
    struct table_rows *rows; /* the function's state */
    size_t row;
};

static int table_connect(sqlite3 *database, void *pointer, int count, const char *const *arguments,
                         sqlite3_vtab **created, char **message)
{
    (void)count, (void)arguments, (void)message;
    const struct registration *registration = pointer;
    const struct table_function *function = registration->function;
    static const char *const hidden[] = {"", ", argument_1 HIDDEN",
                                         ", argument_1 HIDDEN, argument_2 HIDDEN",
                                         ", argument_1 HIDDEN, argument_2 HIDDEN, "
                                         "argument_3 HIDDEN",
                                         ", argument_1 HIDDEN, argument_2 HIDDEN, "
                                         "argument_3 HIDDEN, argument_4 HIDDEN"};
    char *declaration = sqlite3_mprintf("CREATE TABLE x(%s%s)", function->columns,
                                        hidden[function->most_arguments]);
    if (!declaration)
        return SQLITE_NOMEM;
    int result = sqlite3_declare_vtab(database, declaration);
    sqlite3_free(declaration);
    if (result)
        return result;
    struct table *table = sqlite3_malloc64(sizeof *table);
    if (!table)
        return SQLITE_NOMEM;
    *table = (struct table){.connection = registration->connection, .function = function};
    *created = &table->base;
    return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

/* Whether a plan's arguments are the first ones, without a gap, and enough. mask: bit i for
 * argument i. */
static bool is_complete(const struct table_function *function, int mask)
{
    return (mask & (mask + 1)) == 0 && mask + 1 >= 1 << function->fewest_arguments;
}

/*
 * A missing argument is refused by xFilter, not here: SQLite also asks for plans of parts of a WHERE
 * (the branches of an OR) in which the arguments do not stand. Such a plan gets a cost that makes
 * SQLite take any other.
 */
static int table_best_index(sqlite3_vtab *base, sqlite3_index_info *plan)
{
    const struct table_function *function = ((struct table *)base)->function;
    int usable[TABLE_MOST_ARGUMENTS] = {-1, -1, -1, -1};
    bool given[TABLE_MOST_ARGUMENTS] = {false};
    for (int i = 0; i < plan->nConstraint; i++) {
        const struct sqlite3_index_constraint *term = &plan->aConstraint[i];
        int argument = term->iColumn - function->column_count;
        if (argument < 0 || term->op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        given[argument] = true;
        if (term->usable)
            usable[argument] = i;
    }

    plan->idxNum = 0;
    int position = 0;
    for (int i = 0; i < function->most_arguments; i++) {
        if (given[i] && usable[i] < 0)
            return SQLITE_CONSTRAINT; /* the argument comes from a table that is read later */
        if (!given[i])
            continue;
        plan->aConstraintUsage[usable[i]].argvIndex = ++position;
        plan->aConstraintUsage[usable[i]].omit = 1;
        plan->idxNum |= 1 << i;
    }
    bool complete = is_complete(function, plan->idxNum);
    plan->estimatedCost = complete ? 1e6 : 1e99;
    plan->estimatedRows = complete ? 100 : 1000000000;
    plan->orderByConsumed = function->numbered && plan->nOrderBy == 1 &&
                            plan->aOrderBy[0].iColumn <= 0 && !plan->aOrderBy[0].desc;
    return SQLITE_OK;
}

static int table_open(sqlite3_vtab *base, sqlite3_vtab_cursor **opened)
{
    const struct table_function *function = ((struct table *)base)->function;
    struct cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    *cursor = (struct cursor){.rows = sqlite3_malloc64(function->state_size)};
    if (!cursor->rows) {
        sqlite3_free(cursor);
        return SQLITE_NOMEM;
    }
    memset(cursor->rows, 0, function->state_size);
    *opened = &cursor->base;
    return SQLITE_OK;
}

/* Before the first call and between two: a zeroed state that knows its connection. */
static void table_reset(struct cursor *cursor, const struct table *table)
{
    table->function->stop(cursor->rows);
    memset(cursor->rows, 0, table->function->state_size);
    cursor->rows->connection = table->connection;
    cursor->rows->arguments = cursor->arguments;
    for (int i = 0; i < TABLE_MOST_ARGUMENTS; i++) {
        sqlite3_free(cursor->arguments[i].text);
        sqlite3_value_free(cursor->arguments[i].value);
        cursor->arguments[i] = (struct table_argument){0};
    }
    cursor->row = 0;
}

static int table_close(sqlite3_vtab_cursor *base)
{
    struct cursor *cursor = (struct cursor *)base;
    const struct table *table = (const struct table *)base->pVtab;
    table_reset(cursor, table);
    sqlite3_free(cursor->rows);
    sqlite3_free(cursor);
    connection_trim(table->connection);
    return SQLITE_OK;
}

static sembed_status keep(sqlite3_value *value, const sembed_poll *poll,
                          struct table_argument *kept, sembed_error *error)
{
    if (sqlite3_value_type(value) != SQLITE_TEXT) {
        kept->value = sqlite3_value_dup(value);
        return kept->value ? SEMBED_OK : error_no_memory(error, "an argument");
    }
    const unsigned char *text = sqlite3_value_text(value);
    kept->length = (size_t)sqlite3_value_bytes(value);
    kept->text = text ? sqlite3_malloc64(kept->length + 1) : NULL;
    if (!kept->text)
        return error_no_memory(error, "an argument");
    return memory_copy(kept->text, text, kept->length, poll) ? SEMBED_OK : error_canceled(error);
}

sembed_text table_text(const struct table_rows *rows, int i)
{
    const struct table_argument *kept = &rows->arguments[i];
    if (kept->text)
        return (sembed_text){kept->text, kept->length};
    const char *text = (const char *)sqlite3_value_text(kept->value);
    return (sembed_text){text, (size_t)sqlite3_value_bytes(kept->value)};
}

static int table_filter(sqlite3_vtab_cursor *base, int given, const char *unused, int count,
                        sqlite3_value **values)
{
    (void)unused;
    struct cursor *cursor = (struct cursor *)base;
    const struct table *table = (const struct table *)base->pVtab;
    const struct table_function *function = table->function;
    sembed_error error = {0};
    table_reset(cursor, table);
    if (!is_complete(function, given)) {
        error_set(&error, SEMBED_INVALID_ARGUMENT, "%s: an argument is missing: %s", function->name,
                  function->usage);
        return table_fail(base->pVtab, &error);
    }
    if (any_null(count, values))
        return SQLITE_OK;
    sembed_status status = function->start(cursor->rows, count, values, &error);
    const sembed_poll poll = connection_poll(table->connection);
    for (int i = 0; !status && cursor->rows->count > 0 && i < count; i++)
        status = keep(values[i], &poll, &cursor->arguments[i], &error);
    if (!status)
        return SQLITE_OK;
    cursor->rows->count = 0;
    return table_fail(base->pVtab, &error);
}

static int table_next(sqlite3_vtab_cursor *base)
{
    ((struct cursor *)base)->row++;
    return SQLITE_OK;
}

static int table_eof(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = (const struct cursor *)base;
    return cursor->row >= cursor->rows->count;
}

static void give_argument(sqlite3_context *context, const struct table_argument *kept)
{
    if (kept->text)
        sqlite3_result_text64(context, kept->text, kept->length, SQLITE_TRANSIENT, SQLITE_UTF8);
    else if (kept->value)
        sqlite3_result_value(context, kept->value);
}

static int table_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct cursor *cursor = (struct cursor *)base;
    const struct table_function *function = ((const struct table *)base->pVtab)->function;
    sembed_error error = {0};
    if (column >= function->column_count) {
        give_argument(context, &cursor->arguments[column - function->column_count]);
    } else if (function->column(cursor->rows, cursor->row, column, context, &error)) {
        function_fail(context, &error);
    }
    return SQLITE_OK;
}

static int table_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((struct cursor *)base)->row;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .iVersion = 0,
    .xConnect = table_connect,
    .xBestIndex = table_best_index,
    .xDisconnect = table_disconnect,
    .xOpen = table_open,
    .xClose = table_close,
    .xFilter = table_filter,
    .xNext = table_next,
    .xEof = table_eof,
    .xColumn = table_column,
    .xRowid = table_rowid,
};

static void unregister(void *pointer)
{
    struct registration *registration = pointer;
    connection_release(registration->connection);
    sqlite3_free(registration);
}

int table_register(sqlite3 *database, struct connection *connection,
                   const struct table_function *function)
{
    struct registration *registration = sqlite3_malloc64(sizeof *registration);
    if (!registration)
        return SQLITE_NOMEM;
    *registration = (struct registration){connection, function};
    connection_retain(connection);
    /* Calls unregister also where it fails. */
    return sqlite3_create_module_v2(database, function->name, &module, registration, unregister);
}
