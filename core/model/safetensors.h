/*
 * Reads a safetensors file: a length, a JSON header that names every tensor, and their bytes.
 *
 *     ┌────────────┬──────────────────────────────────────────────┬─────────────────────┐
 *     │ u64 n (LE) │ {"name": {"dtype": "F32", "shape": [2, 3],   │ tensor bytes        │
 *     │            │   "data_offsets": [begin, end]}, …}  n bytes │ begin, end from here│
 *     └────────────┴──────────────────────────────────────────────┴─────────────────────┘
 *
 * The file is mapped, and tensors point into it (see file_map_copy); every offset and shape is checked
 * against the file before a tensor is handed out. Source: the format section of the safetensors README.
 */
#ifndef SEMBED_MODEL_SAFETENSORS_H
#define SEMBED_MODEL_SAFETENSORS_H

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/compute/encoder.h"

struct safetensors {
    struct file_map map;
    struct json_file header;   /* closed by safetensors_drop_header */
    const unsigned char *data; /* first byte behind the header */
    size_t size;               /* bytes there */
};

/* Maps the file and reads its header. Close with safetensors_close; a zeroed one may be closed. */
SEMBED_MUST_CHECK sembed_status safetensors_open(const char *path, struct safetensors *file,
                                                 sembed_error *error);

/* Opens folder/model.safetensors. Where the folder has weights of another kind only, the error is
 * SEMBED_UNSUPPORTED and says how to convert them. */
SEMBED_MUST_CHECK sembed_status safetensors_open_in(const char *folder, struct safetensors *file,
                                                    sembed_error *error);
void safetensors_close(struct safetensors *file);

/* Frees the parsed header once all tensors were looked up; their bytes stay mapped. */
void safetensors_drop_header(struct safetensors *file);

bool safetensors_has(const struct safetensors *file, const char *name);

/* The sizes of a tensor of one or two dimensions; one dimension counts as a single row. */
SEMBED_MUST_CHECK sembed_status safetensors_get(const struct safetensors *file, const char *name,
                                                struct tensor *tensor, sembed_error *error);

#endif
