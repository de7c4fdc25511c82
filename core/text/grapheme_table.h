/* The properties that grapheme clusters are made by. The table is Unicode 17's: GraphemeBreakProperty
 * (Hangul syllables left out: they are computed), Extended_Pictographic and InCB in one class, which
 * works since no character has two that matter. */
#ifndef SEMBED_TEXT_GRAPHEME_TABLE_H
#define SEMBED_TEXT_GRAPHEME_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum grapheme_class {
    GRAPHEME_OTHER,
    GRAPHEME_CR,
    GRAPHEME_LF,
    GRAPHEME_CONTROL,
    GRAPHEME_EXTEND,       /* Extend, and InCB=Extend */
    GRAPHEME_EXTEND_OTHER, /* Extend, and no InCB */
    GRAPHEME_LINKER,       /* Extend, and InCB=Linker: a virama */
    GRAPHEME_ZWJ,          /* zero width joiner; InCB=Extend */
    GRAPHEME_SPACING_MARK,
    GRAPHEME_PREPEND,
    GRAPHEME_PICTOGRAPHIC, /* Extended_Pictographic */
    GRAPHEME_CONSONANT,    /* InCB=Consonant */
    GRAPHEME_REGIONAL,
    GRAPHEME_HANGUL_L,
    GRAPHEME_HANGUL_V,
    GRAPHEME_HANGUL_T,
    GRAPHEME_HANGUL_LV,
    GRAPHEME_HANGUL_LVT
};

/* Characters first … last have the class. */
struct grapheme_range {
    uint32_t first, last;
    uint8_t class; /* enum grapheme_class */
};

/* In order, not overlapping; what is in none is GRAPHEME_OTHER. */
extern const struct grapheme_range grapheme_ranges[];
extern const size_t grapheme_range_count;

#endif
