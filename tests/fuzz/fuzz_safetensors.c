/* model.safetensors: any bytes as the file. Every tensor that its header names is asked for, and what
 * is handed out must lie in the file. */
#include "core/model/safetensors.h"
#include "tests/fuzz/fuzz.h"

static size_t bytes_of(const struct tensor *tensor)
{
    return tensor->rows * tensor->columns * (tensor->type == NUMBER_F32 ? 4 : 2);
}

static void read_tensor(const struct safetensors *file, const char *name)
{
    static volatile unsigned char sum;
    struct tensor tensor = {0};
    sembed_error error = {0};
    fuzz_require(safetensors_has(file, name));
    sembed_status status = safetensors_get(file, name, &tensor, &error);
    fuzz_check_status(status, &error);
    if (status != SEMBED_OK)
        return;
    size_t size = bytes_of(&tensor);
    const unsigned char *bytes = tensor.data;
    fuzz_require(size <= file->size);
    fuzz_require(size == 0 || (bytes >= file->data && bytes + size <= file->data + file->size));
    for (size_t i = 0; i < size; i++)
        sum = (unsigned char)(sum + bytes[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct safetensors file = {0};
    sembed_error error = {0};
    sembed_status status = safetensors_open(fuzz_file(data, size), &file, &error);
    fuzz_check_status(status, &error);
    const char *name;
    json_t *value;
    if (status == SEMBED_OK) {
        json_object_foreach(file.header.root, name, value) read_tensor(&file, name);
    }
    safetensors_close(&file);
    return 0;
}
