#include "sqlite/extension.h"

#include <stdio.h>
#include <string.h>

sembed_status argument_fail(struct argument argument, sembed_error *error, const char *format, ...)
{
    char sentence[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return error_set(error, SEMBED_INVALID_ARGUMENT, "%s: argument %d (%s): %s", argument.function,
                     argument.position, argument.meaning, sentence);
}

sembed_status json_malformed(struct argument argument, size_t offset, const char *message,
                             sembed_error *error)
{
    return argument_fail(argument, error, "malformed JSON at byte %lld: %s", (long long)offset,
                         message);
}

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
        return argument_fail(argument, error, "expected TEXT, found %s%s", value_type_word(value),
                             type == SQLITE_BLOB ? "; CAST(… AS TEXT) reads its bytes as UTF-8"
                                                 : "");
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
        return argument_fail(argument, error, "holds a zero byte");
    *string = text.data;
    return SEMBED_OK;
}

sembed_status value_model_and_text(const char *function, bool names_model, sqlite3_value **values,
                                   const char *meaning, const char **name, sembed_text *text,
                                   sembed_error *error)
{
    *name = NULL;
    sembed_status status = SEMBED_OK;
    if (names_model)
        status = value_string(values[0], (struct argument){function, 1, "model"}, name, error);
    if (!status)
        status = value_text(values[names_model],
                            (struct argument){function, 1 + names_model, meaning}, text, error);
    return status;
}

sembed_status value_size(sqlite3_value *value, struct argument argument, size_t *size,
                         sembed_error *error)
{
    if (sqlite3_value_type(value) != SQLITE_INTEGER)
        return argument_fail(argument, error, "expected an INTEGER, found %s",
                             sqlite3_value_type(value) == SQLITE_FLOAT ? "a REAL"
                                                                       : value_type_word(value));
    sqlite3_int64 number = sqlite3_value_int64(value);
    if (number < 0)
        return argument_fail(argument, error, "expected 0 or more, found %lld", (long long)number);
    *size = (size_t)number;
    return SEMBED_OK;
}

sembed_status value_real(sqlite3_value *value, struct argument argument, double *number,
                         sembed_error *error)
{
    int type = sqlite3_value_type(value);
    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
        return argument_fail(argument, error, "expected a number, found %s",
                             value_type_word(value));
    *number = sqlite3_value_double(value);
    return SEMBED_OK;
}
