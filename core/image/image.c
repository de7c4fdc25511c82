#define _GNU_SOURCE /* sync_file_range */
#include "core/image/image.h"

#include "core/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define FORMAT 2

enum section { IDENTITY, RECORDS, TABLES, WEIGHTS, SECTIONS };

static const char magic[16] = "sembed image\r\n\x1A";

static const char *const section_names[SECTIONS] = {"identity", "records", "tables", "weights"};

/* The weights have pages of their own, so that who reads tables reads no weights ahead. */
static const size_t alignments[SECTIONS] = {64, 64, 64, 4096};

struct section_entry {
    uint64_t offset, size;
    uint64_t checksum;
};

struct header {
    char magic[sizeof magic];
    uint32_t format;
    uint32_t byte_order; /* 0x01020304 where it is written */
    uint64_t file_size;
    struct section_entry sections[SECTIONS];
    uint64_t checksum; /* of all before it */
};

#define BYTE_ORDER_MARK 0x01020304u

static uint64_t header_checksum(const struct header *header)
{
    return XXH3_64bits(header, offsetof(struct header, checksum));
}

/* ------------------------------------------------------------------------------------- writing */

#define PIECE ((size_t)256 << 10) /* bytes that are still in the cache after they were written */
#define BATCH ((size_t)8 << 20)   /* bytes between two questions to poll */

struct file_writer {
    int descriptor;
    const char *path;
    uint64_t at, limit;
    uint64_t begun;    /* up to where the disk was told to begin */
    XXH3_state_t *sum; /* of the section */
    const sembed_poll *poll;
    sembed_status status;
    sembed_error *error;
};

/* Has the disk begin with what is written already, so that there is less to wait for at the end; and
 * asks poll. */
static void end_batch(struct file_writer *writer)
{
    if (writer->at - writer->begun < BATCH)
        return;
#ifdef __linux__
    sync_file_range(writer->descriptor, (off_t)writer->begun, (off_t)(writer->at - writer->begun),
                    SYNC_FILE_RANGE_WRITE);
#endif
    writer->begun = writer->at;
    if (poll_wants_stop(writer->poll))
        writer->status = error_canceled(writer->error);
}

/* What is written is summed up piece by piece, as long as the processor has it at hand. */
static void write_bytes(void *state, const void *bytes, size_t size)
{
    struct file_writer *writer = state;
    const unsigned char *from = bytes;
    while (size > 0 && writer->status == SEMBED_OK) {
        size_t piece = size < PIECE ? size : PIECE;
        if (writer->at + piece > writer->limit) {
            writer->status =
                error_set(writer->error, SEMBED_LIMIT, "%s: more than the limit of %zu MB",
                          writer->path, (size_t)(writer->limit >> 20));
            return;
        }
        ssize_t written = pwrite(writer->descriptor, from, piece, (off_t)writer->at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            writer->status = error_set(writer->error, SEMBED_IO, "%s: cannot write: %s",
                                       writer->path, strerror(written ? errno : ENOSPC));
            return;
        }
        XXH3_64bits_update(writer->sum, from, (size_t)written);
        writer->at += (uint64_t)written;
        from += written;
        size -= (size_t)written;
        end_batch(writer);
    }
}

/* Packing stops where writing has failed. */
static int stop_writing(void *state)
{
    const struct file_writer *writer = state;
    return writer->status != SEMBED_OK || poll_wants_stop(writer->poll);
}

static void write_weights(struct file_writer *writer, const struct image_contents *contents)
{
    struct flat_writer flat = {.sink = write_bytes, .state = writer};
    const sembed_poll poll = {stop_writing, writer};
    sembed_error error = {0};
    if (writer->status != SEMBED_OK)
        return;
    sembed_status status = contents->write_weights(contents->model, &poll, &flat, &error);
    if (writer->status == SEMBED_OK && status != SEMBED_OK)
        writer->status = error_set(writer->error, status, "%s", error.message);
}

static void write_section(struct file_writer *writer, const struct image_contents *contents,
                          enum section section)
{
    static const unsigned char zeros[ARCHIVE_ALIGNMENT];
    const struct archive *archive = contents->archive;
    switch (section) {
    case IDENTITY:
        write_bytes(writer, contents->identity, strlen(contents->identity));
        break;
    case RECORDS:
        write_bytes(writer, archive->records, archive->record_size);
        break;
    case TABLES:
        for (size_t i = 0; i < archive->table_count; i++) {
            write_bytes(writer, archive->tables[i].data, archive->tables[i].size);
            write_bytes(writer, zeros, archive_padding(archive->tables[i].size));
        }
        break;
    case WEIGHTS:
        write_weights(writer, contents);
        break;
    case SECTIONS:
        break;
    }
}

static void write_header(struct file_writer *writer, struct header *header)
{
    header->file_size = writer->at;
    header->checksum = header_checksum(header);
    writer->at = 0;
    write_bytes(writer, header, sizeof *header);
}

sembed_status image_write(int descriptor, const char *path, const struct image_contents *contents,
                          const sembed_poll *poll, sembed_error *error)
{
    struct file_writer writer = {.descriptor = descriptor,
                                 .path = path,
                                 .at = sizeof(struct header),
                                 .limit = contents->limit,
                                 .poll = poll,
                                 .sum = XXH3_createState(),
                                 .error = error};
    struct header header = {.format = FORMAT, .byte_order = BYTE_ORDER_MARK};
    if (!writer.sum)
        return error_no_memory(error, "a checksum");
    memcpy(header.magic, magic, sizeof magic);
    for (enum section i = 0; i < SECTIONS; i++) {
        struct section_entry *entry = &header.sections[i];
        writer.at += (alignments[i] - writer.at % alignments[i]) % alignments[i];
        XXH3_64bits_reset(writer.sum);
        entry->offset = writer.at;
        write_section(&writer, contents, i);
        entry->size = writer.at - entry->offset;
        entry->checksum = XXH3_64bits_digest(writer.sum);
    }
    write_header(&writer, &header);
    XXH3_freeState(writer.sum);
    if (writer.status == SEMBED_OK && fsync(descriptor) != 0)
        writer.status = error_set(error, SEMBED_IO, "%s: cannot write: %s", path, strerror(errno));
    return writer.status;
}

/* ------------------------------------------------------------------------------------- opening */

static sembed_status damaged(const char *path, const char *what, sembed_error *error)
{
    return error_set(error, SEMBED_MALFORMED, "%s: damaged: %s", path, what);
}

/* The header, and sections that lie in order within the file. */
static sembed_status read_header(const struct file_map *map, const char *path,
                                 struct header *header, sembed_error *error)
{
    if (map->size < sizeof *header)
        return damaged(path, "shorter than its header", error);
    memcpy(header, map->data, sizeof *header);
    if (memcmp(header->magic, magic, sizeof magic) != 0)
        return damaged(path, "not an image", error);
    if (header->format != FORMAT || header->byte_order != BYTE_ORDER_MARK)
        return error_set(error, SEMBED_UNSUPPORTED, "%s: an image of another format", path);
    if (header->checksum != header_checksum(header))
        return damaged(path, "its header was altered", error);
    if (header->file_size != map->size)
        return damaged(path, "cut short", error);
    uint64_t end = sizeof *header;
    for (enum section i = 0; i < SECTIONS; i++) {
        const struct section_entry *entry = &header->sections[i];
        if (entry->offset % alignments[i] || entry->offset < end || entry->offset > map->size ||
            entry->size > map->size - entry->offset)
            return damaged(path, "sections beyond the end", error);
        end = entry->offset + entry->size;
    }
    return SEMBED_OK;
}

static struct archive_range section_of(const struct file_map *map, const struct header *header,
                                       enum section section)
{
    const struct section_entry *entry = &header->sections[section];
    return (struct archive_range){map->data + entry->offset, entry->size};
}

static sembed_status check_section(const struct image *image, const struct header *header,
                                   enum section section, const char *path, sembed_error *error)
{
    struct archive_range range = section_of(&image->map, header, section);
    if (XXH3_64bits(range.data, range.size) == header->sections[section].checksum)
        return SEMBED_OK;
    char what[64] = "altered: ";
    strcat(what, section_names[section]);
    return damaged(path, what, error);
}

/* All sections, of which the identity alone has been summed up. */
static sembed_status find_sections(struct image *image, const char *path, struct header *header,
                                   sembed_error *error)
{
    sembed_status status = read_header(&image->map, path, header, error);
    if (status == SEMBED_OK)
        status = check_section(image, header, IDENTITY, path, error);
    if (status != SEMBED_OK)
        return status;
    image->identity = section_of(&image->map, header, IDENTITY);
    image->records = section_of(&image->map, header, RECORDS);
    image->tables = section_of(&image->map, header, TABLES);
    image->weights = section_of(&image->map, header, WEIGHTS);
    image->weights_checksum = header->sections[WEIGHTS].checksum;
    return SEMBED_OK;
}

static sembed_status open_sections(struct image *image, const char *path, const char *identity,
                                   sembed_error *error)
{
    struct header header;
    sembed_status status = find_sections(image, path, &header, error);
    if (status != SEMBED_OK)
        return status;
    if (image->identity.size != strlen(identity) ||
        memcmp(image->identity.data, identity, image->identity.size) != 0)
        return error_set(error, SEMBED_UNSUPPORTED,
                         "%s: of another state of the model, or by another program", path);
    status = check_section(image, &header, RECORDS, path, error);
    if (status == SEMBED_OK)
        status = check_section(image, &header, TABLES, path, error);
    return status;
}

sembed_status image_open(int descriptor, const char *path, const char *identity,
                         struct image *image, sembed_error *error)
{
    *image = (struct image){0};
    sembed_status status = file_map_descriptor(descriptor, path, &image->map, error);
    if (status == SEMBED_OK)
        status = open_sections(image, path, identity, error);
    if (status != SEMBED_OK)
        image_close(image);
    return status;
}

sembed_status image_open_identity(int descriptor, const char *path, struct image *image,
                                  sembed_error *error)
{
    struct header header;
    *image = (struct image){0};
    sembed_status status = file_map_descriptor(descriptor, path, &image->map, error);
    if (status == SEMBED_OK)
        status = find_sections(image, path, &header, error);
    if (status != SEMBED_OK)
        image_close(image);
    return status;
}

/* A disk may take seconds to read them. */
sembed_status image_check_weights(const struct image *image, const char *path,
                                  const sembed_poll *poll, sembed_error *error)
{
    XXH3_state_t *sum = XXH3_createState();
    if (!sum)
        return error_no_memory(error, "a checksum");
    XXH3_64bits_reset(sum);
    sembed_status status = SEMBED_OK;
    size_t size = image->weights.size;
    for (size_t done = 0, piece; status == SEMBED_OK && done < size; done += piece) {
        piece = size - done < BATCH ? size - done : BATCH;
        XXH3_64bits_update(sum, image->weights.data + done, piece);
        if (poll_wants_stop(poll))
            status = error_canceled(error);
    }
    if (status == SEMBED_OK && XXH3_64bits_digest(sum) != image->weights_checksum)
        status = damaged(path, "altered: weights", error);
    XXH3_freeState(sum);
    return status;
}

void image_close(struct image *image)
{
    file_unmap(&image->map);
    *image = (struct image){0};
}
