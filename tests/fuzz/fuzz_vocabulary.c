/* The files of old: the first byte says vocab.txt (0) or vocab.json with, behind a byte 0xFF, merges.txt
 * (1). What opens tokenizes. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *words, *merges;
    struct fuzz_input input = {data, size};
    if (!words) {
        words = fuzz_folder();
        folder_write_text(words, "tokenizer_config.json",
                          "{\"tokenizer_class\": \"BertTokenizer\"}");
        merges = fuzz_folder();
        folder_write_text(merges, "tokenizer_config.json",
                          "{\"tokenizer_class\": \"RobertaTokenizer\"}");
    }
    if (fuzz_take_byte(&input) % 2 == 0) {
        folder_write(words, "vocab.txt", input.data, input.size);
        fuzz_try_tokenizer(words);
        return 0;
    }
    sembed_text vocabulary = fuzz_take_text(&input);
    folder_write(merges, "vocab.json", vocabulary.data, vocabulary.length);
    folder_write(merges, "merges.txt", input.data, input.size);
    fuzz_try_tokenizer(merges);
    return 0;
}
