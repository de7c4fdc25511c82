/* core/model/safetensors: what is accepted, and that nothing outside the file is ever believed. */
#include "core/base/memory.h"
#include "core/model/safetensors.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = folder_create();
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

/* Writes a file whose header says `declared` bytes, with that header and `data` zero bytes behind. */
static void write_file(uint64_t declared, const char *header, size_t data)
{
    size_t length = strlen(header);
    unsigned char *bytes = calloc(1, 8 + length + data);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(declared >> (8 * i));
    memcpy(bytes + 8, header, length);
    folder_write(folder, "model.safetensors", bytes, 8 + length + data);
    free(bytes);
}

static sembed_status open_file(struct safetensors *file, sembed_error *error)
{
    char *path = path_join(folder, "model.safetensors");
    sembed_status status = safetensors_open(path, file, error);
    memory_free(path);
    return status;
}

/* Looks up tensor "x" of a file with that entry and so many bytes of data. */
static sembed_status look_up(const char *entry, size_t data, struct tensor *tensor,
                             sembed_error *error)
{
    char header[512];
    snprintf(header, sizeof header, "{\"x\": %s, \"__metadata__\": {\"format\": \"pt\"}}", entry);
    write_file(strlen(header), header, data);
    struct safetensors file;
    sembed_status status = open_file(&file, error);
    if (status == SEMBED_OK)
        status = safetensors_get(&file, "x", tensor, error);
    safetensors_close(&file);
    return status;
}

static void tensors_of_every_type_are_found(void **state)
{
    (void)state;
    struct tensor tensor;
    sembed_error error = {0};
    assert_ok(
        look_up("{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[4,28]}", 28, &tensor, &error),
        error);
    assert_int_equal(tensor.type, NUMBER_F32);
    assert_int_equal(tensor.rows, 2);
    assert_int_equal(tensor.columns, 3);
    assert_ok(
        look_up("{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[0,10]}", 10, &tensor, &error),
        error);
    assert_int_equal(tensor.type, NUMBER_F16);
    assert_int_equal(tensor.rows, 1);
    assert_int_equal(tensor.columns, 5);
    assert_ok(
        look_up("{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[0,4]}", 4, &tensor, &error),
        error);
    assert_int_equal(tensor.type, NUMBER_BF16);
}

static void entries_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        size_t data;
        sembed_status status;
        const char *message;
    } cases[] = {
        {"{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}", 23, SEMBED_MALFORMED,
         "up to byte 24, the file has 23"},
        {"{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,20]}", 64, SEMBED_MALFORMED,
         "shape [2, 3] does not fit its 20 bytes"},
        {"{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[24,0]}", 64, SEMBED_MALFORMED,
         "data_offsets"},
        {"{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[-4,20]}", 64, SEMBED_MALFORMED,
         "data_offsets"},
        {"{\"dtype\":\"F32\",\"shape\":[2,3]}", 64, SEMBED_MALFORMED, "data_offsets"},
        {"{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24,48]}", 64, SEMBED_MALFORMED,
         "data_offsets"},
        /* 2^62 × 4 floats and 0 bytes: the products wrap around to 0. */
        {"{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}", 64,
         SEMBED_MALFORMED, "does not fit"},
        {"{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}", 64,
         SEMBED_MALFORMED, "does not fit"},
        {"{\"dtype\":\"F32\",\"shape\":[1,2,3],\"data_offsets\":[0,24]}", 24, SEMBED_MALFORMED,
         "one or two dimensions"},
        {"{\"dtype\":\"F32\",\"shape\":[-6],\"data_offsets\":[0,24]}", 24, SEMBED_MALFORMED,
         "one or two dimensions"},
        {"{\"dtype\":\"F32\",\"shape\":\"6\",\"data_offsets\":[0,24]}", 24, SEMBED_MALFORMED,
         "one or two dimensions"},
        {"{\"dtype\":\"I64\",\"shape\":[3],\"data_offsets\":[0,24]}", 24, SEMBED_UNSUPPORTED,
         "expected dtype F32, F16 or BF16, found I64"},
        {"{\"shape\":[3],\"data_offsets\":[0,24]}", 24, SEMBED_MALFORMED, "dtype"},
        {"[]", 24, SEMBED_MALFORMED, "dtype"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tensor tensor = {0}; /* untouched where the file itself is refused */
        sembed_error error = {0};
        sembed_status status = look_up(cases[i].entry, cases[i].data, &tensor, &error);
        assert_fails(status, cases[i].status, error, cases[i].message);
        assert_fails(status, cases[i].status, error, "tensor 'x'");
        assert_null(tensor.data);
    }
}

static void missing_tensors_are_named(void **state)
{
    (void)state;
    const char *header = "{}";
    write_file(strlen(header), header, 0);
    struct safetensors file;
    struct tensor tensor;
    sembed_error error = {0};
    assert_ok(open_file(&file, &error), error);
    assert_false(safetensors_has(&file, "y"));
    assert_fails(safetensors_get(&file, "y", &tensor, &error), SEMBED_MALFORMED, error,
                 "tensor 'y'");
    safetensors_close(&file);
}

static void headers_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint64_t declared;
        const char *header;
        const char *message;
    } cases[] = {
        {3, "{}", "truncated"},
        {UINT64_MAX, "{}", "truncated"},
        {UINT64_MAX - 7, "{}", "truncated"},
        {(uint64_t)200 << 20, "{}", "header of 209715200 bytes"},
        {1, "{}", "not JSON"},
        {2, "[]", "expected an object, found an array"},
        {0, "{}", "not JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct safetensors file;
        sembed_error error = {0};
        write_file(cases[i].declared, cases[i].header, 0);
        assert_fails(open_file(&file, &error), SEMBED_MALFORMED, error, cases[i].message);
        assert_fails(open_file(&file, &error), SEMBED_MALFORMED, error, "model.safetensors");
    }
    struct safetensors file;
    sembed_error error = {0};
    folder_write(folder, "model.safetensors", "1234567", 7);
    assert_fails(open_file(&file, &error), SEMBED_MALFORMED, error, "found 7 bytes");
}

static void other_kinds_of_weights_say_how_to_convert(void **state)
{
    (void)state;
    struct safetensors file;
    sembed_error error = {0};
    folder_write_text(folder, "pytorch_model.bin", "PK");
    folder_delete(folder, "model.safetensors");
    assert_fails(safetensors_open_in(folder, &file, &error), SEMBED_UNSUPPORTED, error,
                 "pytorch_model.bin: only model.safetensors is read; convert it");
    folder_write_text(folder, "model.safetensors.index.json", "{}");
    assert_fails(safetensors_open_in(folder, &file, &error), SEMBED_UNSUPPORTED, error,
                 "several files");
    folder_delete(folder, "model.safetensors.index.json");
    folder_delete(folder, "pytorch_model.bin");
    assert_fails(safetensors_open_in(folder, &file, &error), SEMBED_NOT_FOUND, error,
                 "model.safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_of_every_type_are_found),
        cmocka_unit_test(entries_that_do_not_fit_are_refused),
        cmocka_unit_test(missing_tensors_are_named),
        cmocka_unit_test(headers_that_do_not_fit_are_refused),
        cmocka_unit_test(other_kinds_of_weights_say_how_to_convert),
    };
    return cmocka_run_group_tests_name("safetensors", tests, make_folder, remove_folder);
}
