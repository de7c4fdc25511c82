/*
 * Structs to and from a file, one description for both directions:
 *
 *     void charsmap_store(struct archive *archive, struct charsmap **charsmap)
 *     {
 *         struct charsmap *stored = archive_struct(archive, (void **)charsmap, sizeof **charsmap);
 *         if (!stored)
 *             return;
 *         archive_value(archive, &stored->unit_count);
 *         archive_table(archive, &stored->units, stored->unit_count, sizeof *stored->units);
 *         archive_check(archive, stored->unit_count > 0, "a charsmap without units");
 *     }
 *
 * Saving, the members are written; opening, the same calls fill them in. So the two can't disagree.
 * Small values are written one behind the other (the records). Tables are not copied in either
 * direction: saving, the archive remembers where they are (they must stay until the file is written);
 * opening, the pointer is set into the mapped file. They lie one behind the other, each at a multiple
 * of ARCHIVE_ALIGNMENT; a record says where.
 *
 *     records   count 3, offset 64, …        what is small, in order
 *     tables    ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒      what is large
 *
 * The first failure is remembered, and every call after it does nothing, so that callers ask once, at
 * the end. Structs are written as they lie in memory: a file is for the program that wrote it, which
 * whoever keeps the file has to make sure of.
 */
#ifndef SEMBED_BASE_ARCHIVE_H
#define SEMBED_BASE_ARCHIVE_H

#include "core/base/error.h"

#include <stdbool.h>

#define ARCHIVE_ALIGNMENT 64 /* of tables: a cache line, the widest vector register */

/* Bytes in memory or in a file. */
struct archive_range {
    const unsigned char *data;
    size_t size;
};

struct archive {
    bool opening;
    sembed_status status; /* of the first call that failed */
    sembed_error *error;

    /* Saving. */
    unsigned char *records; /* [record_size] */
    size_t record_size, record_capacity;
    struct archive_range *tables; /* [table_count], not owned, in order */
    size_t table_count, table_capacity;
    size_t tables_size; /* of all, with what is between them */

    /* Opening. */
    struct archive_range input; /* the records that are left */
    struct archive_range map;   /* the tables */
};

/* An archive to save into; errors go to error. Free with archive_free. */
struct archive archive_for_saving(sembed_error *error);

/* One to open: tables.data is at a multiple of ARCHIVE_ALIGNMENT and stays as long as what is
 * opened. */
struct archive archive_for_opening(struct archive_range records, struct archive_range tables,
                                   sembed_error *error);
void archive_free(struct archive *archive);

/* The status of all that was done; opening, all records must have been read. */
SEMBED_MUST_CHECK sembed_status archive_finish(struct archive *archive);

/* Notes a failure that error holds already. */
void archive_fail(struct archive *archive, sembed_status status);

/* Opening, fails with SEMBED_MALFORMED unless the condition holds; what says what is wrong. */
void archive_check(struct archive *archive, bool condition, const char *what);

/* A value without pointers. Opening leaves it as it was where the archive has failed. A bool is 0 or 1:
 * opening, anything else is SEMBED_MALFORMED. */
#define archive_value(archive, pointer)                                                            \
    _Generic((pointer), bool *: archive_flags, default: archive_bytes)(archive, pointer,           \
                                                                       sizeof *(pointer))
void archive_bytes(struct archive *archive, void *value, size_t size);
void archive_flags(struct archive *archive, void *flags, size_t count);

/* A string; opening gives a copy that is freed with memory_free. *string may be NULL. */
void archive_string(struct archive *archive, char **string);

/* The same for length bytes that may hold zeros; *text is not NULL. */
void archive_text(struct archive *archive, char **text, size_t *length);

/* The struct behind a pointer; opening makes a zeroed one, to be freed with memory_free by its owner,
 * and sets *pointer. NULL where *pointer is NULL, or the archive has failed: no member is stored. */
void *archive_struct(struct archive *archive, void **pointer, size_t size);

/* The same for an array of *count structs, which may be none. False: the archive has failed. */
bool archive_array(struct archive *archive, void **pointer, size_t *count, size_t size);

/* count elements of `size` bytes behind *pointer, which opening sets into the file. pointer is the
 * address of a pointer to any type. */
void archive_table(struct archive *archive, void *pointer, size_t count, size_t size);

/* How many bytes follow a table of that size. */
static inline size_t archive_padding(size_t size)
{
    return (ARCHIVE_ALIGNMENT - size % ARCHIVE_ALIGNMENT) % ARCHIVE_ALIGNMENT;
}

#endif
