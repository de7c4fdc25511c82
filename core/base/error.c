#include "core/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cuts a message that was too long before the character that did not fit. */
static void drop_partial_character(char *message, size_t length)
{
    size_t start = length;
    while (start > 0 && ((unsigned char)message[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0 || (unsigned char)message[start - 1] < 0xC0)
        return;
    unsigned char lead = (unsigned char)message[start - 1];
    size_t needed = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (length - (start - 1) < needed)
        message[start - 1] = '\0';
}

sembed_status error_set(sembed_error *error, sembed_status code, const char *format, ...)
{
    if (!error)
        return code;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    error->code = code;
    if (length < 0)
        error->message[0] = '\0';
    else if ((size_t)length >= sizeof error->message)
        drop_partial_character(error->message, sizeof error->message - 1);
    return code;
}

sembed_status error_no_memory(sembed_error *error, const char *what)
{
    return error_set(error, SEMBED_NO_MEMORY, "out of memory for %s", what);
}

sembed_status error_canceled(sembed_error *error)
{
    return error_set(error, SEMBED_CANCELED, "canceled");
}

const char *sembed_status_name(sembed_status status)
{
    switch (status) {
#define STATUS_NAME(name, text)                                                                    \
    case name:                                                                                     \
        return #name;
        SEMBED_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
    }
    return "?";
}
