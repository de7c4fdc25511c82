/*
 * A model folder of which one file is any bytes: the first byte says which of these files, the rest is
 * what stands in it. What loads is used.
 */
#include "core/base/memory.h"
#include "core/model/compiled.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/folder.h"

#include <math.h>
#include <stdlib.h>

/* In the order that make_seeds.py has too. */
static const struct {
    const char *fixture, *file;
} files[] = {
    {"tiny-bert", "config.json"},
    {"roberta", "config.json"},
    {"mpnet", "config.json"},
    {"electra", "config.json"},
    {"cross-distilbert", "config.json"},
    {"tiny-bert", "modules.json"},
    {"dense-chain", "modules.json"},
    {"tiny-bert", "1_Pooling/config.json"},
    {"pooling-saved", "1_Pooling/config.json"},
    {"dense-chain", "2_Dense/config.json"},
    {"dense-chain", "2_Dense/model.safetensors"},
    {"tiny-bert", "sentence_bert_config.json"},
    {"prompts", "config_sentence_transformers.json"},
    {"cross-xlm-roberta", "config_sentence_transformers.json"},
    {"tokenizer-config", "tokenizer_config.json"},
    {"xlm-roberta-model", "tokenizer_config.json"},
    {"distilbert", "special_tokens_map.json"},
};
#define FILES (sizeof files / sizeof *files)

static void embed(const struct sembed_model *model, sembed_context *context)
{
    static const char *const roles[] = {NULL, "query", "none"};
    const sembed_text texts[] = {{"a river, naïve \xFF", 17}, {"", 0}};
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const sembed_options options = {.prompt_name = roles[i]};
        sembed_error error = {0};
        size_t dimensions = 0;
        sembed_status status = sembed_dimensions(model, &options, &dimensions, &error);
        fuzz_check_status(status, &error);
        if (status != SEMBED_OK)
            continue;
        float *vectors = memory_calloc(2 * dimensions, sizeof *vectors);
        fuzz_require(vectors != NULL);
        status = sembed_embed(model, context, texts, 2, &options, NULL, vectors, &error);
        fuzz_check_status(status, &error);
        memory_free(vectors);
    }
}

static void score(const struct sembed_model *model, sembed_context *context, size_t labels)
{
    const sembed_text query = {"a river", 7}, document = {"water and stones", 16};
    sembed_error error = {0};
    float *scores = memory_calloc(labels, sizeof *scores);
    fuzz_require(scores != NULL);
    fuzz_check_status(sembed_score(model, context, query, &document, 1, 0, NULL, scores, &error),
                      &error);
    memory_free(scores);
}

static void use(const struct sembed_model *model)
{
    sembed_context *context = NULL;
    sembed_model_info info;
    sembed_error error = {0};
    sembed_model_describe(model, &info);
    fuzz_require(info.similarity && info.architecture);
    fuzz_require(sembed_context_create(&context, &error) == SEMBED_OK);
    if (info.labels)
        score(model, context, info.labels);
    else
        embed(model, context);
    sembed_context_destroy(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *folders[FILES];
    struct fuzz_input input = {data, size};
    size_t which = fuzz_take_byte(&input) % FILES;
    if (!folders[which])
        folders[which] = fuzz_fixture(files[which].fixture);
    folder_write(folders[which], files[which].file, input.data, input.size);
    struct sembed_model *model = NULL;
    const struct image_settings no_image = {0};
    sembed_error error = {0}, notice = {0};
    sembed_status status = compiled_load("fuzz", folders[which], PRECISION_F32, &no_image, NULL,
                                         &model, &notice, &error);
    fuzz_check_status(status, &error);
    if (status == SEMBED_OK)
        use(model);
    model_free(model);
    return 0;
}
