/*
 * oneDNN through its C interface, what gemm_onednn.c and onednn_weights.c share. Whatever differs
 * between versions 2 (operation descriptors, layouts as values) and 3 (neither) is in the first
 * section of this file.
 */
#ifndef SEMBED_COMPUTE_ONEDNN_H
#define SEMBED_COMPUTE_ONEDNN_H

#include "core/compute/gemm_engine.h"

#include <dnnl.h>

/* ------------------------------------------------------------- what versions 2 and 3 do apart */

/* A matrix's sizes, number type and layout. */
struct layout {
    dnnl_memory_desc_t desc;
};

/* How a matrix is cut into blocks, in numbers alone: two layouts that agree here are the same. */
#define LAYOUT_BLOCKS 12
struct layout_record {
    uint64_t bytes;
    int64_t padded[2], strides[2]; /* of the outermost blocks */
    int64_t blocks;
    int64_t block_sizes[LAYOUT_BLOCKS], block_dimensions[LAYOUT_BLOCKS]; /* zeros behind the last */
};

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t layout_pointer;

static inline layout_pointer layout_get(const struct layout *layout)
{
    return layout->desc;
}

static inline dnnl_status_t layout_create(struct layout *layout, const dnnl_dims_t sizes,
                                          dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(&layout->desc, 2, sizes, type, tag);
}

static inline dnnl_status_t layout_copy(struct layout *layout, layout_pointer source)
{
    return dnnl_memory_desc_clone(&layout->desc, source);
}

static inline void layout_destroy(struct layout *layout)
{
    if (layout->desc)
        dnnl_memory_desc_destroy(layout->desc);
    layout->desc = NULL;
}

static inline dnnl_status_t layout_query(const struct layout *layout, struct layout_record *record)
{
    const dnnl_dims_t *padded, *strides, *sizes, *dimensions;
    int blocks = 0;
    dnnl_status_t status =
        dnnl_memory_desc_query(layout->desc, dnnl_query_inner_nblks_s32, &blocks);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(layout->desc, dnnl_query_padded_dims, &padded);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(layout->desc, dnnl_query_strides, &strides);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(layout->desc, dnnl_query_inner_blks, &sizes);
    if (status == dnnl_success)
        status = dnnl_memory_desc_query(layout->desc, dnnl_query_inner_idxs, &dimensions);
    for (int i = 0; status == dnnl_success && i < 2; i++) {
        record->padded[i] = (*padded)[i];
        record->strides[i] = (*strides)[i];
    }
    record->blocks = blocks;
    for (int i = 0; status == dnnl_success && i < blocks && i < LAYOUT_BLOCKS; i++) {
        record->block_sizes[i] = (*sizes)[i];
        record->block_dimensions[i] = (*dimensions)[i];
    }
    return status;
}

static inline dnnl_status_t matmul_describe(dnnl_primitive_desc_t *description,
                                            dnnl_engine_t engine, const struct layout *x,
                                            const struct layout *weight, const struct layout *bias,
                                            const struct layout *y,
                                            const_dnnl_primitive_attr_t attributes)
{
    return dnnl_matmul_primitive_desc_create(description, engine, x->desc, weight->desc,
                                             bias ? bias->desc : NULL, y->desc, attributes);
}

#else

typedef const dnnl_memory_desc_t *layout_pointer;

static inline layout_pointer layout_get(const struct layout *layout)
{
    return &layout->desc;
}

static inline dnnl_status_t layout_create(struct layout *layout, const dnnl_dims_t sizes,
                                          dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(&layout->desc, 2, sizes, type, tag);
}

static inline dnnl_status_t layout_copy(struct layout *layout, layout_pointer source)
{
    layout->desc = *source;
    return dnnl_success;
}

static inline void layout_destroy(struct layout *layout)
{
    (void)layout;
}

static inline dnnl_status_t layout_query(const struct layout *layout, struct layout_record *record)
{
    const dnnl_blocking_desc_t *blocking = &layout->desc.format_desc.blocking;
    if (layout->desc.format_kind != dnnl_blocked)
        return dnnl_unimplemented;
    for (int i = 0; i < 2; i++) {
        record->padded[i] = layout->desc.padded_dims[i];
        record->strides[i] = blocking->strides[i];
    }
    record->blocks = blocking->inner_nblks;
    for (int i = 0; i < blocking->inner_nblks && i < LAYOUT_BLOCKS; i++) {
        record->block_sizes[i] = blocking->inner_blks[i];
        record->block_dimensions[i] = blocking->inner_idxs[i];
    }
    return dnnl_success;
}

static inline dnnl_status_t matmul_describe(dnnl_primitive_desc_t *description,
                                            dnnl_engine_t engine, const struct layout *x,
                                            const struct layout *weight, const struct layout *bias,
                                            const struct layout *y,
                                            const_dnnl_primitive_attr_t attributes)
{
    dnnl_matmul_desc_t operation;
    dnnl_status_t status = dnnl_matmul_desc_init(&operation, &x->desc, &weight->desc,
                                                 bias ? &bias->desc : NULL, &y->desc);
    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(description, &operation, attributes, engine, NULL);
}

#endif

/* ---------------------------------------------------------------------------------- one thread */

/* Debian builds oneDNN on OpenMP, which would use all cores. The number of threads is a setting of
 * the calling thread: it is 1 from begin to end and then what it was before. */
int onednn_begin(void);
void onednn_end(int threads);

/* --------------------------------------------------------------------------------------- errors */

sembed_status error_onednn(dnnl_status_t status, const char *what, sembed_error *error);

/*
 * oneDNN does not outlive a lack of memory: operator new throws through its C interface, and elsewhere
 * it goes on with NULL. So before it makes anything the system is asked for more than that takes
 * (measured: 1 MB for a product and its code), and SEMBED_NO_MEMORY is the answer where it refuses. What
 * an execution allocates, a few hundred bytes, is what the one before it has freed.
 */
sembed_status onednn_room(sembed_error *error);

/* ------------------------------------------------------------------------------------- products */

/* The layouts of a product's operands beside the weights. */
struct operand_layouts {
    struct layout x, bias, y;
};

dnnl_status_t operand_layouts_create(struct operand_layouts *layouts,
                                     const struct gemm_shape *shape, size_t rows);
void operand_layouts_destroy(struct operand_layouts *layouts);

/* The number types of a product at a precision; weights also before they are packed. */
struct number_types {
    dnnl_data_type_t x, weight, plain_weight, y;
};

struct number_types number_types(const struct gemm_shape *shape);

/* Describes the product of that many rows with weights of that layout. */
dnnl_status_t product_describe(dnnl_primitive_desc_t *description, dnnl_engine_t engine,
                               const struct gemm_shape *shape, size_t rows,
                               const struct layout *weight);

/* -------------------------------------------------------------------------------------- weights */

struct onednn_weights {
    struct gemm_shape shape;
    dnnl_engine_t engine;
    struct layout layout; /* of packed */
    struct layout_record record;
    void *packed;
    const float *bias;
    void *owned; /* packed; NULL: flat bytes of the caller's */
    dnnl_memory_t packed_memory, bias_memory;
    bool treats_rows_alike;
    bool has_tiles; /* the kernel is one for AMX */
};

sembed_status onednn_pack(const struct gemm_shape *shape, const void *weight, const float *bias,
                          void **packed, sembed_error *error);
void onednn_save(const void *packed, struct flat_writer *writer);
sembed_status onednn_check_precision(enum precision precision, sembed_error *error);
sembed_status onednn_open(const struct gemm_shape *shape, const float *bias,
                          struct flat_reader *reader, void **packed, sembed_error *error);
void onednn_packed_destroy(void *packed);

#endif
