/* Folders that tests make, change and throw away. */
#ifndef SEMBED_TESTS_FOLDER_H
#define SEMBED_TESTS_FOLDER_H

#include <stddef.h>

/* Where the fixtures are: $SEMBED_FIXTURES, else tests/fixtures below the working folder. */
const char *fixtures_folder(void);

/* A new empty folder below $TMPDIR or /tmp; the path is the caller's, freed with folder_remove. */
char *folder_create(void);

/* A copy of fixtures/<name>, its one level of subfolders included. */
char *folder_copy_fixture(const char *name);

void folder_write(const char *folder, const char *file, const void *data, size_t size);
void folder_write_text(const char *folder, const char *file, const char *text);
void folder_delete(const char *folder, const char *file);

/* The file's bytes with a zero behind them, freed with free; *size may be NULL. */
char *folder_read(const char *folder, const char *file, size_t *size);

/* Replaces the one place where `old` stands in a text file. */
void folder_edit(const char *folder, const char *file, const char *old, const char *new);

/* Removes the folder and all in it, and frees the path. */
void folder_remove(char *folder);

#endif
