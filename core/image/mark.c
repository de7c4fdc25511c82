#define _GNU_SOURCE
#include "core/image/mark.h"

#include "core/image/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_MARK 256
#define LONGEST_FILE (CACHE_NAME + 48)
#define USE_INTERVAL 600 /* seconds: how often a use is noted */

/* The run of the machine, "-" where the system does not tell. */
static void read_boot_id(char *id, size_t size)
{
    int descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = descriptor >= 0 ? read(descriptor, id, size - 1) : 0;
    if (descriptor >= 0)
        close(descriptor);
    if (length <= 0)
        id[length = 0] = '-', length = 1;
    id[length] = '\0';
    id[strcspn(id, "\n")] = '\0';
}

static size_t describe(const struct stat *info, char text[LONGEST_MARK])
{
    char boot_id[64];
    read_boot_id(boot_id, sizeof boot_id);
    int length = snprintf(
        text, LONGEST_MARK, "%ju %ju %ju %jd.%09ld %jd.%09ld %s\n", (uintmax_t)info->st_dev,
        (uintmax_t)info->st_ino, (uintmax_t)info->st_size, (intmax_t)info->st_mtim.tv_sec,
        info->st_mtim.tv_nsec, (intmax_t)info->st_ctim.tv_sec, info->st_ctim.tv_nsec, boot_id);
    return length > 0 ? (size_t)length : 0;
}

static void file_of(const char *name, char file[LONGEST_FILE])
{
    snprintf(file, LONGEST_FILE, "%s.ok", name);
}

static bool may_be_trusted(const struct stat *info)
{
    return S_ISREG(info->st_mode) && (info->st_uid == geteuid() || info->st_uid == 0) &&
           (info->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool mark_fits(int folder, const char *name, const struct stat *info)
{
    char file[LONGEST_FILE], expected[LONGEST_MARK], found[LONGEST_MARK];
    struct stat mark;
    file_of(name, file);
    int descriptor = openat(folder, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0)
        return false;
    size_t length = describe(info, expected);
    bool fits = fstat(descriptor, &mark) == 0 && may_be_trusted(&mark) &&
                read(descriptor, found, sizeof found) == (ssize_t)length &&
                memcmp(found, expected, length) == 0;
    if (fits && time(NULL) - mark.st_mtime > USE_INTERVAL)
        futimens(descriptor, NULL);
    close(descriptor);
    return fits;
}

/* A file system notes times by a clock that ticks some hundred times a second. A change in the same
 * tick as the last one would not show; so the mark is not written before the next tick. */
static void wait_for_later_tick(const struct stat *info)
{
    struct timespec now, tick = {.tv_nsec = 2000000};
    for (int i = 0; i < 25; i++) {
        if (clock_gettime(CLOCK_REALTIME_COARSE, &now) != 0 || now.tv_sec != info->st_ctim.tv_sec ||
            now.tv_nsec != info->st_ctim.tv_nsec)
            return;
        nanosleep(&tick, NULL);
    }
}

void mark_write(int folder, const char *name, const struct stat *info)
{
    char file[LONGEST_FILE], fresh[LONGEST_FILE], text[LONGEST_MARK];
    file_of(name, file);
    snprintf(fresh, sizeof fresh, "%s.new-%ld-ok", name, (long)getpid());
    wait_for_later_tick(info);
    int descriptor =
        openat(folder, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (descriptor < 0)
        return;
    size_t length = describe(info, text);
    bool written = write(descriptor, text, length) == (ssize_t)length;
    close(descriptor);
    if (!written || renameat(folder, fresh, folder, file) != 0)
        unlinkat(folder, fresh, 0);
}

time_t mark_last_use(int folder, const char *name)
{
    char file[LONGEST_FILE];
    struct stat info;
    file_of(name, file);
    return fstatat(folder, file, &info, AT_SYMLINK_NOFOLLOW) == 0 ? info.st_mtime : 0;
}
