/*
 * Runs a fuzzer on the files that are named, and on those of the folders that are named: what was once
 * found stays found, with any compiler. A file that takes too long ends the program, as does one that
 * does what no file may.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECONDS 30 /* a file; sanitizers are slow, and so are busy machines */

static const char *current = "";

static void give_up(int signal_number)
{
    (void)signal_number;
    fuzz_check(false, "a file is read within the time", current, 0);
}

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    fuzz_check(file && fstat(fileno(file), &info) == 0, "the file can be read", path, 0);
    size_t size = (size_t)info.st_size;
    uint8_t *data = malloc(size ? size : 1);
    fuzz_check(data && fread(data, 1, size, file) == size, "the file can be read", path, 0);
    fclose(file);
    current = path;
    alarm(SECONDS);
    LLVMFuzzerTestOneInput(data, size);
    alarm(0);
    free(data);
}

static size_t replay(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) {
        replay_file(path);
        return 1;
    }
    size_t count = 0;
    const struct dirent *entry;
    while ((entry = readdir(folder))) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        fuzz_require(snprintf(name, sizeof name, "%s/%s", path, entry->d_name) < (int)sizeof name);
        count += replay(name);
    }
    closedir(folder);
    return count;
}

int main(int count, char **arguments)
{
    size_t files = 0;
    signal(SIGALRM, give_up);
    for (int i = 1; i < count; i++)
        files += replay(arguments[i]);
    printf("ok: %s: %zu files\n", strrchr(arguments[0], '/') ? strrchr(arguments[0], '/') + 1 : "",
           files);
    return files == 0;
}
