/* chunk: the first byte is max_tokens, the second the overlap, the rest any bytes as a text. The chunks
 * hold all of the text but white space, in order, none longer than asked. */
#include "core/model/compiled.h"
#include "core/text/unicode.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/folder.h"

#include <stdio.h>

static struct sembed_model *model;
static sembed_context *context;

static void open_model(void)
{
    const struct image_settings no_image = {0};
    sembed_error error = {0}, notice = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/tiny-bert", fixtures_folder());
    fuzz_require(compiled_load("fuzz", path, PRECISION_F32, &no_image, NULL, &model, &notice,
                               &error) == SEMBED_OK);
    fuzz_require(sembed_context_create(&context, &error) == SEMBED_OK);
}

static bool is_blank(const char *text, size_t start, size_t stop)
{
    while (start < stop) {
        size_t size;
        if (unicode_valid_prefix(text + start, stop - start) == 0 ||
            !unicode_is_whitespace(unicode_decode(text + start, &size)))
            return false;
        start += size;
    }
    return true;
}

static void check_chunks(const sembed_chunk *chunks, size_t count, sembed_text text,
                         size_t max_tokens)
{
    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        fuzz_require(chunks[i].start < chunks[i].stop && chunks[i].stop <= text.length);
        fuzz_require(chunks[i].stop > end && (max_tokens == 0 || chunks[i].tokens <= max_tokens));
        fuzz_require(i == 0 || chunks[i].start > chunks[i - 1].start);
        fuzz_require(is_blank(text.data, end, chunks[i].start));
        end = chunks[i].stop;
    }
    fuzz_require(is_blank(text.data, end, text.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    if (!model)
        open_model();
    size_t max_tokens = fuzz_take_byte(&input) % 70, overlap = fuzz_take_byte(&input) % 70;
    sembed_text text = {(const char *)input.data, input.size};
    sembed_chunk *chunks = NULL;
    size_t count = 0;
    sembed_error error = {0};
    sembed_status status =
        sembed_chunk_text(model, context, text, max_tokens, overlap, NULL, &chunks, &count, &error);
    fuzz_check_status(status, &error);
    if (status == SEMBED_OK)
        check_chunks(chunks, count, text, max_tokens);
    sembed_free(chunks);
    return 0;
}
