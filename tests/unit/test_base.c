/* core/base: errors, memory, arena, files, JSON. */
#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/memory.h"
#include "tests/unit/folder.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/stat.h>

static void error_keeps_code_and_sentence(void **state)
{
    (void)state;
    sembed_error error = {0};
    assert_int_equal(error_set(&error, SEMBED_IO, "%s: %d", "file", 7), SEMBED_IO);
    assert_int_equal(error.code, SEMBED_IO);
    assert_string_equal(error.message, "file: 7");
    assert_int_equal(error_set(NULL, SEMBED_LIMIT, "nobody listens"), SEMBED_LIMIT);
}

/* A sentence that is too long ends before the character that does not fit, never inside it. */
static void error_is_cut_between_characters(void **state)
{
    (void)state;
    char text[600];
    for (size_t lead = 0; lead < 4; lead++) {
        size_t length = 0;
        while (length < lead)
            text[length++] = 'x';
        while (length + 3 < sizeof text) {
            memcpy(text + length, "\xE2\x82\xAC", 3); /* the euro sign */
            length += 3;
        }
        text[length] = '\0';
        sembed_error error = {0};
        error_set(&error, SEMBED_IO, "%s", text);
        size_t kept = strlen(error.message);
        assert_in_range(kept, sizeof error.message - 4, sizeof error.message - 1);
        assert_int_equal((kept - lead) % 3, 0);
    }
}

static void status_names_are_those_of_the_header(void **state)
{
    (void)state;
    assert_string_equal(sembed_status_name(SEMBED_OK), "SEMBED_OK");
    assert_string_equal(sembed_status_name(SEMBED_ENGINE), "SEMBED_ENGINE");
    assert_string_equal(sembed_status_name((sembed_status)999), "?");
}

static void copies_are_made_in_pieces(void **state)
{
    (void)state;
    enum { MEGABYTE = 1 << 20 };
    const size_t size = 3 * MEGABYTE + 5;
    char *from = malloc(size), *to = calloc(size, 1);
    assert_non_null(from);
    assert_non_null(to);
    for (size_t i = 0; i < size; i++)
        from[i] = (char)(i * 7 + 1);
    struct questions questions = {0};
    sembed_poll poll = questions_poll(&questions);
    assert_true(memory_copy(to, from, size, &poll));
    assert_memory_equal(to, from, size);
    assert_int_equal(questions.asked, 3);
    memset(to, 0, size);
    questions = (struct questions){.stop_at = 2};
    assert_false(memory_copy(to, from, size, &poll));
    assert_memory_equal(to, from, 2 * MEGABYTE);
    assert_int_equal(to[2 * MEGABYTE + 1], 0);
    assert_true(memory_copy(to, from, 0, &poll));
    assert_true(memory_copy(to, from, size, NULL));
    assert_memory_equal(to, from, size);
    free(from);
    free(to);
}

static void memory_refuses_overflow(void **state)
{
    (void)state;
    assert_null(memory_calloc(SIZE_MAX, 2));
    assert_null(memory_resize(NULL, SIZE_MAX / 2, 3));
    assert_null(memory_aligned(SIZE_MAX - 3));
    size_t value;
    assert_false(size_multiply(SIZE_MAX / 2, 3, &value));
    assert_false(size_add(SIZE_MAX, 1, &value));
    assert_true(size_multiply(6, 7, &value));
    assert_int_equal(value, 42);
}

static void memory_aligned_is_aligned(void **state)
{
    (void)state;
    for (size_t size = 0; size < 300; size += 7) {
        void *pointer = memory_aligned(size);
        assert_non_null(pointer);
        assert_int_equal((uintptr_t)pointer % MEMORY_ALIGNMENT, 0);
        memory_free(pointer);
    }
}

static void memory_fails_from_the_nth_allocation(void **state)
{
    (void)state;
    memory_fail_from(3);
    void *first = memory_alloc(1), *second = memory_calloc(1, 1);
    assert_non_null(first);
    assert_non_null(second);
    assert_null(memory_aligned(64));
    assert_null(memory_resize(first, 9, 1));
    assert_int_equal(memory_allocation_count(), 4);
    memory_fail_from(0);
    memory_free(first);
    memory_free(second);
}

static void arrays_grow_and_survive_failure(void **state)
{
    (void)state;
    int *numbers = NULL;
    size_t capacity = 0;
    assert_true(memory_grow((void **)&numbers, &capacity, 5, sizeof *numbers));
    assert_true(capacity >= 5);
    numbers[4] = 42;
    size_t before = capacity;
    assert_false(memory_grow((void **)&numbers, &capacity, SIZE_MAX / 2, sizeof *numbers));
    assert_int_equal(capacity, before);
    assert_int_equal(numbers[4], 42);
    memory_free(numbers);
}

static void arena_gives_no_more_than_was_reserved(void **state)
{
    (void)state;
    struct arena arena = {0};
    sembed_error error = {0};
    size_t bytes = arena_rounded(10, 1) + arena_rounded(100, 4);
    assert_ok(arena_reserve(&arena, bytes, &error), error);
    char *first = arena_take(&arena, 10);
    float *second = arena_take(&arena, 400);
    assert_non_null(first);
    assert_non_null(second);
    assert_true((char *)second >= first + 10);
    assert_int_equal((uintptr_t)second % MEMORY_ALIGNMENT, 0);
    assert_null(arena_take(&arena, 1));
    assert_ok(arena_reserve(&arena, 10, &error), error);
    assert_ptr_equal(arena_take(&arena, 10), first);
    assert_int_equal(arena_rounded(SIZE_MAX / 2, 4), SIZE_MAX);
    assert_fails(arena_reserve(&arena, SIZE_MAX, &error), SEMBED_NO_MEMORY, error, "scratch");
    arena_destroy(&arena);
}

static void files_are_read_or_named_in_the_error(void **state)
{
    (void)state;
    char *folder = folder_create();
    folder_write_text(folder, "text", "hello");
    folder_write_text(folder, "empty", "");
    char *text = path_join(folder, "text"), *empty = path_join(folder, "empty");
    char *missing = path_join(folder, "missing"), *pipe = path_join(folder, "pipe");
    struct file_map map;
    sembed_error error = {0};
    assert_ok(file_map_open(text, &map, &error), error);
    assert_int_equal(map.size, 5);
    assert_memory_equal(map.data, "hello", 5);
    char copy[5] = {0};
    assert_ok(file_map_copy(&map, map.data + 1, 4, copy, NULL, &error), error);
    assert_string_equal(copy, "ello");
    folder_write_text(folder, "text", "he");
    assert_ok(file_map_copy(&map, map.data, 2, copy, NULL, &error), error);
    assert_fails(file_map_copy(&map, map.data, 3, copy, NULL, &error), SEMBED_IO, error,
                 "/text: cut short");
    file_unmap(&map);
    assert_ok(file_read(text, NULL, &map, &error), error);
    assert_int_equal(map.size, 2);
    assert_memory_equal(map.data, "he", 2);
    file_unmap(&map);
    assert_ok(file_read(empty, NULL, &map, &error), error);
    assert_int_equal(map.size, 0);
    assert_non_null(map.data);
    file_unmap(&map);
    assert_fails(file_read(missing, NULL, &map, &error), SEMBED_NOT_FOUND, error, "/missing");
    assert_fails(file_read(folder, NULL, &map, &error), SEMBED_IO, error, "regular file");
    assert_ok(file_map_open(empty, &map, &error), error);
    assert_int_equal(map.size, 0);
    assert_non_null(map.data);
    file_unmap(&map);
    assert_fails(file_map_open(missing, &map, &error), SEMBED_NOT_FOUND, error, "/missing");
    assert_fails(file_map_open(folder, &map, &error), SEMBED_IO, error, "regular file");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_fails(file_map_open(pipe, &map, &error), SEMBED_IO, error, "regular file");
    memory_free(text);
    memory_free(empty);
    memory_free(missing);
    memory_free(pipe);
    folder_remove(folder);
}

static void json_errors_name_file_key_and_what_was_found(void **state)
{
    (void)state;
    const char *text = "{\"size\": 7, \"name\": \"x\", \"negative\": -1, \"none\": null, "
                       "\"text\": \"a\\u0000b\"}";
    struct json_file file;
    sembed_error error = {0};
    size_t size;
    bool flag;
    const char *string;
    assert_ok(json_memory_open("some.json", text, strlen(text), &file, &error), error);
    assert_ok(json_get_size(&file, file.root, "size", &size, &error), error);
    assert_int_equal(size, 7);
    assert_ok(json_get_size_or(&file, file.root, "none", 3, &size, &error), error);
    assert_int_equal(size, 3);
    assert_fails(json_get_size(&file, file.root, "name", &size, &error), SEMBED_MALFORMED, error,
                 "some.json: key 'name': expected a whole number, found a string");
    assert_fails(json_get_size(&file, file.root, "absent", &size, &error), SEMBED_MALFORMED, error,
                 "found nothing");
    assert_fails(json_get_size(&file, file.root, "negative", &size, &error), SEMBED_MALFORMED,
                 error, "found -1");
    assert_fails(json_get_bool_or(&file, file.root, "size", true, &flag, &error), SEMBED_MALFORMED,
                 error, "found an integer");
    assert_fails(json_get_string(&file, file.root, "text", &string, &error), SEMBED_MALFORMED,
                 error, "zero byte");
    json_file_close(&file);
}

static void json_that_is_none_is_refused(void **state)
{
    (void)state;
    /* Among them a key that a C string would cut short. */
    static const char *const texts[] = {
        "", "{", "{} x", "[1,]", "\xFF", "{\"a\": 1e999}", "{\"a\\u0000b\": 1}"};
    struct json_file file;
    sembed_error error = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_fails(json_memory_open("some.json", texts[i], strlen(texts[i]), &file, &error),
                     SEMBED_MALFORMED, error, "some.json: not JSON");
    const char *marked = "\xEF\xBB\xBF[]";
    assert_ok(json_memory_open("some.json", marked, strlen(marked), &file, &error), error);
    assert_true(json_is_array(file.root));
    json_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_keeps_code_and_sentence),
        cmocka_unit_test(error_is_cut_between_characters),
        cmocka_unit_test(status_names_are_those_of_the_header),
        cmocka_unit_test(copies_are_made_in_pieces),
        cmocka_unit_test(memory_refuses_overflow),
        cmocka_unit_test(memory_aligned_is_aligned),
        cmocka_unit_test(memory_fails_from_the_nth_allocation),
        cmocka_unit_test(arrays_grow_and_survive_failure),
        cmocka_unit_test(arena_gives_no_more_than_was_reserved),
        cmocka_unit_test(files_are_read_or_named_in_the_error),
        cmocka_unit_test(json_errors_name_file_key_and_what_was_found),
        cmocka_unit_test(json_that_is_none_is_refused),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
