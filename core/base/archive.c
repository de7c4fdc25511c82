#include "core/base/archive.h"

#include "core/base/memory.h"

#include <stdint.h>
#include <string.h>

#define LONGEST_TEXT ((size_t)1 << 30)

struct archive archive_for_saving(sembed_error *error)
{
    return (struct archive){.error = error};
}

struct archive archive_for_opening(struct archive_range records, struct archive_range tables,
                                   sembed_error *error)
{
    return (struct archive){.opening = true, .error = error, .input = records, .map = tables};
}

void archive_free(struct archive *archive)
{
    memory_free(archive->records);
    memory_free(archive->tables);
    archive->records = NULL;
    archive->tables = NULL;
}

sembed_status archive_finish(struct archive *archive)
{
    archive_check(archive, archive->input.size == 0, "records that nobody reads");
    return archive->status;
}

void archive_fail(struct archive *archive, sembed_status status)
{
    if (archive->status == SEMBED_OK)
        archive->status = status;
}

void archive_check(struct archive *archive, bool condition, const char *what)
{
    if (archive->opening && archive->status == SEMBED_OK && !condition)
        archive->status = error_set(archive->error, SEMBED_MALFORMED, "%s", what);
}

static void fail_no_memory(struct archive *archive)
{
    archive_fail(archive, error_no_memory(archive->error, "a model's image"));
}

/* ------------------------------------------------------------------------------------- records */

static void write_record(struct archive *archive, const void *value, size_t size)
{
    if (!memory_grow((void **)&archive->records, &archive->record_capacity,
                     archive->record_size + size, 1)) {
        fail_no_memory(archive);
        return;
    }
    memcpy(archive->records + archive->record_size, value, size);
    archive->record_size += size;
}

/* The next bytes of the records; NULL where there are fewer. */
static const unsigned char *read_record(struct archive *archive, size_t size)
{
    const unsigned char *record = archive->input.data;
    archive_check(archive, size <= archive->input.size, "records that end too early");
    if (archive->status != SEMBED_OK)
        return NULL;
    archive->input.data += size;
    archive->input.size -= size;
    return record;
}

void archive_bytes(struct archive *archive, void *value, size_t size)
{
    if (archive->status != SEMBED_OK || size == 0)
        return;
    if (!archive->opening) {
        write_record(archive, value, size);
        return;
    }
    const unsigned char *record = read_record(archive, size);
    if (record)
        memcpy(value, record, size);
}

void archive_flags(struct archive *archive, void *flags, size_t count)
{
    unsigned char *bytes = flags; /* a bool may not be looked at before it is known to be one */
    if (!archive->opening) {
        archive_bytes(archive, flags, count);
        return;
    }
    const unsigned char *record = read_record(archive, count);
    for (size_t i = 0; record && i < count; i++)
        archive_check(archive, record[i] <= 1, "a bool that is neither true nor false");
    if (archive->status == SEMBED_OK)
        memcpy(bytes, record, count);
}

/* Whether there is something behind a pointer. */
static bool store_presence(struct archive *archive, bool present)
{
    archive_value(archive, &present);
    return archive->status == SEMBED_OK && present;
}

void archive_text(struct archive *archive, char **text, size_t *length)
{
    archive_value(archive, length);
    archive_check(archive, *length <= LONGEST_TEXT, "a text that is too long");
    if (archive->status != SEMBED_OK)
        return;
    if (archive->opening) {
        const unsigned char *record = read_record(archive, *length);
        *text = record ? memory_alloc(*length + 1) : NULL;
        if (record && !*text)
            fail_no_memory(archive);
        if (!*text)
            return;
        memcpy(*text, record, *length);
        (*text)[*length] = '\0';
    } else {
        archive_bytes(archive, *text, *length);
    }
}

void archive_string(struct archive *archive, char **string)
{
    if (!store_presence(archive, *string != NULL))
        return;
    size_t length = archive->opening ? 0 : strlen(*string);
    archive_text(archive, string, &length);
}

void *archive_struct(struct archive *archive, void **pointer, size_t size)
{
    if (!store_presence(archive, *pointer != NULL))
        return NULL;
    if (archive->opening) {
        *pointer = memory_calloc(1, size);
        if (!*pointer)
            fail_no_memory(archive);
    }
    return *pointer;
}

bool archive_array(struct archive *archive, void **pointer, size_t *count, size_t size)
{
    size_t stored = *count;
    archive_value(archive, &stored);
    /* Each element has a record of at least a byte. */
    archive_check(archive, stored <= archive->input.size, "a count beyond the records");
    if (archive->opening && archive->status == SEMBED_OK) {
        *pointer = memory_calloc(stored, size);
        if (*pointer)
            *count = stored;
        else
            fail_no_memory(archive);
    }
    return archive->status == SEMBED_OK;
}

/* -------------------------------------------------------------------------------------- tables */

static void save_table(struct archive *archive, struct archive_range table)
{
    uint64_t place[2] = {archive->tables_size, table.size};
    size_t end;
    if (!memory_grow((void **)&archive->tables, &archive->table_capacity, archive->table_count + 1,
                     sizeof *archive->tables) ||
        !size_add(table.size, archive_padding(table.size), &end) ||
        !size_add(archive->tables_size, end, &archive->tables_size)) {
        fail_no_memory(archive);
        return;
    }
    archive->tables[archive->table_count++] = table;
    archive_value(archive, &place);
}

static const void *open_table(struct archive *archive, size_t bytes)
{
    const struct archive_range *map = &archive->map;
    uint64_t place[2] = {0};
    archive_value(archive, &place);
    archive_check(archive, place[1] == bytes && place[0] % ARCHIVE_ALIGNMENT == 0,
                  "a table of another size than expected");
    archive_check(archive, place[0] <= map->size && bytes <= map->size - place[0],
                  "a table beyond the end");
    return archive->status == SEMBED_OK ? map->data + place[0] : NULL;
}

void archive_table(struct archive *archive, void *pointer, size_t count, size_t size)
{
    size_t bytes;
    const void **table = pointer;
    if (archive->status != SEMBED_OK)
        return;
    if (!size_multiply(count, size, &bytes))
        archive_fail(archive, error_set(archive->error, SEMBED_MALFORMED,
                                        "a table of %zu elements of %zu bytes", count, size));
    else if (archive->opening)
        *table = open_table(archive, bytes);
    else
        save_table(archive, (struct archive_range){*table, bytes});
}
