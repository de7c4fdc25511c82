/* cmocka and what it wants included before it; checks that many tests share. */
#ifndef SEMBED_TESTS_UNIT_H
#define SEMBED_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/sembed.h"

/* Whether the processor is emulated (SEMBED_TEST_EMULATED): slow, and what repeats itself is cut short. */
static inline bool is_emulated(void)
{
    return getenv("SEMBED_TEST_EMULATED") != NULL;
}

/* A call succeeded; otherwise its own sentence is printed. */
#define assert_ok(status, error)                                                                   \
    do {                                                                                           \
        if ((status) != SEMBED_OK)                                                                 \
            fail_msg("%s: %s", sembed_status_name((error).code), (error).message);                 \
    } while (0)

/* A call failed with this status, and its sentence holds this text. */
#define assert_fails(status, expected, error, text)                                                \
    do {                                                                                           \
        assert_string_equal(sembed_status_name(status), sembed_status_name(expected));             \
        assert_int_equal((error).code, expected);                                                  \
        if (!strstr((error).message, text))                                                        \
            fail_msg("expected \"%s\" in: %s", text, (error).message);                             \
    } while (0)

#endif
