#include "sqlite/extension.h"

#include <string.h>

bool any_null(int count, sqlite3_value **values)
{
    for (int i = 0; i < count; i++)
        if (sqlite3_value_type(values[i]) == SQLITE_NULL)
            return true;
    return false;
}

const char *value_type_word(sqlite3_value *value)
{
    switch (sqlite3_value_type(value)) {
    case SQLITE_NULL:
        return "NULL";
    case SQLITE_TEXT:
        return "TEXT";
    case SQLITE_BLOB:
        return "a BLOB";
    default:
        return "a number";
    }
}

sembed_status value_text(sqlite3_value *value, struct argument argument, sembed_text *text,
                         sembed_error *error)
{
    int type = sqlite3_value_type(value);
    if (type == SQLITE_BLOB || type == SQLITE_NULL)
        return error_set(error, SEMBED_INVALID_ARGUMENT,
                         "%s: argument %d (%s): expected TEXT, found %s%s", argument.function,
                         argument.position, argument.meaning, value_type_word(value),
                         type == SQLITE_BLOB ? "; CAST(… AS TEXT) reads its bytes as UTF-8" : "");
    /* The length is asked after the text: that call may convert. */
    const char *data = (const char *)sqlite3_value_text(value);
    if (!data)
        return error_no_memory(error, "a text");
    *text = (sembed_text){data, (size_t)sqlite3_value_bytes(value)};
    return SEMBED_OK;
}

sembed_status value_string(sqlite3_value *value, struct argument argument, const char **string,
                           sembed_error *error)
{
    sembed_text text = {0};
    sembed_status status = value_text(value, argument, &text, error);
    if (status)
        return status;
    if (memchr(text.data, 0, text.length))
        return error_set(error, SEMBED_INVALID_ARGUMENT, "%s: argument %d (%s) holds a zero byte",
                         argument.function, argument.position, argument.meaning);
    *string = text.data;
    return SEMBED_OK;
}
