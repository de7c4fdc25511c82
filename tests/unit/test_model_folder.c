/* A model's folder and the registry: what loads, what is refused with which words, and that the
 * registry goes on working afterwards. */
#include "core/base/file.h"
#include "core/base/memory.h"
#include "tests/unit/folder.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURE    "tiny-bert"
#define DIMENSIONS 24

static sembed_registry *registry;

static int create_registry(void **state)
{
    (void)state;
    sembed_error error = {0};
    assert_ok(sembed_registry_create(fixtures_folder(), &registry, &error), error);
    return 0;
}

static int destroy_registry(void **state)
{
    (void)state;
    sembed_registry_destroy(registry);
    return 0;
}

/* One vector of a model; NULL name: the default. */
static sembed_status embed_one(const char *name, const char *text, float *vector,
                               sembed_error *error)
{
    const sembed_model *model;
    sembed_context *context = NULL;
    sembed_text input = {text, strlen(text)};
    sembed_status status = sembed_registry_acquire(registry, name, NULL, &model, error);
    if (status == SEMBED_OK)
        status = sembed_context_create(&context, error);
    if (status == SEMBED_OK)
        status = sembed_embed(model, context, &input, 1, NULL, NULL, vector, error);
    sembed_context_destroy(context);
    return status;
}

/* Loads the folder, which must fail so; the fixture must still load and embed. */
static void assert_refused(char *folder, sembed_status expected, const char *message)
{
    sembed_error error = {0};
    assert_fails(sembed_registry_load(registry, "broken", folder, NULL, &error), expected, error,
                 message);
    folder_remove(folder);
    float vector[DIMENSIONS];
    const sembed_model *model;
    assert_int_equal(sembed_registry_acquire(registry, "broken", NULL, &model, &error),
                     SEMBED_NOT_FOUND);
    assert_ok(embed_one(FIXTURE, "still here", vector, &error), error);
}

static void models_are_described(void **state)
{
    (void)state;
    const sembed_model *model, *again;
    sembed_model_info info;
    sembed_error error = {0};
    assert_ok(sembed_registry_acquire(registry, FIXTURE, NULL, &model, &error), error);
    assert_ok(sembed_registry_acquire(registry, FIXTURE, NULL, &again, &error), error);
    assert_ptr_equal(model, again);
    sembed_model_describe(model, &info);
    assert_string_equal(info.name, FIXTURE);
    assert_string_equal(info.architecture, "bert");
    assert_string_equal(info.similarity, "cosine");
    assert_int_equal(info.dimensions, DIMENSIONS);
    assert_int_equal(info.labels, 0);
    assert_int_equal(info.layers, 2);
    assert_int_equal(info.max_tokens, 64);
}

static void broken_folders_are_named_with_their_cause(void **state)
{
    (void)state;
    char *folder = folder_copy_fixture(FIXTURE);
    folder_delete(folder, "model.safetensors");
    assert_refused(folder, SEMBED_NOT_FOUND, "/model.safetensors");

    folder = folder_copy_fixture(FIXTURE);
    folder_delete(folder, "config.json");
    assert_refused(folder, SEMBED_NOT_FOUND, "/config.json");

    folder = folder_copy_fixture(FIXTURE);
    folder_delete(folder, "tokenizer.json");
    folder_delete(folder, "tokenizer_config.json");
    assert_refused(folder, SEMBED_NOT_FOUND, "tokenizer.json");

    folder = folder_copy_fixture(FIXTURE);
    folder_edit(folder, "config.json", "\"bert\"", "\"gpt2\"");
    assert_refused(folder, SEMBED_UNSUPPORTED, "found 'gpt2'");

    folder = folder_copy_fixture(FIXTURE);
    folder_edit(folder, "config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    assert_refused(folder, SEMBED_MALFORMED, "tensor 'encoder.layer.2.");

    folder = folder_copy_fixture(FIXTURE);
    folder_edit(folder, "config.json", "\"intermediate_size\": 60", "\"intermediate_size\": 61");
    assert_refused(folder, SEMBED_MALFORMED, "expected shape [61, 24], found [60, 24]");
}

static void modules_outside_what_is_known_are_refused(void **state)
{
    (void)state;
    char *folder = folder_copy_fixture(FIXTURE);
    folder_edit(folder, "modules.json", "models.Normalize", "models.LayerNorm");
    assert_refused(folder, SEMBED_UNSUPPORTED, "found 'LayerNorm'");

    folder = folder_copy_fixture(FIXTURE);
    folder_edit(folder, "modules.json", "1_Pooling", "../1_Pooling");
    assert_refused(folder, SEMBED_MALFORMED, "found '../1_Pooling'");

    folder = folder_copy_fixture(FIXTURE);
    folder_edit(folder, "modules.json", "1_Pooling", "/etc");
    assert_refused(folder, SEMBED_MALFORMED, "found '/etc'");

    folder = folder_copy_fixture(FIXTURE);
    folder_write_text(folder, "modules.json", "[]");
    assert_refused(folder, SEMBED_MALFORMED, "expected a list of 1 to");

    folder = folder_copy_fixture(FIXTURE);
    folder_write_text(folder, "1_Pooling/config.json", "{\"pooling_mode\": \"median\"}");
    assert_refused(folder, SEMBED_UNSUPPORTED, "found 'median'");

    folder = folder_copy_fixture(FIXTURE);
    folder_write_text(folder, "1_Pooling/config.json", "{\"embedding_dimension\": 47}");
    assert_refused(folder, SEMBED_MALFORMED, "expected the encoder's 24, found 47");
}

/* Cut at any length, the weights are refused: no tensor may lie outside the file. */
static void truncated_weights_are_refused_at_every_length(void **state)
{
    (void)state;
    sembed_error error = {0};
    char *folder = folder_copy_fixture(FIXTURE);
    size_t size;
    char *weights = folder_read(folder, "model.safetensors", &size);
    for (size_t kept = 0; kept < size; kept += kept < 64 ? 1 : 997) {
        folder_write(folder, "model.safetensors", weights, kept);
        sembed_status status = sembed_registry_load(registry, "cut", folder, NULL, &error);
        assert_fails(status, SEMBED_MALFORMED, error, "model.safetensors");
    }
    folder_write(folder, "model.safetensors", weights, size);
    assert_ok(sembed_registry_load(registry, "cut", folder, NULL, &error), error);
    free(weights);
    folder_remove(folder);
}

static void a_plain_transformer_is_averaged(void **state)
{
    (void)state;
    sembed_error error = {0};
    float normalized[DIMENSIONS], plain[DIMENSIONS];
    char *folder = folder_copy_fixture(FIXTURE);
    folder_delete(folder, "modules.json");
    assert_ok(sembed_registry_load(registry, "plain", folder, NULL, &error), error);
    assert_ok(embed_one(FIXTURE, "a small house", normalized, &error), error);
    assert_ok(embed_one("plain", "a small house", plain, &error), error);
    assert_true(sembed_cos_sim(normalized, plain, DIMENSIONS) > 0.999999);
    assert_true(plain[0] != normalized[0]);
    folder_remove(folder);
}

/* What encode() does with a folder's truncate_dim; asked for, a cut is normalised again. */
static void the_folders_own_cut_is_not_normalised_again(void **state)
{
    (void)state;
    sembed_error error = {0};
    float by_folder[10], asked[10];
    const sembed_model *model;
    sembed_context *context;
    const sembed_text text = {"river", 5};
    const sembed_options options = {.dims = 10};
    assert_ok(sembed_registry_acquire(registry, "truncate-dim", NULL, &model, &error), error);
    assert_ok(sembed_context_create(&context, &error), error);
    assert_ok(sembed_embed(model, context, &text, 1, NULL, NULL, by_folder, &error), error);
    assert_ok(sembed_embed(model, context, &text, 1, &options, NULL, asked, &error), error);
    assert_true(sembed_dot_score(by_folder, by_folder, 10) < 0.99);
    assert_true(sembed_dot_score(asked, asked, 10) > 0.99999);
    assert_true(sembed_cos_sim(by_folder, asked, 10) > 0.999999);
    sembed_context_destroy(context);
}

static void a_default_prompt_must_exist(void **state)
{
    (void)state;
    char *folder = folder_copy_fixture("prompts");
    char *config = folder_read(folder, "config_sentence_transformers.json", NULL);
    char *name = strstr(config, "\"default_prompt_name\": \"");
    assert_non_null(name);
    name[strlen("\"default_prompt_name\": \"")] = 'X';
    folder_write_text(folder, "config_sentence_transformers.json", config);
    free(config);
    assert_refused(folder, SEMBED_MALFORMED, "key 'default_prompt_name': expected one of its");
}

static void names_are_no_paths(void **state)
{
    (void)state;
    static const char *const names[] = {"", ".", "..", ".hidden", "a/b", "/etc", ("../" FIXTURE)};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const sembed_model *model;
        sembed_error error = {0};
        assert_fails(sembed_registry_acquire(registry, names[i], NULL, &model, &error),
                     SEMBED_INVALID_ARGUMENT, error, "expected the name of a folder");
        assert_null(model);
        assert_fails(sembed_registry_load(registry, names[i], fixtures_folder(), NULL, &error),
                     SEMBED_INVALID_ARGUMENT, error, "expected the name of a folder");
    }
}

static void unknown_names_list_those_that_exist(void **state)
{
    (void)state;
    const sembed_model *model;
    sembed_error error = {0};
    assert_fails(sembed_registry_acquire(registry, "no-such", NULL, &model, &error),
                 SEMBED_NOT_FOUND, error, "model 'no-such' is not found; there are: bert-saved, ");
}

/* Names are listed whole, however long the list and each of them. */
static void a_long_list_of_names_ends_between_two(void **state)
{
    (void)state;
    char *parent = folder_create(), *model_folder = folder_copy_fixture(FIXTURE);
    char target[512], name[201], expected[512];
    sembed_error error = {0};
    sembed_registry *own;
    const sembed_model *model;
    assert_ok(sembed_registry_create("", &own, &error), error);
    for (int i = 0; i < 100; i++) {
        snprintf(target, sizeof target, "model-%02d", i);
        assert_ok(sembed_registry_load(own, target, model_folder, NULL, &error), error);
    }
    size_t used = 0;
    for (int i = 0; i < 22; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%smodel-%02d",
                                 i ? ", " : "", i);
    snprintf(expected + used, sizeof expected - used, " and 78 more");
    assert_fails(sembed_registry_acquire(own, "no-such", NULL, &model, &error), SEMBED_NOT_FOUND,
                 error, expected);
    assert_fails(sembed_registry_acquire(own, NULL, NULL, &model, &error), SEMBED_NOT_FOUND, error,
                 expected);
    sembed_registry_destroy(own);

    assert_ok(sembed_registry_create("", &own, &error), error);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_ok(sembed_registry_load(own, name, model_folder, NULL, &error), error);
    assert_ok(sembed_registry_load(own, "z", model_folder, NULL, &error), error);
    snprintf(expected, sizeof expected, "there are: %s, z", name);
    assert_fails(sembed_registry_acquire(own, "no-such", NULL, &model, &error), SEMBED_NOT_FOUND,
                 error, expected);
    sembed_registry_destroy(own);
    folder_remove(model_folder);
    folder_remove(parent);
}

/* One model on the path is the default; none or two are an error that says so. */
static void the_only_model_is_the_default(void **state)
{
    (void)state;
    sembed_registry *own;
    sembed_error error = {0};
    const sembed_model *model;
    char *parent = folder_create(), *first = folder_copy_fixture(FIXTURE);
    char *second = folder_copy_fixture(FIXTURE), path[512], target[512];
    snprintf(path, sizeof path, "/no/such/folder:%s:", parent);
    assert_ok(sembed_registry_create(path, &own, &error), error);
    assert_fails(sembed_registry_acquire(own, NULL, NULL, &model, &error), SEMBED_NOT_FOUND, error,
                 "no model is found; the model path is /no/such/folder");

    snprintf(target, sizeof target, "%s/one", parent);
    assert_int_equal(rename(first, target), 0);
    free(first);
    assert_ok(sembed_registry_acquire(own, NULL, NULL, &model, &error), error);
    sembed_model_info info;
    sembed_model_describe(model, &info);
    assert_string_equal(info.name, "one");
    assert_string_equal(info.folder, target);
    const sembed_model *again;
    assert_ok(sembed_registry_acquire(own, NULL, NULL, &again, &error), error);
    assert_ptr_equal(again, model);

    assert_ok(sembed_registry_load(own, "two", second, NULL, &error), error);
    assert_fails(sembed_registry_acquire(own, NULL, NULL, &model, &error), SEMBED_NOT_FOUND, error,
                 "there are several: one, two");
    sembed_listing listing;
    assert_ok(sembed_registry_list(own, &listing, &error), error);
    assert_int_equal(listing.count, 2);
    assert_string_equal(listing.entries[0].name, "one");
    assert_non_null(listing.entries[1].model);
    sembed_listing_free(&listing);
    sembed_registry_destroy(own);
    folder_remove(second);
    folder_remove(parent);
}

static void another_path_finds_other_models(void **state)
{
    (void)state;
    sembed_registry *own;
    sembed_error error = {0};
    const sembed_model *model, *kept;
    char *empty = folder_create();
    assert_ok(sembed_registry_create(fixtures_folder(), &own, &error), error);
    assert_ok(sembed_registry_acquire(own, FIXTURE, NULL, &model, &error), error);
    assert_ok(sembed_registry_set_path(own, empty, &error), error);
    assert_fails(sembed_registry_acquire(own, FIXTURE, NULL, &kept, &error), SEMBED_NOT_FOUND,
                 error, FIXTURE);
    sembed_model_info info; /* the model itself is still valid */
    sembed_model_describe(model, &info);
    assert_string_equal(info.name, FIXTURE);
    sembed_registry_destroy(own);
    folder_remove(empty);
}

static void loading_and_embedding_can_be_canceled(void **state)
{
    (void)state;
    struct questions questions = {.stop_at = 1};
    const sembed_poll poll = questions_poll(&questions);
    sembed_error error = {0};
    sembed_registry *own;
    const sembed_model *model;
    sembed_context *context;
    sembed_text text = {"a small house", 13};
    float vector[DIMENSIONS];
    assert_ok(sembed_registry_create(fixtures_folder(), &own, &error), error);
    assert_fails(sembed_registry_acquire(own, FIXTURE, &poll, &model, &error), SEMBED_CANCELED,
                 error, "canceled");
    assert_int_equal(questions.asked, 1);
    assert_ok(sembed_registry_acquire(own, FIXTURE, NULL, &model, &error), error);
    assert_ok(sembed_context_create(&context, &error), error);
    questions.asked = 0;
    assert_fails(sembed_embed(model, context, &text, 1, NULL, &poll, vector, &error),
                 SEMBED_CANCELED, error, "canceled");
    assert_int_equal(questions.asked, 1);
    assert_ok(sembed_embed(model, context, &text, 1, NULL, NULL, vector, &error), error);
    sembed_context_destroy(context);
    sembed_registry_destroy(own);
}

static const sembed_model *acquire(sembed_registry *own, const char *name)
{
    const sembed_model *model;
    sembed_error error = {0};
    assert_ok(sembed_registry_acquire(own, name, NULL, &model, &error), error);
    return model;
}

static void assert_described(const sembed_model *model, const char *name, const char *precision)
{
    sembed_model_info info;
    sembed_model_describe(model, &info);
    assert_string_equal(info.name, name);
    assert_string_equal(info.precision, precision);
}

/* Two precisions of one folder side by side, found on the path and given; "@f32" is the plain name. */
static void precisions_are_models_of_their_own(void **state)
{
    (void)state;
    sembed_registry *own;
    sembed_error error = {0};
    const sembed_model *half, *plain;
    sembed_listing listing;
    assert_ok(sembed_registry_create(fixtures_folder(), &own, &error), error);
    sembed_status status = sembed_registry_acquire(own, FIXTURE "@bf16", NULL, &half, &error);
    if (status == SEMBED_UNSUPPORTED) {
        print_message("skipped: %s\n", error.message);
        sembed_registry_destroy(own);
        skip();
    }
    assert_ok(status, error);
    plain = acquire(own, FIXTURE "@f32");
    assert_ptr_equal(acquire(own, FIXTURE), plain);
    assert_ptr_equal(acquire(own, FIXTURE "@bf16"), half);
    assert_ptr_not_equal(half, plain);
    assert_described(plain, FIXTURE, "f32");
    assert_described(half, FIXTURE "@bf16", "bf16");
    assert_described(acquire(own, FIXTURE "@int8"), FIXTURE "@int8", "int8");
    assert_ok(sembed_registry_list(own, &listing, &error), error);
    size_t found = 0;
    for (size_t i = 0; i < listing.count; i++) {
        bool is_half = strcmp(listing.entries[i].name, FIXTURE "@bf16") == 0;
        found += is_half;
        if (is_half)
            assert_string_equal(listing.entries[i].precision, "bf16");
    }
    assert_int_equal(found, 1);
    sembed_listing_free(&listing);
    sembed_registry_destroy(own);
}

/* The folder says how its vectors are compared, by names of which each has a measure. */
static void similarities_are_those_of_the_folder(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double expected; /* of (1, 2, 2) and (2, 0, 1): the distance's negative, or the product */
    } cases[] = {
        {"cosine", 4 / (3 * 2.23606797749979)},
        {"dot", 4},
        {"euclidean", -2.449489742783178},
        {"manhattan", -4},
    };
    static const float a[3] = {1, 2, 2}, b[3] = {2, 0, 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[64];
        sembed_registry *own;
        sembed_error error = {0};
        char *folder = folder_copy_fixture(FIXTURE);
        snprintf(json, sizeof json, "{\"similarity_fn_name\": \"%s\"}", cases[i].name);
        folder_write_text(folder, "config_sentence_transformers.json", json);
        assert_ok(sembed_registry_create(NULL, &own, &error), error);
        assert_ok(sembed_registry_load(own, "given", folder, NULL, &error), error);
        double found = sembed_similarity(acquire(own, "given"), a, b, 3);
        assert_true(fabs(found - cases[i].expected) < 1e-12);
        sembed_registry_destroy(own);
        folder_remove(folder);
    }
}

/* Trees of folders without end are no model folders: looking for links in them ends somewhere. */
static void endless_folders_are_refused(void **state)
{
    (void)state;
    sembed_registry *own;
    const sembed_model *model;
    sembed_error error = {0};
    char *parent = folder_create(), *folder = path_join(parent, "deep"),
         *path = path_join(folder, "");
    assert_int_equal(mkdir(folder, 0700), 0);
    folder_write_text(folder, "config.json", "{}");
    for (int i = 0; i < 18; i++) {
        char *below = path_join(path, "x");
        memory_free(path);
        path = below;
        assert_int_equal(mkdir(path, 0700), 0);
    }
    assert_ok(sembed_registry_create(parent, &own, &error), error);
    assert_fails(sembed_registry_acquire(own, "deep", NULL, &model, &error), SEMBED_LIMIT, error,
                 "more than 16 folders below one another");
    sembed_registry_destroy(own);
    for (int i = 0; i < 18; i++) {
        assert_int_equal(rmdir(path), 0);
        *strrchr(path, '/') = '\0';
    }
    memory_free(path);
    memory_free(folder);
    folder_remove(parent);
}

/* A given name goes with every precision, and takes all of them along when it is given anew. */
static void given_names_have_precisions_too(void **state)
{
    (void)state;
    sembed_registry *own;
    sembed_error error = {0};
    const sembed_model *half, *again;
    char *first = folder_copy_fixture(FIXTURE), *second = folder_copy_fixture(FIXTURE);
    assert_ok(sembed_registry_create(NULL, &own, &error), error);
    assert_ok(sembed_registry_load(own, "given", first, NULL, &error), error);
    sembed_status status = sembed_registry_acquire(own, "given@bf16", NULL, &half, &error);
    if (status == SEMBED_OK) {
        sembed_model_info info;
        assert_ptr_equal(acquire(own, NULL), acquire(own, "given"));
        assert_ok(sembed_registry_set_path(own, "/nowhere", &error), error);
        assert_ptr_equal(acquire(own, "given@bf16"), half);
        assert_ok(sembed_registry_load(own, "given", second, NULL, &error), error);
        again = acquire(own, "given@bf16");
        sembed_model_describe(again, &info);
        assert_string_equal(info.folder, second);
    } else
        assert_int_equal(status, SEMBED_UNSUPPORTED);
    sembed_registry_destroy(own);
    folder_remove(first);
    folder_remove(second);
}

static void unknown_precisions_list_those_that_exist(void **state)
{
    (void)state;
    const sembed_model *model;
    sembed_error error = {0};
    assert_fails(sembed_registry_acquire(registry, FIXTURE "@int4", NULL, &model, &error),
                 SEMBED_NOT_FOUND, error, "f32, bf16 or int8; found 'int4'");
    assert_fails(sembed_registry_acquire(registry, "@int8", NULL, &model, &error),
                 SEMBED_INVALID_ARGUMENT, error, "model name ''");
    assert_fails(sembed_registry_acquire(registry, "no-such@int8", NULL, &model, &error),
                 SEMBED_NOT_FOUND, error, "model 'no-such' is not found");
    assert_int_equal(setenv("SEMBED_ENGINE", "openblas", 1), 0);
    assert_fails(sembed_registry_acquire(registry, "mpnet@int8", NULL, &model, &error),
                 SEMBED_UNSUPPORTED, error, "precision int8 needs oneDNN");
    unsetenv("SEMBED_ENGINE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_described),
        cmocka_unit_test(broken_folders_are_named_with_their_cause),
        cmocka_unit_test(modules_outside_what_is_known_are_refused),
        cmocka_unit_test(truncated_weights_are_refused_at_every_length),
        cmocka_unit_test(a_plain_transformer_is_averaged),
        cmocka_unit_test(the_folders_own_cut_is_not_normalised_again),
        cmocka_unit_test(a_default_prompt_must_exist),
        cmocka_unit_test(names_are_no_paths),
        cmocka_unit_test(unknown_names_list_those_that_exist),
        cmocka_unit_test(a_long_list_of_names_ends_between_two),
        cmocka_unit_test(the_only_model_is_the_default),
        cmocka_unit_test(another_path_finds_other_models),
        cmocka_unit_test(loading_and_embedding_can_be_canceled),
        cmocka_unit_test(precisions_are_models_of_their_own),
        cmocka_unit_test(similarities_are_those_of_the_folder),
        cmocka_unit_test(endless_folders_are_refused),
        cmocka_unit_test(given_names_have_precisions_too),
        cmocka_unit_test(unknown_precisions_list_those_that_exist),
    };
    return cmocka_run_group_tests_name("model folder", tests, create_registry, destroy_registry);
}
