#include "core/compute/pack.h"

#include "core/base/file.h"
#include "core/base/memory.h"

sembed_status check_shape(const struct tensor *tensor, size_t rows, size_t columns,
                          const char *what, sembed_error *error)
{
    if (!tensor->data)
        return error_set(error, SEMBED_MALFORMED, "%s: expected [%zu, %zu], found no tensor", what,
                         rows, columns);
    if (tensor->rows != rows || tensor->columns != columns)
        return error_set(error, SEMBED_MALFORMED, "%s: expected [%zu, %zu], found [%zu, %zu]", what,
                         rows, columns, tensor->rows, tensor->columns);
    return SEMBED_OK;
}

sembed_status widen_tensor(const struct tensor *tensor, size_t count, float *numbers,
                           sembed_error *error)
{
    if (!tensor->file) {
        kernels()->widen(tensor->type, tensor->data, count, numbers);
        return SEMBED_OK;
    }
    if (tensor->type == NUMBER_F32)
        return file_map_copy(tensor->file, tensor->data, count * sizeof *numbers, numbers, NULL,
                             error);
    uint16_t piece[16384];
    const size_t most = sizeof piece / sizeof *piece;
    const char *data = tensor->data; /* an address, which is not read */
    sembed_status status = SEMBED_OK;
    for (size_t done = 0, part; status == SEMBED_OK && done < count; done += part) {
        part = count - done < most ? count - done : most;
        status = file_map_copy(tensor->file, data + done * sizeof *piece, part * sizeof *piece,
                               piece, NULL, error);
        if (status == SEMBED_OK)
            kernels()->widen(tensor->type, piece, part, numbers + done);
    }
    return status;
}

/* Room for count floats; NULL also on overflow. */
static float *allocate_floats(size_t count)
{
    size_t bytes;
    return size_multiply(count, sizeof(float), &bytes) ? memory_aligned(bytes) : NULL;
}

sembed_status pack_vector(const struct tensor *tensor, size_t count, const char *what,
                          float **vector, sembed_error *error)
{
    *vector = NULL;
    sembed_status status = check_shape(tensor, 1, count, what, error);
    if (status != SEMBED_OK)
        return status;
    *vector = allocate_floats(count);
    if (!*vector)
        return error_no_memory(error, what);
    status = widen_tensor(tensor, count, *vector, error);
    if (status != SEMBED_OK) {
        memory_free(*vector);
        *vector = NULL;
    }
    return status;
}

/* Copies one layer into its place of the stacked weight and bias. */
static sembed_status stack_layer(const struct linear_weights *layer, size_t outputs, size_t inputs,
                                 const char *what, float *weight, float *bias, sembed_error *error)
{
    sembed_status status = check_shape(&layer->weight, outputs, inputs, what, error);
    if (status != SEMBED_OK)
        return status;
    status = widen_tensor(&layer->weight, outputs * inputs, weight, error);
    if (status != SEMBED_OK)
        return status;
    if (!layer->bias.data) {
        for (size_t i = 0; i < outputs; i++)
            bias[i] = 0;
        return SEMBED_OK;
    }
    status = check_shape(&layer->bias, 1, outputs, what, error);
    if (status == SEMBED_OK)
        status = widen_tensor(&layer->bias, outputs, bias, error);
    return status;
}

sembed_status pack_linear(const struct linear_weights *const *layers, size_t count,
                          const struct gemm_shape *shape, const char *what, const sembed_poll *poll,
                          struct gemm_weights **packed, sembed_error *error)
{
    float *weight = NULL, *bias = NULL;
    size_t outputs = shape->outputs / count, inputs = shape->inputs, numbers;
    sembed_status status = SEMBED_OK;
    *packed = NULL;
    if (poll_wants_stop(poll))
        return error_canceled(error);
    if (!size_multiply(shape->outputs, inputs, &numbers))
        return error_no_memory(error, what);
    weight = allocate_floats(numbers);
    bias = allocate_floats(shape->outputs);
    if (!weight || !bias) {
        status = error_no_memory(error, what);
        goto cleanup;
    }
    for (size_t i = 0; i < count && status == SEMBED_OK; i++)
        status = stack_layer(layers[i], outputs, inputs, what, weight + i * outputs * inputs,
                             bias + i * outputs, error);
    if (status == SEMBED_OK)
        status = gemm_pack(shape, weight, bias, packed, error);
cleanup:
    memory_free(weight);
    memory_free(bias);
    return status;
}
