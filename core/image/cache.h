/*
 * The folder where images are kept.
 *
 *     all-MiniLM-L6-v2-5f3a….image           an image (image.h)
 *     all-MiniLM-L6-v2-5f3a….image.ok        the mark: which state of that file was found right
 *     all-MiniLM-L6-v2-5f3a….image.lock      held by who makes it
 *     all-MiniLM-L6-v2-5f3a….image.new-…     being made
 *
 * Nothing in it is trusted that others may have written: the folder must belong to this user (or to
 * root) and be writable by nobody else, and so must each file; links are not followed.
 *
 * An image is written under another name, synced and then renamed; nobody ever sees half of one. Who
 * makes it holds the lock, which the system gives back however the process ends; others wait for the
 * image instead of reading the model's folder too, so that two hundred processes that begin at once
 * need the memory of one. Where a file system has no locks, each makes its own and the last rename
 * wins, which is as good.
 *
 * The mark. Weights are too large to be summed up by every process. So who has summed them up writes
 * down which file it was: device, inode, size, the times of its last change, and the run of the machine
 * (boot id). Whoever writes to that file later changes its ctime, which no program can set back; then
 * the mark no longer fits, and the next reader sums up again. After a restart the disk may hold other
 * bytes than were synced: another boot id, so the first reader sums up.
 */
#ifndef SEMBED_IMAGE_CACHE_H
#define SEMBED_IMAGE_CACHE_H

#include "core/image/image.h"

#include <stdbool.h>

#define CACHE_NAME 160 /* the longest name of an image, with its zero */

struct cache {
    char *path;     /* of the folder, owned */
    int descriptor; /* of the folder; -1: not open */
};

/* Opens the folder, which create makes where it is missing. SEMBED_IO where it is not there, or is not
 * ours alone to write. Close with cache_close. */
SEMBED_MUST_CHECK sembed_status cache_open(const char *path, bool create, struct cache *cache,
                                           sembed_error *error);
void cache_close(struct cache *cache); /* a zeroed one is allowed */

/* The name of an image: part of the label, and a sum of all that tells images apart. */
void cache_name(const char *label, const char *key, char name[CACHE_NAME]);

/* Opens an image of that identity, checked to the last byte. Where there is no mark that fits, sum_up
 * says whether the weights are summed up, asking poll; without it such an image counts as none.
 * SEMBED_NOT_FOUND: there is none; SEMBED_UNSUPPORTED and SEMBED_MALFORMED: see image_open. */
SEMBED_MUST_CHECK sembed_status cache_find(const struct cache *cache, const char *name,
                                           const char *identity, bool sum_up,
                                           const sembed_poll *poll, struct image *image,
                                           sembed_error *error);

/* Takes the lock of an image, without waiting: *lock is to be given to cache_unlock; -1 where another
 * process holds it. */
SEMBED_MUST_CHECK sembed_status cache_try_lock(const struct cache *cache, const char *name,
                                               int *lock, sembed_error *error);
void cache_unlock(int lock); /* -1 is allowed */

/* Writes an image, in the place of one of the same name. Hold the lock. */
SEMBED_MUST_CHECK sembed_status cache_store(const struct cache *cache, const char *name,
                                            const struct image_contents *contents,
                                            const sembed_poll *poll, sembed_error *error);

/* Whether the image of that identity is of no more use to anybody. */
typedef bool cache_stale(const char *identity);

/* Removes stale images, what killed processes left, and the least recently used images until all
 * together are at most `limit` bytes; never the one called keep. */
void cache_sweep(const struct cache *cache, const char *keep, uint64_t limit,
                 cache_stale *is_stale);

#endif
