/*
 * The compiled image of a model with bytes of it changed: the first byte says of which fixture and
 * whether the checksums are then made right again; each four bytes that follow are a place (24 bits)
 * and what is to stand there; three bytes at the end say how long the file is to be.
 *
 * With its checksums wrong, the image is not used: the model is loaded from its folder and gives the
 * same vector. With them right, opening must still stay within the file; what the model computes is then
 * nobody's to promise (image.h: against accidents, not against those who forge).
 */
#include "core/base/memory.h"
#include "core/image/image.h"
#include "core/model/compiled.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MOST_NUMBERS 64 /* of a vector */

struct victim {
    const char *fixture;
    char folder[512];
    const char *cache;
    char name[256]; /* of the image in the cache */
    char *bytes;
    size_t size;
    float vector[MOST_NUMBERS];
};

static struct victim victims[] = {{.fixture = "lowercase-first"},
                                  {.fixture = "dense-chain"},
                                  {.fixture = "cross-roberta"},
                                  {.fixture = "xlm-roberta-model"}};
#define VICTIMS (sizeof victims / sizeof *victims)

static sembed_status load(const struct victim *victim, struct sembed_model **model,
                          sembed_error *notice)
{
    const struct image_settings settings = {victim->cache, UINT64_MAX};
    sembed_error error = {0};
    sembed_status status = compiled_load("fuzz", victim->folder, PRECISION_F32, &settings, NULL,
                                         model, notice, &error);
    fuzz_check_status(status, &error);
    return status;
}

static void compute(const struct sembed_model *model, float vector[MOST_NUMBERS])
{
    const sembed_text text = {"the river runs to the sea", 25};
    sembed_context *context = NULL;
    sembed_model_info info;
    sembed_error error = {0};
    memset(vector, 0, MOST_NUMBERS * sizeof *vector);
    sembed_model_describe(model, &info);
    fuzz_require(info.dimensions <= MOST_NUMBERS && info.labels <= MOST_NUMBERS);
    fuzz_require(sembed_context_create(&context, &error) == SEMBED_OK);
    sembed_status status =
        info.labels ? sembed_score(model, context, text, &text, 1, 0, NULL, vector, &error)
                    : sembed_embed(model, context, &text, 1, NULL, NULL, vector, &error);
    fuzz_require(status == SEMBED_OK);
    sembed_context_destroy(context);
}

/* The image's file name, which the cache chose. */
static void find_image(struct victim *victim)
{
    DIR *folder = opendir(victim->cache);
    const struct dirent *entry;
    fuzz_require(folder != NULL);
    while ((entry = readdir(folder))) {
        size_t length = strlen(entry->d_name);
        if (length > 6 && strcmp(entry->d_name + length - 6, ".image") == 0)
            snprintf(victim->name, sizeof victim->name, "%s", entry->d_name);
    }
    closedir(folder);
    fuzz_require(victim->name[0]);
}

static void prepare(struct victim *victim)
{
    struct sembed_model *model = NULL;
    sembed_error notice = {0};
    snprintf(victim->folder, sizeof victim->folder, "%s/%s", fixtures_folder(), victim->fixture);
    victim->cache = fuzz_folder();
    fuzz_require(load(victim, &model, &notice) == SEMBED_OK && notice.code == SEMBED_OK);
    compute(model, victim->vector);
    model_free(model);
    find_image(victim);
    victim->bytes = folder_read(victim->cache, victim->name, &victim->size);
}

/* As image.c lays them out: 40 bytes, four sections of offset, size and checksum, and the checksum of
 * all that. */
static void repair_checksums(unsigned char *bytes, size_t size)
{
    const size_t sections = 40, entry_size = 24, count = 4, end = sections + count * entry_size;
    if (size < end + 8)
        return;
    uint64_t whole = size, sum;
    memcpy(bytes + 24, &whole, sizeof whole);
    for (size_t i = 0; i < count; i++) {
        uint64_t place[2];
        unsigned char *entry = bytes + sections + i * entry_size;
        memcpy(place, entry, sizeof place);
        if (place[0] > size || place[1] > size - place[0])
            continue;
        sum = XXH3_64bits(bytes + place[0], place[1]);
        memcpy(entry + 16, &sum, sizeof sum);
    }
    sum = XXH3_64bits(bytes, end);
    memcpy(bytes + end, &sum, sizeof sum);
}

static size_t number_of_24_bits(const uint8_t *bytes)
{
    return (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16;
}

/* Returns the size of what is left. */
static size_t change(unsigned char *bytes, size_t size, struct fuzz_input *input)
{
    for (; input->size >= 4; input->data += 4, input->size -= 4)
        bytes[number_of_24_bits(input->data) % size] = input->data[3];
    return input->size == 3 ? number_of_24_bits(input->data) % size : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    unsigned choice = fuzz_take_byte(&input);
    struct victim *victim = &victims[choice / 2 % VICTIMS];
    if (!victim->bytes)
        prepare(victim);
    unsigned char *bytes = memory_alloc(victim->size);
    memcpy(bytes, victim->bytes, victim->size);
    size_t length = change(bytes, victim->size, &input);
    if (choice % 2)
        repair_checksums(bytes, length);
    folder_write(victim->cache, victim->name, bytes, length);
    memory_free(bytes);

    struct sembed_model *model = NULL;
    sembed_error notice = {0};
    float vector[MOST_NUMBERS];
    if (load(victim, &model, &notice) == SEMBED_OK && choice % 2 == 0) {
        compute(model, vector);
        fuzz_require(memcmp(vector, victim->vector, sizeof vector) == 0);
    }
    model_free(model);
    return 0;
}
