/*
 * oneDNN behind gemm.h, through its C interface; whatever differs between versions 2 (operation
 * descriptors, layouts as values) and 3 (neither) is in the first section of this file.
 *
 * Packing. oneDNN chooses the layout of the weights itself (format "any") for a typical number of
 * rows; that layout is then prescribed for every other number, so one packed copy serves all.
 *
 * Rows. Its batch-reduce kernels ("brg…") treat all rows alike: measured for 2.6.3 on AVX-512 and
 * AMX for every number of rows up to 2048, for 3.7.2 from 2 to 512; there a single row of 1,152
 * inputs or more is summed up in parts, so there are never fewer than two (gemm_padded_rows). Where
 * the CPU has none of them it falls back to code ("gemm:jit") that does not.
 *
 * Primitives. oneDNN compiles code for each number of rows: 0.1 to 0.3 ms and 70 kB. A session keeps
 * what it has had compiled, in sets of WAYS by shape and rows, the least recently used of a set
 * giving way. Rows are rounded up (gemm_padded_rows) so that a session sees few different numbers.
 * Then a call in the steady state looks up its primitive, points it at x and y and runs it.
 *
 * Threads. Debian builds oneDNN on OpenMP, which would use all cores. The number of threads is a
 * setting of the calling thread; it is 1 while oneDNN runs and then what it was before.
 */
#include "core/compute/gemm_engine.h"

#include "core/base/memory.h"
#include "core/compute/kernels.h"

#include <dnnl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------- what versions 2 and 3 do apart */

/* A matrix's sizes and layout. */
struct layout {
    dnnl_memory_desc_t desc;
};

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t layout_pointer;

static layout_pointer layout_get(const struct layout *layout)
{
    return layout->desc;
}

static dnnl_status_t layout_create(struct layout *layout, const dnnl_dims_t sizes,
                                   dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(&layout->desc, 2, sizes, dnnl_f32, tag);
}

static dnnl_status_t layout_copy(struct layout *layout, layout_pointer source)
{
    return dnnl_memory_desc_clone(&layout->desc, source);
}

static void layout_destroy(struct layout *layout)
{
    if (layout->desc)
        dnnl_memory_desc_destroy(layout->desc);
    layout->desc = NULL;
}

static dnnl_status_t matmul_describe(dnnl_primitive_desc_t *description, dnnl_engine_t engine,
                                     const struct layout *x, const struct layout *weight,
                                     const struct layout *bias, const struct layout *y,
                                     const_dnnl_primitive_attr_t attributes)
{
    return dnnl_matmul_primitive_desc_create(description, engine, x->desc, weight->desc, bias->desc,
                                             y->desc, attributes);
}

#else

typedef const dnnl_memory_desc_t *layout_pointer;

static layout_pointer layout_get(const struct layout *layout)
{
    return &layout->desc;
}

static dnnl_status_t layout_create(struct layout *layout, const dnnl_dims_t sizes,
                                   dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(&layout->desc, 2, sizes, dnnl_f32, tag);
}

static dnnl_status_t layout_copy(struct layout *layout, layout_pointer source)
{
    layout->desc = *source;
    return dnnl_success;
}

static void layout_destroy(struct layout *layout)
{
    (void)layout;
}

static dnnl_status_t matmul_describe(dnnl_primitive_desc_t *description, dnnl_engine_t engine,
                                     const struct layout *x, const struct layout *weight,
                                     const struct layout *bias, const struct layout *y,
                                     const_dnnl_primitive_attr_t attributes)
{
    dnnl_matmul_desc_t operation;
    dnnl_status_t status =
        dnnl_matmul_desc_init(&operation, &x->desc, &weight->desc, &bias->desc, &y->desc);
    if (status != dnnl_success)
        return status;
    return dnnl_primitive_desc_create(description, &operation, attributes, engine, NULL);
}

#endif

/* ---------------------------------------------------------------------------------- one thread */

#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
/* Of the OpenMP standard; <omp.h> comes with gcc but not with every clang. */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

static int one_thread_begin(void)
{
    int threads = omp_get_max_threads();
    if (threads != 1)
        omp_set_num_threads(1);
    return threads;
}

static void one_thread_end(int threads)
{
    if (threads != 1)
        omp_set_num_threads(threads);
}
#else
static int one_thread_begin(void)
{
    return 1;
}

static void one_thread_end(int threads)
{
    (void)threads;
}
#endif

/* --------------------------------------------------------------------------------------- errors */

static sembed_status error_onednn(dnnl_status_t status, const char *what, sembed_error *error)
{
    if (status == dnnl_out_of_memory)
        return error_no_memory(error, what);
    return error_set(error, SEMBED_ENGINE, "oneDNN cannot make or run %s (its status %d)", what,
                     (int)status);
}

/* -------------------------------------------------------------------------------------- weights */

/* The number of rows for which oneDNN is asked to choose the layout of the weights. */
#define TYPICAL_ROWS 128

struct onednn_weights {
    struct gemm_shape shape;
    dnnl_engine_t engine;
    struct layout layout; /* of packed */
    float *packed;
    float *bias; /* [outputs]; zeros where there is none */
    dnnl_memory_t packed_memory, bias_memory;
    bool treats_rows_alike;
};

/* The layouts of a product's other operands. */
struct operand_layouts {
    struct layout x, bias, y;
};

static void operand_layouts_destroy(struct operand_layouts *layouts)
{
    layout_destroy(&layouts->x);
    layout_destroy(&layouts->bias);
    layout_destroy(&layouts->y);
}

static dnnl_status_t operand_layouts_create(struct operand_layouts *layouts,
                                            const struct gemm_shape *shape, size_t rows)
{
    dnnl_dims_t x = {(dnnl_dim_t)rows, (dnnl_dim_t)shape->inputs};
    dnnl_dims_t bias = {1, (dnnl_dim_t)shape->outputs};
    dnnl_dims_t y = {(dnnl_dim_t)rows, (dnnl_dim_t)shape->outputs};
    dnnl_status_t status = layout_create(&layouts->x, x, dnnl_ab);
    if (status == dnnl_success)
        status = layout_create(&layouts->bias, bias, dnnl_ab);
    if (status == dnnl_success)
        status = layout_create(&layouts->y, y, dnnl_ab);
    return status;
}

/* Scratch memory from us and, where it is wanted, an activation after the sum. */
static dnnl_status_t attributes_create(dnnl_primitive_attr_t *attributes,
                                       enum activation activation)
{
    dnnl_status_t status = dnnl_primitive_attr_create(attributes);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user);
    (void)activation;
    return status;
}

/* Describes the product of that many rows with weights of that layout. */
static dnnl_status_t product_describe(dnnl_primitive_desc_t *description, dnnl_engine_t engine,
                                      const struct gemm_shape *shape, size_t rows,
                                      const struct layout *weight)
{
    struct operand_layouts layouts = {0};
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t status = operand_layouts_create(&layouts, shape, rows);
    if (status == dnnl_success)
        status = attributes_create(&attributes, shape->activation);
    if (status == dnnl_success)
        status = matmul_describe(description, engine, &layouts.x, weight, &layouts.bias, &layouts.y,
                                 attributes);
    if (attributes)
        dnnl_primitive_attr_destroy(attributes);
    operand_layouts_destroy(&layouts);
    return status;
}

/* Asks oneDNN which layout it wants the weights in. */
static dnnl_status_t choose_layout(struct onednn_weights *weights)
{
    dnnl_dims_t sizes = {(dnnl_dim_t)weights->shape.inputs, (dnnl_dim_t)weights->shape.outputs};
    struct layout any = {0};
    dnnl_primitive_desc_t description = NULL;
    dnnl_status_t status = layout_create(&any, sizes, dnnl_format_tag_any);
    if (status == dnnl_success)
        status =
            product_describe(&description, weights->engine, &weights->shape, TYPICAL_ROWS, &any);
    if (status == dnnl_success)
        status = layout_copy(&weights->layout,
                             dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0));
    const char *kernel = "";
    if (status == dnnl_success)
        status = dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &kernel);
    weights->treats_rows_alike = strncmp(kernel, "brg", 3) == 0;
    if (description)
        dnnl_primitive_desc_destroy(description);
    layout_destroy(&any);
    return status;
}

/* Copies plain weights, [outputs, inputs], which is [inputs, outputs] by columns, into packed. */
static dnnl_status_t reorder_weights(struct onednn_weights *weights, const float *weight)
{
    dnnl_dims_t sizes = {(dnnl_dim_t)weights->shape.inputs, (dnnl_dim_t)weights->shape.outputs};
    struct layout plain = {0};
    dnnl_memory_t source = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_status_t status = layout_create(&plain, sizes, dnnl_ba);
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

static dnnl_status_t bias_memory_create(struct onednn_weights *weights)
{
    dnnl_dims_t sizes = {1, (dnnl_dim_t)weights->shape.outputs};
    struct layout layout = {0};
    dnnl_status_t status = layout_create(&layout, sizes, dnnl_ab);
    if (status == dnnl_success)
        status = dnnl_memory_create(&weights->bias_memory, layout_get(&layout), weights->engine,
                                    weights->bias);
    layout_destroy(&layout);
    return status;
}

static void onednn_packed_destroy(void *packed)
{
    struct onednn_weights *weights = packed;
    if (weights->packed_memory)
        dnnl_memory_destroy(weights->packed_memory);
    if (weights->bias_memory)
        dnnl_memory_destroy(weights->bias_memory);
    layout_destroy(&weights->layout);
    if (weights->engine)
        dnnl_engine_destroy(weights->engine);
    memory_free(weights->packed);
    memory_free(weights->bias);
    memory_free(weights);
}

static sembed_status fill_weights(struct onednn_weights *weights, const float *weight,
                                  const float *bias, sembed_error *error)
{
    size_t bias_bytes = weights->shape.outputs * sizeof(float);
    dnnl_status_t status = dnnl_engine_create(&weights->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = choose_layout(weights);
    if (status != dnnl_success)
        return error_onednn(status, "a layout for weights", error);

    weights->packed = memory_aligned(dnnl_memory_desc_get_size(layout_get(&weights->layout)));
    weights->bias = memory_aligned(bias_bytes);
    if (!weights->packed || !weights->bias)
        return error_no_memory(error, "packed weights");
    if (bias)
        memcpy(weights->bias, bias, bias_bytes);
    else
        memset(weights->bias, 0, bias_bytes);

    status = dnnl_memory_create(&weights->packed_memory, layout_get(&weights->layout),
                                weights->engine, weights->packed);
    if (status == dnnl_success)
        status = bias_memory_create(weights);
    if (status == dnnl_success)
        status = reorder_weights(weights, weight);
    return status == dnnl_success ? SEMBED_OK : error_onednn(status, "packed weights", error);
}

static sembed_status onednn_pack(const struct gemm_shape *shape, const float *weight,
                                 const float *bias, void **packed, sembed_error *error)
{
    struct onednn_weights *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "packed weights");
    made->shape = *shape;
    int threads = one_thread_begin();
    sembed_status status = fill_weights(made, weight, bias, error);
    one_thread_end(threads);
    if (status != SEMBED_OK) {
        onednn_packed_destroy(made);
        return status;
    }
    *packed = made;
    return SEMBED_OK;
}

/* -------------------------------------------------------------------------------------- session */

#define SETS 128
#define WAYS 4

/* A product of one shape and number of rows. x, y and scratch are pointed anew at each run. */
struct product {
    struct gemm_shape shape;
    size_t rows; /* 0: empty */
    uint64_t last_used;
    dnnl_primitive_t primitive;
    dnnl_memory_t x, y, scratch;
    size_t scratch_size;
};

struct onednn_session {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    void *scratch;
    size_t scratch_size;
    uint64_t clock; /* counts runs */
    struct product products[SETS][WAYS];
};

static void product_destroy(struct product *product)
{
    if (product->primitive)
        dnnl_primitive_destroy(product->primitive);
    if (product->x)
        dnnl_memory_destroy(product->x);
    if (product->y)
        dnnl_memory_destroy(product->y);
    if (product->scratch)
        dnnl_memory_destroy(product->scratch);
    *product = (struct product){0};
}

static dnnl_status_t product_memories_create(struct product *product, dnnl_engine_t engine,
                                             const_dnnl_primitive_desc_t description)
{
    layout_pointer scratch = dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    struct operand_layouts layouts = {0};
    dnnl_status_t status = operand_layouts_create(&layouts, &product->shape, product->rows);
    if (status == dnnl_success)
        status = dnnl_memory_create(&product->x, layout_get(&layouts.x), engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&product->y, layout_get(&layouts.y), engine, DNNL_MEMORY_NONE);
    product->scratch_size = dnnl_memory_desc_get_size(scratch);
    if (status == dnnl_success && product->scratch_size)
        status = dnnl_memory_create(&product->scratch, scratch, engine, DNNL_MEMORY_NONE);
    operand_layouts_destroy(&layouts);
    return status;
}

static sembed_status product_create(struct product *product, dnnl_engine_t engine,
                                    const struct onednn_weights *weights, size_t rows,
                                    sembed_error *error)
{
    dnnl_primitive_desc_t description = NULL;
    product_destroy(product);
    product->shape = weights->shape;
    product->rows = rows;
    dnnl_status_t status =
        product_describe(&description, engine, &weights->shape, rows, &weights->layout);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&product->primitive, description);
    if (status == dnnl_success)
        status = product_memories_create(product, engine, description);
    if (description)
        dnnl_primitive_desc_destroy(description);
    if (status == dnnl_success)
        return SEMBED_OK;
    product_destroy(product);
    return error_onednn(status, "a matrix product", error);
}

static bool product_is(const struct product *product, const struct gemm_shape *shape, size_t rows)
{
    return product->rows == rows && product->shape.outputs == shape->outputs &&
           product->shape.inputs == shape->inputs && product->shape.activation == shape->activation;
}

/* The set's product for this shape and number of rows; made in the place of its least recently used
 * one where it is not there. */
static sembed_status find_product(struct onednn_session *session,
                                  const struct onednn_weights *weights, size_t rows,
                                  struct product **found, sembed_error *error)
{
    const struct gemm_shape *shape = &weights->shape;
    size_t hash = (rows * 31 + shape->outputs) * 31 + shape->inputs;
    struct product *set = session->products[(hash ^ hash >> 7) % SETS];
    struct product *oldest = set;
    session->clock++;
    for (size_t way = 0; way < WAYS; way++) {
        if (product_is(&set[way], shape, rows)) {
            set[way].last_used = session->clock;
            *found = &set[way];
            return SEMBED_OK;
        }
        if (set[way].last_used < oldest->last_used)
            oldest = &set[way];
    }
    sembed_status status = product_create(oldest, session->engine, weights, rows, error);
    oldest->last_used = session->clock;
    *found = oldest;
    return status;
}

static void onednn_session_destroy(void *state)
{
    struct onednn_session *session = state;
    for (size_t set = 0; set < SETS; set++) {
        for (size_t way = 0; way < WAYS; way++)
            product_destroy(&session->products[set][way]);
    }
    if (session->stream)
        dnnl_stream_destroy(session->stream);
    if (session->engine)
        dnnl_engine_destroy(session->engine);
    memory_free(session->scratch);
    memory_free(session);
}

static sembed_status onednn_session_create(void **session, sembed_error *error)
{
    struct onednn_session *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "an engine session");
    dnnl_status_t status = dnnl_engine_create(&made->engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = dnnl_stream_create(&made->stream, made->engine, dnnl_stream_default_flags);
    if (status != dnnl_success) {
        onednn_session_destroy(made);
        return error_onednn(status, "an engine session", error);
    }
    *session = made;
    return SEMBED_OK;
}

static sembed_status scratch_reserve(struct onednn_session *session, size_t size,
                                     sembed_error *error)
{
    if (size <= session->scratch_size)
        return SEMBED_OK;
    memory_free(session->scratch);
    session->scratch_size = 0;
    session->scratch = memory_aligned(size);
    if (!session->scratch)
        return error_no_memory(error, "the engine's scratch space");
    session->scratch_size = size;
    return SEMBED_OK;
}

static dnnl_status_t product_run(struct onednn_session *session,
                                 const struct onednn_weights *weights, struct product *product,
                                 const float *x, float *y)
{
    dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, product->x},
        {DNNL_ARG_WEIGHTS, weights->packed_memory},
        {DNNL_ARG_BIAS, weights->bias_memory},
        {DNNL_ARG_DST, product->y},
        {DNNL_ARG_SCRATCHPAD, product->scratch},
    };
    dnnl_status_t status = dnnl_memory_set_data_handle(product->x, (void *)x);
    if (status == dnnl_success)
        status = dnnl_memory_set_data_handle(product->y, y);
    if (status == dnnl_success && product->scratch)
        status = dnnl_memory_set_data_handle(product->scratch, session->scratch);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(product->primitive, session->stream,
                                        product->scratch ? 5 : 4, arguments);
    return status == dnnl_success ? dnnl_stream_wait(session->stream) : status;
}

static sembed_status onednn_multiply(const void *packed, void *state, const float *x, size_t rows,
                                     float *y, sembed_error *error)
{
    const struct onednn_weights *weights = packed;
    struct onednn_session *session = state;
    /* Exact for a group, which the next one follows directly. */
    size_t padded = weights->treats_rows_alike ? gemm_padded_rows(rows) : rows;
    struct product *product;
    int threads = one_thread_begin();
    sembed_status status = find_product(session, weights, padded, &product, error);
    if (status == SEMBED_OK)
        status = scratch_reserve(session, product->scratch_size, error);
    if (status == SEMBED_OK) {
        dnnl_status_t run = product_run(session, weights, product, x, y);
        if (run != dnnl_success)
            status = error_onednn(run, "a matrix product", error);
    }
    one_thread_end(threads);
    if (status == SEMBED_OK && weights->shape.activation != ACTIVATION_NONE)
        kernels()->bias_activate(weights->shape.activation, NULL, padded, weights->shape.outputs,
                                 y);
    return status;
}

static bool onednn_treats_rows_alike(const void *packed)
{
    return ((const struct onednn_weights *)packed)->treats_rows_alike;
}

static void onednn_describe(char *text, size_t size)
{
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, size, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
}

const struct gemm_engine gemm_onednn = {
    .choice = "onednn",
    .describe = onednn_describe,
    .pack = onednn_pack,
    .packed_destroy = onednn_packed_destroy,
    .session_create = onednn_session_create,
    .session_destroy = onednn_session_destroy,
    .treats_rows_alike = onednn_treats_rows_alike,
    .multiply = onednn_multiply,
};
