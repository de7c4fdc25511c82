#include "core/compute/openblas_rows.h"

#include "core/base/memory.h"

#include <cblas.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

/* Products of no more multiplications may take kernels of their own. */
#define SMALL_PRODUCT (100 * 100 * 100)

/* Were a product to be filled up to more rows than this, groups by themselves would cost less. */
#define MOST_FEWEST 24

/*
 * A serial build of OpenBLAS takes its work buffers without a lock, unless it was built with
 * USE_LOCKING, which Debian's is not: two threads at once get wrong numbers or crash. So products
 * take turns within a process.
 */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/*
 * With the first product the library takes a buffer, which it keeps; where the system refuses that, it
 * asks again and again. So the system is asked here before.
 */
#define BUFFER_ROOM ((size_t)136 << 20) /* bytes: its buffer is 128 MB of address space */

static bool has_buffer; /* guarded by turn */

static sembed_status take_turn(sembed_error *error)
{
    pthread_mutex_lock(&turn);
    has_buffer = has_buffer || memory_has_room(BUFFER_ROOM);
    if (has_buffer)
        return SEMBED_OK;
    pthread_mutex_unlock(&turn);
    return error_no_memory(error, "OpenBLAS");
}

sembed_status openblas_product(const float *weight, size_t outputs, size_t inputs, const float *x,
                               size_t rows, float *y, sembed_error *error)
{
    sembed_status status = take_turn(error);
    if (status != SEMBED_OK)
        return status;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)outputs, (int)inputs, 1.0f,
                x, (int)inputs, weight, (int)inputs, 0.0f, y, (int)outputs);
    pthread_mutex_unlock(&turn);
    return SEMBED_OK;
}

/* ----------------------------------------------------------------------------------- trying out */

static const size_t periods[] = {4, 12, 24};

/* Large enough for its loops over blocks to turn more than once, with rests at their ends. */
enum { OUTPUTS = 1100, INPUTS = 420, MOST_PERIODS = 12, MOST_ROWS = MOST_PERIODS * 24 };

/* The products that are compared with those of one period: so many periods, from the second one on. */
static const size_t lengths[] = {2, 3, 5, MOST_PERIODS - 1};

struct trial {
    float *weight; /* [OUTPUTS, INPUTS] */
    float *x;      /* [MOST_ROWS, INPUTS] */
    float *alone;  /* [MOST_ROWS, OUTPUTS]: each period by itself */
    float *y;      /* [MOST_ROWS, OUTPUTS] */
};

/* Numbers from −1 to 1 of a linear congruential sequence, whose sums depend on their order. */
static void fill(float *numbers, size_t count, uint32_t state)
{
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525 + 1013904223;
        numbers[i] = (float)(int32_t)state / 2147483648.0f;
    }
}

static sembed_status has_period(const struct trial *trial, size_t period, bool *has,
                                sembed_error *error)
{
    size_t x_period = period * INPUTS, y_period = period * OUTPUTS;
    sembed_status status = SEMBED_OK;
    *has = true;
    for (size_t i = 0; i < MOST_PERIODS && status == SEMBED_OK; i++)
        status = openblas_product(trial->weight, OUTPUTS, INPUTS, trial->x + i * x_period, period,
                                  trial->alone + i * y_period, error);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0] && status == SEMBED_OK && *has; i++) {
        status = openblas_product(trial->weight, OUTPUTS, INPUTS, trial->x + x_period,
                                  lengths[i] * period, trial->y, error);
        *has = status == SEMBED_OK && memcmp(trial->y, trial->alone + y_period,
                                             lengths[i] * y_period * sizeof(float)) == 0;
    }
    return status;
}

static sembed_status find_period(size_t *period, sembed_error *error)
{
    struct trial trial = {
        .weight = memory_aligned(sizeof(float) * OUTPUTS * INPUTS),
        .x = memory_aligned(sizeof(float) * MOST_ROWS * INPUTS),
        .alone = memory_aligned(sizeof(float) * MOST_ROWS * OUTPUTS),
        .y = memory_aligned(sizeof(float) * MOST_ROWS * OUTPUTS),
    };
    sembed_status status = SEMBED_OK;
    bool has = false;
    *period = 0;
    if (!trial.weight || !trial.x || !trial.alone || !trial.y) {
        status = error_no_memory(error, "OpenBLAS");
        goto cleanup;
    }
    fill(trial.weight, OUTPUTS * INPUTS, 1);
    fill(trial.x, MOST_ROWS * INPUTS, 2);
    for (size_t i = 0; i < sizeof periods / sizeof periods[0] && status == SEMBED_OK && !has; i++) {
        status = has_period(&trial, periods[i], &has, error);
        *period = has ? periods[i] : 0;
    }
cleanup:
    memory_free(trial.weight);
    memory_free(trial.x);
    memory_free(trial.alone);
    memory_free(trial.y);
    return status;
}

/* What was found; guarded by trying. A lack of memory is no finding: a vector's bits must not depend on
 * it. */
static pthread_mutex_t trying = PTHREAD_MUTEX_INITIALIZER;
static bool is_found;
static size_t found;

sembed_status openblas_period(const struct gemm_shape *shape, size_t *period, size_t *fewest,
                              sembed_error *error)
{
    size_t multiplications = shape->outputs * shape->inputs; /* of a row; such a matrix is there */
    sembed_status status = SEMBED_OK;
    pthread_mutex_lock(&trying);
    if (!is_found)
        status = find_period(&found, error);
    is_found = status == SEMBED_OK;
    *period = found;
    pthread_mutex_unlock(&trying);
    if (status != SEMBED_OK || !*period)
        return status;
    *fewest = (SMALL_PRODUCT / multiplications + *period) / *period * *period;
    if (*fewest > MOST_FEWEST)
        *period = 0;
    return SEMBED_OK;
}
