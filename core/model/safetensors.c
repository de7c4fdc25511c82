#include "core/model/safetensors.h"

#include "core/base/memory.h"

#include <inttypes.h>
#include <string.h>

/* Numbers are used as they are in the file. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "sembed needs a little-endian processor: the numbers of a model's files are little-endian"
#endif
#if SIZE_MAX < UINT64_MAX
#error "sembed needs a 64-bit processor: model files and the sizes in them go beyond 32 bits"
#endif

#define LENGTH_BYTES   8
#define LARGEST_HEADER (100u << 20) /* what the reference reader allows */

static uint64_t read_little_endian_64(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

static bool read_dimension(const json_t *list, size_t i, size_t *value)
{
    const json_t *number = json_array_get(list, i);
    if (!json_is_integer(number) || json_integer_value(number) < 0)
        return false;
    *value = (size_t)json_integer_value(number);
    return true;
}

/* A file that was cut short is refused whole, even where the tensors that are wanted survived. */
static sembed_status check_extent(const struct safetensors *file, sembed_error *error)
{
    const char *name;
    json_t *entry;
    json_object_foreach(file->header.root, name, entry)
    {
        size_t end;
        if (read_dimension(json_object_get(entry, "data_offsets"), 1, &end) && end > file->size)
            return error_set(error, SEMBED_MALFORMED,
                             "%s: tensor '%s': expected data up to byte %zu, the file has %zu: "
                             "truncated",
                             file->header.path, name, end, file->size);
    }
    return SEMBED_OK;
}

/* The header's size, which is that of the file's first number and lies within the file. */
static sembed_status read_header_size(const char *path, const struct file_map *map, size_t *size,
                                      sembed_error *error)
{
    unsigned char bytes[LENGTH_BYTES];
    if (map->size < LENGTH_BYTES)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: expected a safetensors file, found %zu bytes", path, map->size);
    sembed_status status = file_map_copy(map, map->data, LENGTH_BYTES, bytes, NULL, error);
    if (status != SEMBED_OK)
        return status;
    uint64_t header_size = read_little_endian_64(bytes);
    if (header_size > LARGEST_HEADER || header_size > map->size - LENGTH_BYTES)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: header of %" PRIu64 " bytes expected, the file has %zu: truncated, "
                         "or not a safetensors file",
                         path, header_size, map->size - LENGTH_BYTES);
    *size = (size_t)header_size;
    return SEMBED_OK;
}

static sembed_status read_header(const char *path, struct safetensors *file, sembed_error *error)
{
    size_t size = 0;
    sembed_status status = read_header_size(path, &file->map, &size, error);
    if (status != SEMBED_OK)
        return status;
    char *header = memory_alloc(size);
    if (!header)
        return error_no_memory(error, path);
    status = file_map_copy(&file->map, file->map.data + LENGTH_BYTES, size, header, NULL, error);
    if (status == SEMBED_OK)
        status = json_memory_open(path, header, size, &file->header, error);
    memory_free(header);
    if (status == SEMBED_OK && !json_is_object(file->header.root))
        status = error_set(error, SEMBED_MALFORMED, "%s: header: expected an object, found %s",
                           path, json_type_word(file->header.root));
    file->data = file->map.data + LENGTH_BYTES + size;
    file->size = file->map.size - LENGTH_BYTES - size;
    return status;
}

sembed_status safetensors_open(const char *path, struct safetensors *file, sembed_error *error)
{
    *file = (struct safetensors){0};
    sembed_status status = file_map_open(path, &file->map, error);
    if (status == SEMBED_OK)
        status = read_header(path, file, error);
    if (status == SEMBED_OK)
        status = check_extent(file, error);
    if (status != SEMBED_OK)
        safetensors_close(file);
    return status;
}

sembed_status safetensors_open_in(const char *folder, struct safetensors *file, sembed_error *error)
{
    char *path = path_join(folder, "model.safetensors");
    char *index = path_join(folder, "model.safetensors.index.json");
    char *pickled = path_join(folder, "pytorch_model.bin");
    sembed_status status;
    if (!path || !index || !pickled)
        status = error_no_memory(error, "a path");
    else if (file_exists(path) || !(file_exists(index) || file_exists(pickled)))
        status = safetensors_open(path, file, error);
    else if (file_exists(index))
        status = error_set(error, SEMBED_UNSUPPORTED,
                           "%s: weights in several files: save the model again as one "
                           "model.safetensors (save_pretrained with max_shard_size='50GB')",
                           index);
    else
        status = error_set(error, SEMBED_UNSUPPORTED,
                           "%s: only model.safetensors is read; convert it in Python: "
                           "from sentence_transformers import SentenceTransformer; "
                           "SentenceTransformer('FOLDER').save('NEW_FOLDER')",
                           pickled);
    memory_free(pickled);
    memory_free(index);
    memory_free(path);
    return status;
}

void safetensors_drop_header(struct safetensors *file)
{
    json_file_close(&file->header);
}

void safetensors_close(struct safetensors *file)
{
    json_file_close(&file->header);
    file_unmap(&file->map);
    *file = (struct safetensors){0};
}

bool safetensors_has(const struct safetensors *file, const char *name)
{
    return json_object_get(file->header.root, name) != NULL;
}

/* "<file>: tensor '<name>': <what>: expected <expected>" */
static sembed_status tensor_error(const struct safetensors *file, const char *name,
                                  const char *what, sembed_error *error)
{
    return error_set(error, SEMBED_MALFORMED, "%s: tensor '%s': %s", file->header.path, name, what);
}

static sembed_status read_type(const struct safetensors *file, const char *name,
                               const json_t *entry, struct tensor *tensor, size_t *bytes_each,
                               sembed_error *error)
{
    static const struct {
        const char *word;
        enum number_type type;
        size_t bytes;
    } types[] = {{"F32", NUMBER_F32, 4}, {"F16", NUMBER_F16, 2}, {"BF16", NUMBER_BF16, 2}};
    const char *word = json_string_value(json_object_get(entry, "dtype"));
    if (!word)
        return tensor_error(file, name, "expected a dtype", error);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(word, types[i].word) == 0) {
            tensor->type = types[i].type;
            *bytes_each = types[i].bytes;
            return SEMBED_OK;
        }
    }
    return error_set(error, SEMBED_UNSUPPORTED,
                     "%s: tensor '%s': expected dtype F32, F16 or BF16, found %s",
                     file->header.path, name, word);
}

static sembed_status read_shape(const struct safetensors *file, const char *name,
                                const json_t *entry, struct tensor *tensor, sembed_error *error)
{
    const json_t *shape = json_object_get(entry, "shape");
    size_t dimensions = json_array_size(shape);
    tensor->rows = 1;
    if (dimensions == 1 && read_dimension(shape, 0, &tensor->columns))
        return SEMBED_OK;
    if (dimensions == 2 && read_dimension(shape, 0, &tensor->rows) &&
        read_dimension(shape, 1, &tensor->columns))
        return SEMBED_OK;
    return tensor_error(file, name, "expected a shape of one or two dimensions", error);
}

sembed_status safetensors_get(const struct safetensors *file, const char *name,
                              struct tensor *tensor, sembed_error *error)
{
    *tensor = (struct tensor){0};
    const json_t *entry = json_object_get(file->header.root, name);
    if (!entry)
        return tensor_error(file, name, "expected, but the file does not have it", error);
    size_t bytes_each = 0;
    sembed_status status = read_type(file, name, entry, tensor, &bytes_each, error);
    if (status != SEMBED_OK)
        return status;
    status = read_shape(file, name, entry, tensor, error);
    if (status != SEMBED_OK)
        return status;
    size_t count, bytes, begin, end;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (json_array_size(offsets) != 2 || !read_dimension(offsets, 0, &begin) ||
        !read_dimension(offsets, 1, &end) || begin > end || end > file->size)
        return tensor_error(file, name, "expected data_offsets [begin, end]", error);
    if (!size_multiply(tensor->rows, tensor->columns, &count) ||
        !size_multiply(count, bytes_each, &bytes) || bytes != end - begin)
        return error_set(error, SEMBED_MALFORMED,
                         "%s: tensor '%s': shape [%zu, %zu] does not fit its %zu bytes",
                         file->header.path, name, tensor->rows, tensor->columns, end - begin);
    tensor->data = file->data + begin;
    tensor->file = &file->map;
    return SEMBED_OK;
}
