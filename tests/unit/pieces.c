#include "tests/unit/pieces.h"

#include <stdio.h>

const char *pieces_text(const struct pieces *pieces)
{
    static char text[4096];
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < pieces->count && length < sizeof text - 64; i++)
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%s%u:%u:%u", i ? " " : "",
                             pieces->items[i].id, pieces->items[i].start, pieces->items[i].stop);
    return text;
}
