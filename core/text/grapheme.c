#include "core/text/grapheme.h"

#include "core/text/grapheme_table.h"
#include "core/text/unicode.h"

#include <stdbool.h>

#define HANGUL_FIRST 0xAC00u
#define HANGUL_LAST  0xD7A3u
#define HANGUL_T     28u /* syllables that share lead and vowel; the first has no tail */
#define POLL_BYTES   (64 * 1024)

static enum grapheme_class class_of(uint32_t character)
{
    if (character < 0x7F) {
        if (character >= 0x20)
            return GRAPHEME_OTHER;
        return character == '\r' ? GRAPHEME_CR : character == '\n' ? GRAPHEME_LF : GRAPHEME_CONTROL;
    }
    if (character >= HANGUL_FIRST && character <= HANGUL_LAST)
        return (character - HANGUL_FIRST) % HANGUL_T ? GRAPHEME_HANGUL_LVT : GRAPHEME_HANGUL_LV;
    size_t low = 0, high = grapheme_range_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (grapheme_ranges[middle].last < character)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < grapheme_range_count && grapheme_ranges[low].first <= character)
        return grapheme_ranges[low].class;
    return GRAPHEME_OTHER;
}

static bool is_extend(enum grapheme_class class)
{
    return class == GRAPHEME_EXTEND || class == GRAPHEME_EXTEND_OTHER || class == GRAPHEME_LINKER;
}

static bool is_control(enum grapheme_class class)
{
    return class == GRAPHEME_CR || class == GRAPHEME_LF || class == GRAPHEME_CONTROL;
}

/* The part of a cluster that has been read. The rules that look far back look for a pictograph, a
 * consonant or regional indicators in it; whatever matches them is in the cluster by other rules. */
struct cluster {
    enum grapheme_class last;
    bool after_pictograph; /* ends in Extended_Pictographic Extend* */
    bool after_emoji_zwj;  /* … and a ZWJ */
    bool after_consonant;  /* ends in InCB=Consonant [InCB=Extend InCB=Linker]* */
    bool linked;           /* … of which one is a linker */
    bool regional_half;    /* ends in an odd number of regional indicators */
};

static void cluster_add(struct cluster *cluster, enum grapheme_class class)
{
    cluster->after_emoji_zwj = cluster->after_pictograph && class == GRAPHEME_ZWJ;
    cluster->after_pictograph =
        class == GRAPHEME_PICTOGRAPHIC || (cluster->after_pictograph && is_extend(class));
    if (class == GRAPHEME_CONSONANT) {
        cluster->after_consonant = true;
        cluster->linked = false;
    } else if (class == GRAPHEME_LINKER) {
        cluster->linked = cluster->after_consonant;
    } else if (class != GRAPHEME_EXTEND && class != GRAPHEME_ZWJ) {
        cluster->after_consonant = cluster->linked = false;
    }
    cluster->regional_half = class == GRAPHEME_REGIONAL && !cluster->regional_half;
    cluster->last = class;
}

/* Whether there is no boundary before a character of this class; the numbers are UAX #29's rules. */
static bool cluster_takes(const struct cluster *cluster, enum grapheme_class class)
{
    enum grapheme_class last = cluster->last;
    if (last == GRAPHEME_CR && class == GRAPHEME_LF) /* GB3 */
        return true;
    if (is_control(last) || is_control(class)) /* GB4, GB5 */
        return false;
    if (is_extend(class) || class == GRAPHEME_ZWJ || class == GRAPHEME_SPACING_MARK ||
        last == GRAPHEME_PREPEND) /* GB9, GB9a, GB9b */
        return true;
    switch (class) {
    case GRAPHEME_HANGUL_L: /* GB6 */
    case GRAPHEME_HANGUL_LV:
    case GRAPHEME_HANGUL_LVT:
        return last == GRAPHEME_HANGUL_L;
    case GRAPHEME_HANGUL_V: /* GB6, GB7 */
        return last == GRAPHEME_HANGUL_L || last == GRAPHEME_HANGUL_LV || last == GRAPHEME_HANGUL_V;
    case GRAPHEME_HANGUL_T: /* GB7, GB8 */
        return last == GRAPHEME_HANGUL_LV || last == GRAPHEME_HANGUL_V ||
               last == GRAPHEME_HANGUL_LVT || last == GRAPHEME_HANGUL_T;
    case GRAPHEME_CONSONANT: /* GB9c */
        return cluster->linked;
    case GRAPHEME_PICTOGRAPHIC: /* GB11 */
        return cluster->after_emoji_zwj;
    case GRAPHEME_REGIONAL: /* GB12, GB13 */
        return cluster->regional_half;
    default:
        return false;
    }
}

size_t grapheme_length(const char *text, size_t length, const sembed_poll *poll)
{
    struct cluster cluster = {0};
    size_t at, size, next = POLL_BYTES;
    cluster_add(&cluster, class_of(unicode_decode(text, &at)));
    for (; at < length; at += size) {
        if (at >= next) {
            next = at + POLL_BYTES;
            if (poll_wants_stop(poll))
                return 0;
        }
        enum grapheme_class class = class_of(unicode_decode(text + at, &size));
        if (!cluster_takes(&cluster, class))
            break;
        cluster_add(&cluster, class);
    }
    return at;
}
