#include "core/text/charsmap.h"

#include "core/base/memory.h"
#include "core/text/aligned_text.h"
#include "core/text/grapheme.h"
#include "core/text/unicode.h"

#include <string.h>

#define LONGEST_CLUSTER 5 /* bytes that are looked up whole: "under 6" */
#define ASCII           128
#define POLL_BYTES      (64 * 1024)

struct charsmap {
    uint32_t *units; /* [unit_count], darts-clone's double array */
    size_t unit_count;
    char *strings; /* [strings_size], replacements, each ended by a zero byte */
    size_t strings_size;
    bool plain[ASCII]; /* printable ASCII that no rule touches: most of all text */
    bool mapped;       /* units and strings belong to a file */
};

/* A replacement; text NULL: there is none. */
struct replacement {
    const char *text;
    size_t length;
};

void charsmap_destroy(struct charsmap *charsmap)
{
    if (!charsmap)
        return;
    if (!charsmap->mapped) {
        memory_free(charsmap->units);
        memory_free(charsmap->strings);
    }
    memory_free(charsmap);
}

void charsmap_store(struct archive *archive, struct charsmap **charsmap)
{
    struct charsmap *stored = archive_struct(archive, (void **)charsmap, sizeof *stored);
    if (!stored)
        return;
    stored->mapped = archive->opening;
    archive_value(archive, &stored->unit_count);
    archive_value(archive, &stored->strings_size);
    archive_flags(archive, stored->plain, sizeof stored->plain);
    archive_table(archive, &stored->units, stored->unit_count, sizeof *stored->units);
    archive_table(archive, &stored->strings, stored->strings_size, 1);
    if (archive->status == SEMBED_OK)
        archive_check(archive,
                      stored->unit_count > 0 &&
                          unicode_valid_prefix(stored->strings, stored->strings_size) ==
                              stored->strings_size,
                      "a charsmap that is none");
}

/* --- the trie ------------------------------------------------------------------------------- */

/*
 * A unit of darts-clone's array: the byte by which it is reached in bits 0–7 (with bit 31, which is
 * set in units that hold a value), "a key ends here" in bit 8, and the distance to its children in
 * bits 10–30, in steps of 256 where bit 9 is set. The value of a key that ends at a unit lies where
 * its child by byte 0 would.
 */
static uint32_t unit_label(uint32_t unit)
{
    return unit & 0x800000FFu;
}

static bool unit_has_value(uint32_t unit)
{
    return unit >> 8 & 1;
}

static uint32_t unit_offset(uint32_t unit)
{
    return (unit >> 10) << ((unit & 0x200u) >> 6);
}

static uint32_t unit_value(uint32_t unit)
{
    return unit & 0x7FFFFFFFu;
}

/* The replacement that begins at strings[start]; none where that is no place in the strings. */
static struct replacement replacement_at(const struct charsmap *charsmap, size_t start)
{
    if (start > charsmap->strings_size)
        return (struct replacement){0};
    const char *text = charsmap->strings + start;
    size_t left = charsmap->strings_size - start;
    if (left && ((unsigned char)text[0] & 0xC0) == 0x80)
        return (struct replacement){0}; /* inside a character */
    const char *end = memchr(text, 0, left);
    return (struct replacement){text, end ? (size_t)(end - text) : left};
}

/* What the shortest prefix of text[length] that is a key is replaced by. */
static struct replacement look_up(const struct charsmap *charsmap, const char *text, size_t length)
{
    uint32_t place = unit_offset(charsmap->units[0]);
    for (size_t i = 0; i < length && text[i]; i++) {
        unsigned char byte = (unsigned char)text[i];
        place ^= byte;
        if (place >= charsmap->unit_count)
            break;
        uint32_t unit = charsmap->units[place];
        if (unit_label(unit) != byte)
            break;
        place ^= unit_offset(unit);
        if (unit_has_value(unit))
            return place < charsmap->unit_count
                       ? replacement_at(charsmap, unit_value(charsmap->units[place]))
                       : (struct replacement){0};
    }
    return (struct replacement){0};
}

/* --- creation ------------------------------------------------------------------------------- */

static uint32_t read_u32(const unsigned char *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

sembed_status charsmap_create(const char *name, const unsigned char *blob, size_t size,
                              struct charsmap **charsmap, sembed_error *error)
{
    *charsmap = NULL;
    size_t count = size >= 4 ? read_u32(blob) / 4 : 0;
    if (count == 0 || count > (size - 4) / 4)
        return error_set(
            error, SEMBED_MALFORMED,
            "%s: precompiled_charsmap: expected a size and a table of that many bytes, "
            "found %zu bytes",
            name, size);
    const unsigned char *strings = blob + 4 + 4 * count;
    size_t strings_size = size - 4 - 4 * count;
    if (unicode_valid_prefix((const char *)strings, strings_size) != strings_size)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: precompiled_charsmap: the replacements are not UTF-8", name);

    struct charsmap *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "a charsmap");
    made->units = memory_calloc(count, sizeof *made->units);
    made->strings = memory_alloc(strings_size);
    if (!made->units || !made->strings) {
        charsmap_destroy(made);
        return error_no_memory(error, "a charsmap");
    }
    made->unit_count = count;
    for (size_t i = 0; i < count; i++)
        made->units[i] = read_u32(blob + 4 + 4 * i);
    made->strings_size = strings_size;
    memcpy(made->strings, strings, strings_size);
    for (unsigned character = 0x20; character < 0x7F; character++) {
        char text = (char)character;
        made->plain[character] = !look_up(made, &text, 1).text;
    }
    *charsmap = made;
    return SEMBED_OK;
}

/* The value of a base64 digit (RFC 4648); -1 for any other character. */
static int base64_digit(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

/* text[length] → bytes[length / 4 × 3]; false where it is not padded base64. */
static bool base64_decode(const char *text, size_t length, unsigned char *bytes, size_t *size)
{
    if (length % 4)
        return false;
    size_t padding = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    size_t count = 0;
    uint32_t group = 0;
    for (size_t i = 0; i < length - padding; i++) {
        int digit = base64_digit(text[i]);
        if (digit < 0)
            return false;
        group = group << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            bytes[count++] = (unsigned char)(group >> 16);
            bytes[count++] = (unsigned char)(group >> 8);
            bytes[count++] = (unsigned char)group;
            group = 0;
        }
    }
    if (padding == 1) {
        bytes[count++] = (unsigned char)(group >> 10);
        bytes[count++] = (unsigned char)(group >> 2);
    } else if (padding == 2) {
        bytes[count++] = (unsigned char)(group >> 4);
    }
    *size = count;
    return (group & (padding == 1 ? 0x3u : padding == 2 ? 0xFu : 0u)) == 0;
}

sembed_status charsmap_create_from_json(const struct json_file *file, const json_t *object,
                                        struct charsmap **charsmap, sembed_error *error)
{
    *charsmap = NULL;
    const char *text;
    sembed_status status = json_get_string(file, object, "precompiled_charsmap", &text, error);
    if (status != SEMBED_OK)
        return status;
    size_t length = strlen(text), size;
    unsigned char *blob = memory_alloc(length / 4 * 3);
    if (!blob)
        return error_no_memory(error, "a charsmap");
    status = base64_decode(text, length, blob, &size)
                 ? charsmap_create(file->path, blob, size, charsmap, error)
                 : error_set(error, SEMBED_MALFORMED, "%s: key 'precompiled_charsmap': not base64",
                             file->path);
    memory_free(blob);
    return status;
}

/* --- normalizing ---------------------------------------------------------------------------- */

/*
 * What is written, and from where. The library first lists what comes out as (character, change)
 * and then lays the list along the input: change 0 takes the next character of the input, 1 is an
 * extra character and takes none, -n takes the next one and drops n behind it. A replacement with
 * fewer characters than it replaces takes the difference off the change of the character written
 * last, whichever that was; so the last character's source is known only when the next one comes.
 */
struct writer {
    struct charsmap_output *output;
    bool with_sources;
    const char *text; /* the input */
    size_t length;
    size_t taken; /* bytes of it that have been laid along the output */

    bool pending; /* a character is written, its source not yet */
    size_t pending_start;
    ptrdiff_t pending_change;
};

/* Lays the pending character along the input. */
static void settle(struct writer *writer)
{
    if (!writer->pending)
        return;
    writer->pending = false;
    uint32_t source;
    if (writer->pending_change > 0) {
        source = writer->taken ? (uint32_t)(writer->taken - 1) : CHARSMAP_NO_SOURCE;
    } else {
        source = writer->taken < writer->length ? (uint32_t)writer->taken : CHARSMAP_NO_SOURCE;
        for (ptrdiff_t i = writer->pending_change; i <= 0 && writer->taken < writer->length; i++) {
            size_t size;
            unicode_decode(writer->text + writer->taken, &size);
            writer->taken += size;
        }
    }
    for (size_t i = writer->pending_start; i < writer->output->count; i++)
        writer->output->sources[i] = source;
}

static sembed_status reserve(struct writer *writer, size_t more, sembed_error *error)
{
    struct charsmap_output *output = writer->output;
    size_t most = aligned_text_most(writer->length);
    if (output->count > most || more > most - output->count)
        return error_set(error, SEMBED_LIMIT,
                         "the tokenizer makes a text many times as long: over %zu bytes", most);
    if (!memory_grow((void **)&output->bytes, &output->bytes_capacity, output->count + more, 1) ||
        (writer->with_sources && !memory_grow((void **)&output->sources, &output->sources_capacity,
                                              output->count + more, sizeof *output->sources)))
        return error_no_memory(error, "the normalized text");
    return SEMBED_OK;
}

/* One character, room for which there is. */
static void put(struct writer *writer, const char *character, size_t size, ptrdiff_t change)
{
    if (writer->with_sources)
        settle(writer);
    memcpy(writer->output->bytes + writer->output->count, character, size);
    if (writer->with_sources) {
        writer->pending = true;
        writer->pending_start = writer->output->count;
        writer->pending_change = change;
    }
    writer->output->count += size;
}

/* As it is: characters that stand for themselves. */
static sembed_status put_same(struct writer *writer, const char *text, size_t length,
                              sembed_error *error)
{
    sembed_status status = reserve(writer, length, error);
    if (status != SEMBED_OK)
        return status;
    if (!writer->with_sources) {
        memcpy(writer->output->bytes + writer->output->count, text, length);
        writer->output->count += length;
        return SEMBED_OK;
    }
    size_t size;
    for (size_t i = 0; i < length; i += size) {
        unicode_decode(text + i, &size);
        put(writer, text + i, size, 0);
    }
    return SEMBED_OK;
}

/* A replacement for `replaced` characters. */
static sembed_status put_replacement(struct writer *writer, struct replacement replacement,
                                     size_t replaced, sembed_error *error)
{
    sembed_status status = reserve(writer, replacement.length, error);
    if (status != SEMBED_OK)
        return status;
    size_t count = 0, size;
    for (size_t i = 0; i < replacement.length; i += size) {
        unicode_decode(replacement.text + i, &size);
        put(writer, replacement.text + i, size, count++ < replaced ? 0 : 1);
    }
    if (count < replaced && writer->pending)
        writer->pending_change -= (ptrdiff_t)(replaced - count);
    return SEMBED_OK;
}

/* One cluster: whole, if it is short and a rule fits, else character by character. */
static sembed_status put_cluster(const struct charsmap *charsmap, struct writer *writer,
                                 const char *cluster, size_t length, const sembed_poll *poll,
                                 bool *changed, sembed_error *error)
{
    if (length <= LONGEST_CLUSTER) {
        struct replacement replacement = look_up(charsmap, cluster, length);
        if (replacement.text) {
            *changed = true;
            return put_replacement(writer, replacement, unicode_count(cluster, length), error);
        }
    }
    sembed_status status = SEMBED_OK;
    size_t size;
    for (size_t i = 0, next = POLL_BYTES; status == SEMBED_OK && i < length; i += size) {
        if (i >= next) {
            next = i + POLL_BYTES;
            if (poll_wants_stop(poll))
                return error_canceled(error);
        }
        unicode_decode(cluster + i, &size);
        struct replacement replacement = look_up(charsmap, cluster + i, size);
        if (replacement.text) {
            *changed = true;
            status = put_replacement(writer, replacement, 1, error);
        } else {
            status = put_same(writer, cluster + i, size, error);
        }
    }
    return status;
}

/* How much of text is plain, up to a character that begins no cluster with what follows it; at most
 * POLL_BYTES. */
static size_t plain_run(const struct charsmap *charsmap, const char *text, size_t length)
{
    size_t run = 0, most = length < POLL_BYTES ? length : POLL_BYTES;
    while (run < most && (unsigned char)text[run] < ASCII &&
           charsmap->plain[(unsigned char)text[run]])
        run++;
    if (run && run < length && (unsigned char)text[run] >= ASCII)
        run--;
    return run;
}

sembed_status charsmap_normalize(const struct charsmap *charsmap, const char *text, size_t length,
                                 bool with_sources, const sembed_poll *poll,
                                 struct charsmap_output *output, bool *changed, sembed_error *error)
{
    if (length >= UINT32_MAX)
        return error_set(error, SEMBED_LIMIT, "a text of %zu bytes is too long", length);
    struct writer writer = {
        .output = output, .with_sources = with_sources, .text = text, .length = length};
    bool any = false;
    sembed_status status = SEMBED_OK;
    for (size_t at = 0, next = POLL_BYTES; status == SEMBED_OK && at < length;) {
        if (at >= next) {
            next = at + POLL_BYTES;
            if (poll_wants_stop(poll))
                return error_canceled(error);
        }
        size_t run = plain_run(charsmap, text + at, length - at);
        if (run) {
            status = put_same(&writer, text + at, run, error);
            at += run;
            continue;
        }
        size_t cluster = grapheme_length(text + at, length - at, poll);
        if (cluster == 0)
            return error_canceled(error);
        status = put_cluster(charsmap, &writer, text + at, cluster, poll, &any, error);
        at += cluster;
    }
    settle(&writer);
    if (changed)
        *changed = any;
    return status;
}
