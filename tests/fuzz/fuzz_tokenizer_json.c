/* tokenizer.json: the first byte says which class's tokenizer_config.json lies beside it, the rest is
 * the file. What opens tokenizes. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {
        "{}",
        "{\"tokenizer_class\": \"BertTokenizer\", \"do_lower_case\": true}",
        "{\"tokenizer_class\": \"MPNetTokenizer\"}",
        "{\"tokenizer_class\": \"RobertaTokenizer\"}",
        "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}",
        "{\"tokenizer_class\": \"CamembertTokenizer\"}",
    };
    static const char *folder;
    struct fuzz_input input = {data, size};
    size_t class = fuzz_take_byte(&input) % (sizeof settings / sizeof *settings);
    if (!folder)
        folder = fuzz_folder();
    folder_write_text(folder, "tokenizer_config.json", settings[class]);
    folder_write(folder, "tokenizer.json", input.data, input.size);
    fuzz_try_tokenizer(folder);
    return 0;
}
