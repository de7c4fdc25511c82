/* sentencepiece.bpe.model: the first byte says which family's folder it lies in, the rest is the file.
 * What opens tokenizes. */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const settings[] = {
        "{\"tokenizer_class\": \"XLMRobertaTokenizer\"}",
        "{\"tokenizer_class\": \"CamembertTokenizer\"}",
    };
    static const char *folder;
    struct fuzz_input input = {data, size};
    if (!folder)
        folder = fuzz_folder();
    folder_write_text(folder, "tokenizer_config.json", settings[fuzz_take_byte(&input) % 2]);
    folder_write(folder, "sentencepiece.bpe.model", input.data, input.size);
    fuzz_try_tokenizer(folder);
    return 0;
}
