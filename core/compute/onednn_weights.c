/*
 * Weights as oneDNN wants them. It chooses the layout itself (format "any") for a typical number of
 * rows; that layout is then prescribed for every other number, so one packed copy serves all.
 *
 * In flat bytes the layout goes before the packed weights. It is not believed but compared with what
 * oneDNN chooses now: that depends on its version, the instruction set and the caches.
 */
#include "core/compute/onednn.h"

#include "core/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number of rows for which oneDNN is asked to choose the layout of the weights. */
#define TYPICAL_ROWS 128

/* ------------------------------------------------------------------------------------- products */

struct number_types number_types(const struct gemm_shape *shape)
{
    switch (shape->precision) {
    case PRECISION_BF16:
        return (struct number_types){dnnl_bf16, dnnl_bf16, dnnl_f32,
                                     shape->rounds ? dnnl_bf16 : dnnl_f32};
    case PRECISION_INT8:
        return (struct number_types){dnnl_u8, dnnl_s8, dnnl_s8, dnnl_s32};
    case PRECISION_F32:
        break;
    }
    return (struct number_types){dnnl_f32, dnnl_f32, dnnl_f32, dnnl_f32};
}

/*
 * Where the processor lacks the instructions, oneDNN widens bfloat16 to float, and saturates sums of
 * int8 products: slower than float32, or wrong. So that is refused. Its own word for what may be used
 * is bits of which an instruction set has all of those that it includes.
 */
sembed_status onednn_check_precision(enum precision precision, sembed_error *error)
{
    const char *cap = getenv("SEMBED_ISA");
    bool capped = cap && (strcmp(cap, "baseline") == 0 || strcmp(cap, "avx2") == 0);
    unsigned needed = precision == PRECISION_BF16   ? dnnl_cpu_isa_avx512_core_bf16
                      : precision == PRECISION_INT8 ? dnnl_cpu_isa_avx512_core_vnni
                                                    : 0;
    unsigned there = (unsigned)dnnl_get_effective_cpu_isa();
    if (!needed || (!capped && (there & needed) == needed))
        return SEMBED_OK;
    return error_set(error, SEMBED_UNSUPPORTED,
                     "precision %s needs a processor with %s, which this one lacks or %s forbids; "
                     "f32 runs everywhere",
                     precision_name(precision),
                     precision == PRECISION_BF16 ? "AVX-512 BF16" : "AVX-512 VNNI",
                     capped ? "SEMBED_ISA" : "DNNL_MAX_CPU_ISA");
}

void operand_layouts_destroy(struct operand_layouts *layouts)
{
    layout_destroy(&layouts->x);
    layout_destroy(&layouts->bias);
    layout_destroy(&layouts->y);
}

dnnl_status_t operand_layouts_create(struct operand_layouts *layouts,
                                     const struct gemm_shape *shape, size_t rows)
{
    dnnl_dims_t x = {(dnnl_dim_t)rows, (dnnl_dim_t)shape->inputs};
    dnnl_dims_t bias = {1, (dnnl_dim_t)shape->outputs};
    dnnl_dims_t y = {(dnnl_dim_t)rows, (dnnl_dim_t)shape->outputs};
    struct number_types types = number_types(shape);
    dnnl_status_t status = layout_create(&layouts->x, x, types.x, dnnl_ab);
    if (status == dnnl_success)
        status = layout_create(&layouts->bias, bias, dnnl_f32, dnnl_ab);
    if (status == dnnl_success)
        status = layout_create(&layouts->y, y, types.y, dnnl_ab);
    return status;
}

dnnl_status_t product_describe(dnnl_primitive_desc_t *description, dnnl_engine_t engine,
                               const struct gemm_shape *shape, size_t rows,
                               const struct layout *weight)
{
    struct operand_layouts layouts = {0};
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t status = operand_layouts_create(&layouts, shape, rows);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_create(&attributes);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    errno = 0;
    if (status == dnnl_success)
        status = matmul_describe(description, engine, &layouts.x, weight,
                                 shape->precision == PRECISION_INT8 ? NULL : &layouts.bias,
                                 &layouts.y, attributes);
    /* A kernel for which it finds no memory is passed over as if it did not fit; the next one sums up in
     * another order. */
    if (errno == ENOMEM)
        status = dnnl_out_of_memory;
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    operand_layouts_destroy(&layouts);
    return status;
}

/* --------------------------------------------------------------------------------------- layout */

/* The number of rows below which oneDNN is likeliest to take another kernel. */
#define FEWEST_ROWS 2

#define KERNEL_NAME 64

/* Describes a product of so many rows and says which kernel it gets. */
static dnnl_status_t find_kernel(const struct onednn_weights *weights, size_t rows,
                                 const struct layout *weight, char kernel[KERNEL_NAME],
                                 dnnl_primitive_desc_t *description)
{
    const char *name = "";
    dnnl_status_t status =
        product_describe(description, weights->engine, &weights->shape, rows, weight);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_query(*description, dnnl_query_impl_info_str, 0, &name);
    snprintf(kernel, KERNEL_NAME, "%s", name);
    return status;
}

/* Its batch-reduce kernels treat all rows alike, where it is one kernel for any number of them: for
 * bfloat16 matrices of few outputs it takes another one for few rows, which sums up in another order. */
static dnnl_status_t compare_kernels(struct onednn_weights *weights, const char *typical)
{
    char few[KERNEL_NAME];
    dnnl_primitive_desc_t description = NULL;
    dnnl_status_t status = find_kernel(weights, FEWEST_ROWS, &weights->layout, few, &description);
    if (description)
        dnnl_primitive_desc_destroy(description);
    weights->treats_rows_alike = strncmp(typical, "brg", 3) == 0 && strcmp(typical, few) == 0;
    weights->has_tiles = strstr(typical, "amx") != NULL;
    return status;
}

/* Asks oneDNN which layout it wants the weights in. */
static dnnl_status_t choose_layout(struct onednn_weights *weights)
{
    dnnl_dims_t sizes = {(dnnl_dim_t)weights->shape.inputs, (dnnl_dim_t)weights->shape.outputs};
    struct layout any = {0};
    dnnl_primitive_desc_t description = NULL;
    char kernel[KERNEL_NAME] = "";
    dnnl_status_t status =
        layout_create(&any, sizes, number_types(&weights->shape).weight, dnnl_format_tag_any);
    if (status == dnnl_success)
        status = find_kernel(weights, TYPICAL_ROWS, &any, kernel, &description);
    if (status == dnnl_success)
        status = layout_copy(&weights->layout,
                             dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0));
    if (status == dnnl_success)
        status = layout_query(&weights->layout, &weights->record);
    if (status == dnnl_success)
        weights->record.bytes = dnnl_memory_desc_get_size(layout_get(&weights->layout));
    if (status == dnnl_success)
        status = compare_kernels(weights, kernel);
    if (description)
        dnnl_primitive_desc_destroy(description);
    layout_destroy(&any);
    return status;
}

/* Weights of that shape, their layout chosen, nothing in them yet. */
static sembed_status weights_create(const struct gemm_shape *shape, const float *bias,
                                    struct onednn_weights **weights, sembed_error *error)
{
    sembed_status room = onednn_room(error);
    struct onednn_weights *made = room == SEMBED_OK ? memory_calloc(1, sizeof *made) : NULL;
    if (!made)
        return error_no_memory(error, "packed weights");
    made->shape = *shape;
    made->bias = bias;
    dnnl_status_t status = dnnl_engine_create(&made->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = choose_layout(made);
    if (status != dnnl_success) {
        onednn_packed_destroy(made);
        return error_onednn(status, "a layout for weights", error);
    }
    *weights = made;
    return SEMBED_OK;
}

static dnnl_status_t weight_memories_create(struct onednn_weights *weights)
{
    dnnl_dims_t sizes = {1, (dnnl_dim_t)weights->shape.outputs};
    struct layout layout = {0};
    dnnl_status_t status = layout_create(&layout, sizes, dnnl_f32, dnnl_ab);
    if (status == dnnl_success)
        status = dnnl_memory_create(&weights->bias_memory, layout_get(&layout), weights->engine,
                                    (void *)weights->bias);
    if (status == dnnl_success)
        status = dnnl_memory_create(&weights->packed_memory, layout_get(&weights->layout),
                                    weights->engine, weights->packed);
    layout_destroy(&layout);
    return status;
}

void onednn_packed_destroy(void *packed)
{
    struct onednn_weights *weights = packed;
    if (weights->packed_memory)
        dnnl_memory_destroy(weights->packed_memory);
    if (weights->bias_memory)
        dnnl_memory_destroy(weights->bias_memory);
    layout_destroy(&weights->layout);
    if (weights->engine)
        dnnl_engine_destroy(weights->engine);
    memory_free(weights->owned);
    memory_free(weights);
}

/* -------------------------------------------------------------------------------------- packing */

/* Copies plain weights, [outputs, inputs], which is [inputs, outputs] by columns, into packed. */
static dnnl_status_t reorder_weights(struct onednn_weights *weights, const void *weight)
{
    dnnl_dims_t sizes = {(dnnl_dim_t)weights->shape.inputs, (dnnl_dim_t)weights->shape.outputs};
    struct layout plain = {0};
    dnnl_memory_t source = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_status_t status =
        layout_create(&plain, sizes, number_types(&weights->shape).plain_weight, dnnl_ba);
    if (status == dnnl_success)
        status = dnnl_memory_create(&source, layout_get(&plain), weights->engine, (void *)weight);
    if (status == dnnl_success)
        status =
            dnnl_reorder_primitive_desc_create(&description, layout_get(&plain), weights->engine,
                                               layout_get(&weights->layout), weights->engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&reorder, description);
    if (status == dnnl_success)
        status = dnnl_stream_create(&stream, weights->engine, dnnl_stream_default_flags);
    if (status == dnnl_success) {
        dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, source},
                                       {DNNL_ARG_TO, weights->packed_memory}};
        status = dnnl_primitive_execute(reorder, stream, 2, arguments);
    }
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    if (stream)
        dnnl_stream_destroy(stream);
    if (reorder)
        dnnl_primitive_destroy(reorder);
    if (description)
        dnnl_primitive_desc_destroy(description);
    if (source)
        dnnl_memory_destroy(source);
    layout_destroy(&plain);
    return status;
}

static sembed_status fill_weights(struct onednn_weights *weights, const void *weight,
                                  sembed_error *error)
{
    weights->owned = weights->packed = memory_aligned(weights->record.bytes);
    if (!weights->packed)
        return error_no_memory(error, "packed weights");
    dnnl_status_t status = weight_memories_create(weights);
    if (status == dnnl_success)
        status = reorder_weights(weights, weight);
    return status == dnnl_success ? SEMBED_OK : error_onednn(status, "packed weights", error);
}

sembed_status onednn_pack(const struct gemm_shape *shape, const void *weight, const float *bias,
                          void **packed, sembed_error *error)
{
    struct onednn_weights *made = NULL;
    int threads = onednn_begin();
    sembed_status status = weights_create(shape, bias, &made, error);
    if (status == SEMBED_OK)
        status = fill_weights(made, weight, error);
    onednn_end(threads);
    if (status != SEMBED_OK) {
        if (made)
            onednn_packed_destroy(made);
        return status;
    }
    *packed = made;
    return SEMBED_OK;
}

/* ----------------------------------------------------------------------------------- flat bytes */

void onednn_save(const void *packed, struct flat_writer *writer)
{
    const struct onednn_weights *weights = packed;
    flat_write(writer, &weights->record, sizeof weights->record);
    flat_write(writer, weights->packed, weights->record.bytes);
}

static sembed_status find_packed(struct onednn_weights *weights, struct flat_reader *reader,
                                 sembed_error *error)
{
    const void *record, *packed;
    sembed_status status =
        flat_read(reader, sizeof weights->record, "layout of packed weights", &record, error);
    if (status != SEMBED_OK)
        return status;
    if (memcmp(record, &weights->record, sizeof weights->record) != 0)
        return error_set(error, SEMBED_UNSUPPORTED,
                         "packed weights: their layout is not the one that oneDNN chooses now");
    status = flat_read(reader, weights->record.bytes, "packed weights", &packed, error);
    if (status != SEMBED_OK)
        return status;
    weights->packed = (void *)packed; /* read alone, though oneDNN does not say const */
    dnnl_status_t made = weight_memories_create(weights);
    return made == dnnl_success ? SEMBED_OK : error_onednn(made, "packed weights", error);
}

sembed_status onednn_open(const struct gemm_shape *shape, const float *bias,
                          struct flat_reader *reader, void **packed, sembed_error *error)
{
    struct onednn_weights *made = NULL;
    int threads = onednn_begin();
    sembed_status status = weights_create(shape, bias, &made, error);
    if (status == SEMBED_OK)
        status = find_packed(made, reader, error);
    onednn_end(threads);
    if (status != SEMBED_OK) {
        if (made)
            onednn_packed_destroy(made);
        return status;
    }
    *packed = made;
    return SEMBED_OK;
}
