#define _GNU_SOURCE /* memfd_create */
#include "tests/fuzz/fuzz.h"

#include "core/base/memory.h"
#include "core/text/unicode.h"
#include "tests/unit/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A size that a hostile file names is to be refused or not to be had; neither ends the program. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

unsigned fuzz_take_byte(struct fuzz_input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

sembed_text fuzz_take_text(struct fuzz_input *input)
{
    const uint8_t *end = input->size ? memchr(input->data, 0xFF, input->size) : NULL;
    size_t length = end ? (size_t)(end - input->data) : input->size;
    sembed_text text = {(const char *)input->data, length};
    size_t taken = length + (end != NULL);
    input->size -= taken;
    input->data = taken ? input->data + taken : input->data;
    return text;
}

void fuzz_check(bool condition, const char *text, const char *file, int line)
{
    if (condition)
        return;
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, text);
    abort();
}

void fuzz_check_status(sembed_status status, const sembed_error *error)
{
    if (status == SEMBED_OK)
        return;
    fuzz_require(status != SEMBED_CANCELED && status == error->code);
    size_t length = strnlen(error->message, sizeof error->message);
    fuzz_require(length > 0 && length < sizeof error->message);
}

const char *fuzz_file(const void *data, size_t size)
{
    static int descriptor = -1;
    static char path[32];
    if (descriptor < 0)
        descriptor = memfd_create("fuzz", 0);
    fuzz_require(descriptor >= 0 && ftruncate(descriptor, 0) == 0);
    fuzz_require(pwrite(descriptor, data, size, 0) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    return path;
}

/* ------------------------------------------------------------------------------------- folders */

static char *folders[64];
static size_t folder_count;

static void remove_folders(void)
{
    for (size_t i = 0; i < folder_count; i++)
        folder_remove(folders[i]);
}

static const char *keep(char *folder)
{
    fuzz_require(folder_count < sizeof folders / sizeof *folders);
    if (folder_count == 0)
        atexit(remove_folders);
    return folders[folder_count++] = folder;
}

const char *fuzz_folder(void)
{
    return keep(folder_create());
}

const char *fuzz_fixture(const char *name)
{
    return keep(folder_copy_fixture(name));
}

/* ---------------------------------------------------------------------------------- tokenizing */

static void encode(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                   sembed_text text, size_t limit, bool with_offsets, struct encoding *encoding,
                   sembed_status *status)
{
    sembed_error error = {0};
    *status =
        tokenizer_encode(tokenizer, scratch, text, limit, with_offsets, NULL, encoding, &error);
    fuzz_check_status(*status, &error);
}

static bool same_ids(const struct encoding *a, const struct encoding *b)
{
    if (a->count != b->count || a->count == 0)
        return a->count == b->count;
    return memcmp(a->ids, b->ids, a->count * sizeof *a->ids) == 0 &&
           memcmp(a->types, b->types, a->count * sizeof *a->types) == 0;
}

void fuzz_check_tokens(const struct tokenizer *tokenizer, struct tokenizer_scratch *scratch,
                       sembed_text text, size_t limit)
{
    struct encoding full = {0}, plain = {0}, cut = {0};
    sembed_status first, second, third;
    encode(tokenizer, scratch, text, SIZE_MAX, true, &full, &first);
    encode(tokenizer, scratch, text, SIZE_MAX, false, &plain, &second);
    encode(tokenizer, scratch, text, limit, true, &cut, &third);
    fuzz_require(first == second);
    if (first == SEMBED_OK) {
        fuzz_require(same_ids(&full, &plain) && !full.truncated);
        fuzz_require(third == SEMBED_OK && cut.count <= full.count);
        fuzz_require(cut.truncated || same_ids(&full, &cut));
    }
    for (size_t i = 0; first == SEMBED_OK && i < full.count; i++) {
        fuzz_require(full.ids[i] < tokenizer_id_limit(tokenizer));
        fuzz_require(full.start[i] <= full.stop[i] && full.stop[i] <= text.length);
    }
    encoding_free(&full);
    encoding_free(&plain);
    encoding_free(&cut);
}

void fuzz_try_tokenizer(const char *folder)
{
    static const char strange[] = "The naïve café, l'été 東京 12,345 don't\r\n\t ﬁ\xC3( "
                                  "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91"
                                  "\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7 [MASK]<s> ##ing ▁a\0b "
                                  "\xE0\xB8\x99\xE0\xB9\x89\xE0\xB8\xB3";
    static struct tokenizer_scratch *scratch;
    struct tokenizer *tokenizer = NULL;
    sembed_error error = {0};
    if (!scratch)
        fuzz_require(tokenizer_scratch_create(&scratch, &error) == SEMBED_OK);
    sembed_status status = tokenizer_open(folder, NULL, &tokenizer, &error);
    fuzz_check_status(status, &error);
    if (status != SEMBED_OK)
        return;
    fuzz_check_tokens(tokenizer, scratch, (sembed_text){strange, sizeof strange - 1}, 9);
    fuzz_check_tokens(tokenizer, scratch, (sembed_text){"", 0}, 2);
    tokenizer_close(tokenizer);
}
