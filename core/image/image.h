/*
 * An image: what loading a model computes, in one file that every process maps.
 *
 *     ┌──────────┬──────────┬─────────┬────────────┬──────────────────────────────────┐
 *     │ header   │ identity │ records │ tables     │ weights                          │
 *     └──────────┴──────────┴─────────┴────────────┴──────────────────────────────────┘
 *       where      text that  sizes,    tokenizer    packed matrices and embedding tables,
 *       each is,   says what  settings  some MB      up to 1 GB and more (core/base/flat.h)
 *       checksums  it's of    (core/base/archive.h)
 *
 * There are offsets and no pointers in it, each section begins at a multiple of 64 bytes (the weights
 * of 4096), and numbers are as the machine has them. The identity is everything that decides about the
 * other bytes, a line each: the program, the engine and its instruction set, the model folder's files.
 * An image whose identity is not what the reader expects, byte for byte, is not read any further.
 *
 * Checksums (XXH3). That of the header, identity, records and tables is computed whenever an image is
 * opened: a few milliseconds. That of the weights would take a tenth of a second and more per process;
 * it is computed when the image is made, and again when cache.c finds no mark that this very file, not
 * changed since by anybody's clock, was found right since the machine was started.
 *
 * What is believed. The numbers of an image whose checksums are right: weights, scores, norms, and that
 * a token's spelling has the id that a table says. Only this user and root can write it (cache.h), and who
 * can write it could as well write what the program is made of. Not believed is anything that leads
 * somewhere: bools, kinds, counts, places and widths are checked when they are opened, against their
 * tables and one another, so that an image made by mistake is refused and ends no process.
 */
#ifndef SEMBED_IMAGE_IMAGE_H
#define SEMBED_IMAGE_IMAGE_H

#include "core/base/archive.h"
#include "core/base/file.h"
#include "core/base/flat.h"

/* What is to be written. */
struct image_contents {
    const char *identity; /* text without zero bytes */
    const struct archive *archive;
    /* Writes the weights, asking poll. */
    sembed_status (*write_weights)(const void *model, const sembed_poll *poll,
                                   struct flat_writer *writer, sembed_error *error);
    const void *model;
    uint64_t limit; /* of the file, in bytes */
};

/* Writes an image to an empty file, and waits until it is on the disk. SEMBED_IO names the path and why;
 * SEMBED_LIMIT, SEMBED_CANCELED; what write_weights fails with. */
SEMBED_MUST_CHECK sembed_status image_write(int descriptor, const char *path,
                                            const struct image_contents *contents,
                                            const sembed_poll *poll, sembed_error *error);

/* One that is open; what it points to stays until image_close. */
struct image {
    struct file_map map;
    struct archive_range identity, records, tables, weights;
    uint64_t weights_checksum; /* what it should be */
};

/*
 * Maps the file and checks all but the weights. SEMBED_UNSUPPORTED: it is of something else than
 * `identity` (stale, or another program's); SEMBED_MALFORMED: it is damaged.
 */
SEMBED_MUST_CHECK sembed_status image_open(int descriptor, const char *path, const char *identity,
                                           struct image *image, sembed_error *error);

/* The same, but nothing past the identity is looked at. */
SEMBED_MUST_CHECK sembed_status image_open_identity(int descriptor, const char *path,
                                                    struct image *image, sembed_error *error);

/* SEMBED_MALFORMED unless the weights are as they were written. poll may be NULL. */
SEMBED_MUST_CHECK sembed_status image_check_weights(const struct image *image, const char *path,
                                                    const sembed_poll *poll, sembed_error *error);
void image_close(struct image *image); /* a zeroed one is allowed */

#endif
