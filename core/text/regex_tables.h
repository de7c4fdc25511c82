/* Which characters are younger than the Unicode that PCRE2 may know: see scripts/make-regex-tables. */
#ifndef SEMBED_TEXT_REGEX_TABLES_H
#define SEMBED_TEXT_REGEX_TABLES_H

#include <stddef.h>
#include <stdint.h>

/* Characters [first, last] have this general category ("Lo") or script ("Han") and came after
 * Unicode 14. */
struct regex_late_run {
    char name[12];
    uint32_t first, last;
};

extern const struct regex_late_run regex_late_runs[];
extern const size_t regex_late_run_count;

#endif
