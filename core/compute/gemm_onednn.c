/*
 * oneDNN behind gemm.h: sessions and their products; onednn_weights.c packs.
 *
 * Rows. Its batch-reduce kernels ("brg…") treat all rows alike: measured for 2.6.3 on AVX-512 and
 * AMX for every number of rows up to 2048, for 3.7.2 from 2 to 512; there a single row of 1,152
 * inputs or more is summed up in parts, so there are never fewer than two (onednn_padded_rows). Where
 * the CPU has none of them it falls back to code ("gemm:jit") that does not.
 *
 * Primitives. oneDNN compiles code for each number of rows: 0.1 to 0.3 ms and 70 kB. A session keeps
 * what it has had compiled, in sets of WAYS by shape and rows, the least recently used of a set
 * giving way. Rows are rounded up (onednn_padded_rows) so that a session sees few different numbers.
 * Then a call in the steady state looks up its primitive, points it at x and y and runs it.
 */
#include "core/compute/onednn.h"

#include "core/base/memory.h"
#include "core/compute/kernels.h"

#include <stdint.h>
#include <stdio.h>

/* ---------------------------------------------------------------------------------- one thread */

#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
/* Of the OpenMP standard; <omp.h> comes with gcc but not with every clang. */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

int onednn_begin(void)
{
    int threads = omp_get_max_threads();
    if (threads != 1)
        omp_set_num_threads(1);
    return threads;
}

void onednn_end(int threads)
{
    if (threads != 1)
        omp_set_num_threads(threads);
}
#else
int onednn_begin(void)
{
    return 1;
}

void onednn_end(int threads)
{
    (void)threads;
}
#endif

/* --------------------------------------------------------------------------------------- errors */

sembed_status error_onednn(dnnl_status_t status, const char *what, sembed_error *error)
{
    if (status == dnnl_out_of_memory)
        return error_no_memory(error, what);
    return error_set(error, SEMBED_ENGINE, "oneDNN cannot make or run %s (its status %d)", what,
                     (int)status);
}

#define ROOM ((size_t)4 << 20) /* bytes; see onednn.h */

sembed_status onednn_room(sembed_error *error)
{
    return memory_has_room(ROOM) ? SEMBED_OK : error_no_memory(error, "the engine");
}

/* -------------------------------------------------------------------------------------- session */

#define SETS 128
#define WAYS 4

/* The code for one shape and number of rows. x, y and scratch are pointed anew at each run. */
struct compiled {
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
    bool compiled;  /* since the last trim */
    struct compiled products[SETS][WAYS];
};

static void product_destroy(struct compiled *product)
{
    if (product->primitive)
        dnnl_primitive_destroy(product->primitive);
    if (product->x)
        dnnl_memory_destroy(product->x);
    if (product->y)
        dnnl_memory_destroy(product->y);
    if (product->scratch)
        dnnl_memory_destroy(product->scratch);
    *product = (struct compiled){0};
}

static dnnl_status_t product_memories_create(struct compiled *product, dnnl_engine_t engine,
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

static sembed_status product_create(struct compiled *product, dnnl_engine_t engine,
                                    const struct onednn_weights *weights, size_t rows,
                                    sembed_error *error)
{
    dnnl_primitive_desc_t description = NULL;
    product_destroy(product);
    sembed_status room = onednn_room(error);
    if (room != SEMBED_OK)
        return room;
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

static bool product_is(const struct compiled *product, const struct gemm_shape *shape, size_t rows)
{
    return product->rows == rows && product->shape.outputs == shape->outputs &&
           product->shape.inputs == shape->inputs && product->shape.precision == shape->precision &&
           product->shape.rounds == shape->rounds;
}

/* Steps of any length, such as those of rounded rows, come to lie evenly spread where they are multiplied
 * by the golden ratio (Knuth, The Art of Computer Programming, 6.4). */
static size_t set_of(const struct gemm_shape *shape, size_t rows)
{
    const uint64_t ratio = 0x9E3779B97F4A7C15u; /* of 2⁶⁴ */
    uint64_t number = rows + 31 * (shape->outputs + 31 * shape->inputs);
    return (size_t)(number * ratio >> 57) % SETS;
}

/* The set's product for this shape and number of rows; made in the place of its least recently used
 * one where it is not there. */
static sembed_status find_product(struct onednn_session *session,
                                  const struct onednn_weights *weights, size_t rows,
                                  struct compiled **found, sembed_error *error)
{
    const struct gemm_shape *shape = &weights->shape;
    struct compiled *set = session->products[set_of(shape, rows)];
    struct compiled *oldest = set;
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
    session->compiled = true;
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

/* Compiling leaves some hundred kilobytes of freed memory each time, which the C library keeps for the
 * process: ten times what the compiled code takes. */
static void onednn_session_trim(void *state)
{
    struct onednn_session *session = state;
    if (session->compiled)
        memory_trim();
    session->compiled = false;
}

static sembed_status onednn_session_create(void **session, sembed_error *error)
{
    sembed_status room = onednn_room(error);
    struct onednn_session *made = room == SEMBED_OK ? memory_calloc(1, sizeof *made) : NULL;
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
                                 const struct onednn_weights *weights, struct compiled *product,
                                 const void *x, void *y)
{
    dnnl_exec_arg_t arguments[5] = {
        {DNNL_ARG_SRC, product->x},
        {DNNL_ARG_WEIGHTS, weights->packed_memory},
        {DNNL_ARG_DST, product->y},
    };
    int count = 3;
    if (weights->shape.precision != PRECISION_INT8)
        arguments[count++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, weights->bias_memory};
    if (product->scratch)
        arguments[count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, product->scratch};
    dnnl_status_t status = dnnl_memory_set_data_handle(product->x, (void *)x);
    if (status == dnnl_success)
        status = dnnl_memory_set_data_handle(product->y, y);
    if (status == dnnl_success && product->scratch)
        status = dnnl_memory_set_data_handle(product->scratch, session->scratch);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(product->primitive, session->stream, count, arguments);
    return status == dnnl_success ? dnnl_stream_wait(session->stream) : status;
}

/*
 * All numbers from 2 to 32, then such that at most a sixteenth is added, or 15 rows where there are
 * many: some 100 different numbers for up to 512 rows. A row alone would go another way in oneDNN 3,
 * which splits long sums there.
 *
 * Tiles have 16 rows: a whole number of them is as fast as one row less, and three times as fast where
 * the tiles would have to be set up anew for a rest (oneDNN 2.6.3: 57, 58, 61 and 62 rows). Up to 32
 * rows it is the weights that take time, and four rows make no difference.
 */
static size_t onednn_padded_rows(const void *packed, size_t rows)
{
    const struct onednn_weights *weights = packed;
    size_t step = 1, rounded;
    if (!weights->treats_rows_alike)
        return rows; /* exact for a group, which the next one follows directly */
    if (weights->has_tiles)
        step = rows <= 32 ? 4 : 16;
    while (step < 16 && step * 32 < rows)
        step *= 2;
    if (!size_add(rows, step - 1, &rounded))
        return SIZE_MAX;
    return rounded < 2 ? 2 : rounded / step * step;
}

static sembed_status onednn_multiply(const void *packed, void *state, const void *x,
                                     const size_t *starts, size_t groups, void *y,
                                     sembed_error *error)
{
    const struct onednn_weights *weights = packed;
    struct onednn_session *session = state;
    size_t padded = onednn_padded_rows(packed, starts[groups] - starts[0]);
    struct compiled *product;
    int threads = onednn_begin();
    sembed_status status = find_product(session, weights, padded, &product, error);
    if (status == SEMBED_OK)
        status = scratch_reserve(session, product->scratch_size, error);
    if (status == SEMBED_OK) {
        dnnl_status_t run = product_run(session, weights, product, x, y);
        if (run != dnnl_success)
            status = error_onednn(run, "a matrix product", error);
    }
    onednn_end(threads);
    if (status == SEMBED_OK && weights->shape.activation != ACTIVATION_NONE &&
        weights->shape.precision == PRECISION_F32)
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

static void onednn_describe_packing(char *text, size_t size)
{
    snprintf(text, size, "instructions %x, ", (unsigned)dnnl_get_effective_cpu_isa());
}

const struct gemm_engine gemm_onednn = {
    .choice = "onednn",
    .describe = onednn_describe,
    .describe_packing = onednn_describe_packing,
    .check_precision = onednn_check_precision,
    .pack = onednn_pack,
    .save = onednn_save,
    .open = onednn_open,
    .packed_destroy = onednn_packed_destroy,
    .session_create = onednn_session_create,
    .session_destroy = onednn_session_destroy,
    .session_trim = onednn_session_trim,
    .treats_rows_alike = onednn_treats_rows_alike,
    .padded_rows = onednn_padded_rows,
    .takes_groups = onednn_treats_rows_alike,
    .multiply = onednn_multiply,
};
