/* The regular expressions of tokenizer.json: a pattern, a byte 0xFF, the text it is looked for in. */
#include "core/text/regex.h"
#include "core/text/unicode.h"
#include "tests/fuzz/fuzz.h"

static bool is_valid(sembed_text text)
{
    return unicode_valid_prefix(text.data, text.length) == text.length;
}

/* Matches lie in the text, one behind the other, and come to an end. */
static void find_all(const struct regex *regex, sembed_text text)
{
    static struct regex_scratch scratch;
    struct regex_search search = {.text = text.data, .length = text.length};
    sembed_error error = {0};
    bool found = true;
    size_t start, stop, last = 0;
    for (size_t count = 0; found; count++) {
        sembed_status status = regex_next(regex, &scratch, &search, &found, &start, &stop, &error);
        fuzz_check_status(status, &error);
        if (status != SEMBED_OK || !found)
            break;
        fuzz_require(last <= start && start <= stop && stop <= text.length);
        fuzz_require(count <= 2 * text.length + 1);
        last = stop;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct regex *regex = NULL;
    sembed_error error = {0};
    sembed_text pattern = fuzz_take_text(&input);
    sembed_text text = {(const char *)input.data, input.size};
    if (!is_valid(pattern) || !is_valid(text))
        return 0;
    sembed_status status = regex_create("fuzz", pattern.data, pattern.length, &regex, &error);
    fuzz_check_status(status, &error);
    if (status == SEMBED_OK)
        find_all(regex, text);
    regex_destroy(regex);
    return 0;
}
