#include "core/compute/precision.h"

#include <string.h>

static const char *const names[] = {
    [PRECISION_F32] = "f32", [PRECISION_BF16] = "bf16", [PRECISION_INT8] = "int8"};

const char *precision_name(enum precision precision)
{
    return names[precision];
}

bool precision_from_name(const char *name, size_t length, enum precision *precision)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0) {
            *precision = (enum precision)i;
            return true;
        }
    }
    return false;
}
