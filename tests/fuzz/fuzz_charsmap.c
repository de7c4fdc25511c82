/* A precompiled charsmap: text, a byte 0xFF, the blob. */
#include "core/base/memory.h"
#include "core/text/charsmap.h"
#include "core/text/unicode.h"
#include "tests/fuzz/fuzz.h"

static bool is_valid(const char *text, size_t length)
{
    return unicode_valid_prefix(text, length) == length;
}

static void check_output(const struct charsmap_output *output, size_t length)
{
    fuzz_require(is_valid(output->bytes, output->count));
    for (size_t i = 0; i < output->count; i++)
        fuzz_require(output->sources[i] == CHARSMAP_NO_SOURCE || output->sources[i] < length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct charsmap *charsmap = NULL;
    struct charsmap_output output = {0};
    sembed_error error = {0};
    bool changed = false;
    sembed_text text = fuzz_take_text(&input);
    if (!is_valid(text.data, text.length))
        return 0;
    sembed_status status = charsmap_create("fuzz", input.data, input.size, &charsmap, &error);
    fuzz_check_status(status, &error);
    if (status == SEMBED_OK) {
        status = charsmap_normalize(charsmap, text.data, text.length, true, NULL, &output, &changed,
                                    &error);
        fuzz_check_status(status, &error);
        if (status == SEMBED_OK)
            check_output(&output, text.length);
    }
    memory_free(output.bytes);
    memory_free(output.sources);
    charsmap_destroy(charsmap);
    return 0;
}
