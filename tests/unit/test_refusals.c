/*
 * What a model's folder may not say: one line for each sentence that is said about it. The first table
 * edits a fixture; the second gives a component to a tokenizer.json that is otherwise as small as can be.
 */
#include "core/text/tokenizer.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ------------------------------------------------------------------------------- the model's files */

struct edit {
    const char *fixture, *file, *old, *new; /* old NULL: the whole file */
    sembed_status status;
    const char *message;
};

#define PROMPTS "config_sentence_transformers.json"

static const struct edit edits[] = {
    {"tiny-bert", PROMPTS, NULL, "{\"prompts\": [1]}", SEMBED_MALFORMED,
     "key 'prompts': expected an object, found an array"},
    {"tiny-bert", PROMPTS, NULL, "{\"prompts\": {\"query\": true}}", SEMBED_MALFORMED,
     "key 'query': expected a string, found a boolean"},
    {"tiny-bert", PROMPTS, NULL, "{\"truncate_dim\": \"many\"}", SEMBED_MALFORMED,
     "key 'truncate_dim'"},
    {"tiny-bert", PROMPTS, NULL, "{\"similarity_fn_name\": \"hamming\"}", SEMBED_UNSUPPORTED,
     "expected cosine, dot, euclidean or manhattan, found 'hamming'"},
    {"tiny-bert", "modules.json", "models.Transformer", "models.CLIPModel", SEMBED_UNSUPPORTED,
     "first module: expected Transformer, found 'CLIPModel'"},
    {"tiny-bert", "modules.json", "\"path\": \"1_Pooling\"", "\"path\": 1", SEMBED_MALFORMED,
     "key 'path'"},
    {"tiny-bert", "modules.json", NULL,
     "[{\"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"}]",
     SEMBED_UNSUPPORTED, "modules.json: expected a Pooling module, found none"},
    {"tiny-bert", "1_Pooling/config.json", NULL, "{\"pooling_mode\": [\"mean\", 1]}",
     SEMBED_MALFORMED, "expected a name or a list of names, found an integer"},
    {"tiny-bert", "1_Pooling/config.json", NULL,
     "{\"pooling_mode\": [\"max\", \"max\", \"max\", \"max\", \"max\", \"max\", \"max\"]}",
     SEMBED_UNSUPPORTED, "key 'pooling_mode': expected at most 6 modes"},
    {"tiny-bert", "config.json", "1e-12", "1.5", SEMBED_MALFORMED,
     "key 'layer_norm_eps': expected 0 to 1, found 1.5"},
    {"cross-bert", "config.json", "\"id2label\"", "\"num_labels\": 0, \"id2label\"",
     SEMBED_MALFORMED, "key 'num_labels': expected at least 1, found 0"},
    {"cross-bert", "config.json", "\"id2label\"",
     "\"sbert_ce_default_activation_function\": \"torch.nn.Softmax\", \"id2label\"",
     SEMBED_UNSUPPORTED, "activation of the scores: expected Identity, Sigmoid"},
    {"cross-bert", "config.json", "\"id2label\"",
     "\"sentence_transformers\": {\"activation_fn\": 1}, \"id2label\"", SEMBED_MALFORMED,
     "key 'activation_fn'"},
    {"dense-tanh", "2_Dense/config.json", "modules.activation.Tanh", "Softplus", SEMBED_UNSUPPORTED,
     "key 'activation_function': expected Identity, Tanh"},
    {"dense-tanh", "2_Dense/config.json", "true", "true, \"use_residual\": true",
     SEMBED_UNSUPPORTED, "without residual"},
    {"dense-tanh", "2_Dense/config.json", "true", "3", SEMBED_MALFORMED, "key 'bias'"},
    {"dense-tanh", "2_Dense/config.json", "\"in_features\": 16", "\"in_features\": 17",
     SEMBED_MALFORMED, "key 'in_features': expected 16, found 17"},
    {"dense-tanh", "2_Dense/config.json", "\"out_features\": 10", "\"out_features\": 11",
     SEMBED_MALFORMED, "expected shape [11, 16], found [10, 16]"},
    {"tiny-bert", "tokenizer_config.json", NULL, "[]", SEMBED_MALFORMED,
     "tokenizer_config.json: expected an object, found an array"},
};

static sembed_status load_edited(const struct edit *edit, sembed_error *error)
{
    sembed_registry *registry;
    char *folder = folder_copy_fixture(edit->fixture);
    if (edit->old)
        folder_edit(folder, edit->file, edit->old, edit->new);
    else
        folder_write_text(folder, edit->file, edit->new);
    assert_ok(sembed_registry_create(NULL, &registry, error), *error);
    sembed_status status = sembed_registry_load(registry, "edited", folder, NULL, error);
    sembed_registry_destroy(registry);
    folder_remove(folder);
    return status;
}

static void files_of_a_model_are_refused_in_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(edits); i++) {
        sembed_error error = {0};
        assert_fails(load_edited(&edits[i], &error), edits[i].status, error, edits[i].message);
    }
}

/* Loads the folder, and embeds a text. */
static sembed_status embed(sembed_registry *registry, const char *folder, const char *text,
                           sembed_error *error)
{
    const sembed_text read = {text, strlen(text)};
    const sembed_model *model;
    sembed_context *context;
    float vector[64];
    assert_ok(sembed_registry_load(registry, "edited", folder, NULL, error), *error);
    assert_ok(sembed_registry_acquire(registry, "edited", NULL, &model, error), *error);
    assert_ok(sembed_context_create(&context, error), *error);
    sembed_status status = sembed_embed(model, context, &read, 1, NULL, NULL, vector, error);
    sembed_context_destroy(context);
    return status;
}

/* As with the reference, a token without an embedding is an error where a text comes upon it, not before;
 * also where the model comes from its image. */
static void tokens_without_an_embedding_are_named(void **state)
{
    (void)state;
    char *folder = folder_copy_fixture("tiny-bert"), *cache = folder_create(), expected[512];
    folder_edit(folder, "tokenizer.json", "\"mountain\":475", "\"mountain\":720");
    snprintf(expected, sizeof expected,
             "%s: the tokenizer's token 'mountain' has id 720: expected less than the 720 rows",
             folder);
    for (int images = 0; images < 3; images++) {
        sembed_registry *registry;
        sembed_error error = {0};
        assert_ok(sembed_registry_create(NULL, &registry, &error), error);
        assert_ok(
            sembed_registry_set_cache(registry, images ? cache : NULL, SEMBED_CACHE_LIMIT, &error),
            error);
        assert_ok(embed(registry, folder, "music", &error), error);
        assert_fails(embed(registry, folder, "music mountain", &error), SEMBED_MALFORMED, error,
                     expected);
        sembed_registry_destroy(registry);
    }
    folder_remove(folder);
    folder_remove(cache);
}

/* ------------------------------------------------------------------------------- tokenizer.json */

/* Opens a folder with nothing but that. */
static sembed_status open_text(const char *text, sembed_error *error)
{
    struct tokenizer *tokenizer = NULL;
    char *folder = folder_create();
    folder_write_text(folder, "tokenizer.json", text);
    sembed_status status = tokenizer_open(folder, NULL, &tokenizer, error);
    tokenizer_close(tokenizer);
    folder_remove(folder);
    return status;
}

/* Opens {"model": {…}, <part>}. */
static sembed_status open_with(const char *part, sembed_error *error)
{
    static const char model[] =
        "{\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", "
        "\"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100, "
        "\"vocab\": {\"[UNK]\": 0, \"a\": 1}}, %s}";
    char text[8192];
    assert_true((size_t)snprintf(text, sizeof text, model, part) < sizeof text);
    return open_text(text, error);
}

static const struct {
    const char *part;
    sembed_status status;
    const char *message;
} parts[] = {
    {"\"added_tokens\": {}", SEMBED_MALFORMED, "key 'added_tokens': expected an array"},
    {"\"added_tokens\": [{\"id\": 1}]", SEMBED_MALFORMED, "key 'content': expected a string"},
    {"\"truncation\": {\"direction\": \"Up\"}", SEMBED_UNSUPPORTED,
     "key 'direction': expected Left or Right, found 'Up'"},
    {"\"truncation\": {\"direction\": 1}", SEMBED_MALFORMED, "key 'direction'"},
    {"\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": {}}", SEMBED_MALFORMED,
     "key 'normalizers': expected an array, found an object"},
    {"\"normalizer\": {\"type\": null}", SEMBED_MALFORMED,
     "key 'type': expected a string, found nothing"},
    {"\"normalizer\": {\"type\": \"Prepend\", \"prepend\": true}", SEMBED_MALFORMED,
     "key 'prepend': expected a string, found a boolean"},
    {"\"normalizer\": {\"type\": \"Replace\", \"pattern\": \"a\", \"content\": \"\"}",
     SEMBED_MALFORMED, "key 'pattern': expected a String or a Regex"},
    {"\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": "
     "\"last\"}",
     SEMBED_UNSUPPORTED, "key 'prepend_scheme': 'last' is not supported"},
    {"\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\", \"add_prefix_space\": "
     "false}",
     SEMBED_MALFORMED, "false does not go with prepend_scheme 'always'"},
    {"\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\", \"prepend_scheme\": 1}",
     SEMBED_MALFORMED, "key 'prepend_scheme'"},
    {"\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": 1}", SEMBED_MALFORMED,
     "key 'single': expected an array, found an integer"},
    {"\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{}], \"pair\": []}",
     SEMBED_MALFORMED, "expected a SpecialToken or a Sequence"},
    {"\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": "
     "1}}], "
     "\"pair\": []}",
     SEMBED_MALFORMED, "key 'id'"},
    {"\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": "
     "\"B\"}}], \"pair\": []}",
     SEMBED_MALFORMED, "expected sequence A, found 'B'"},
    {"\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [], \"pair\": "
     "[{\"Sequence\": "
     "{\"id\": \"C\"}}]}",
     SEMBED_MALFORMED, "expected sequence A or B, found 'C'"},
    {"\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"Sequence\": {\"id\": "
     "\"A\", "
     "\"type_id\": 256}}], \"pair\": []}",
     SEMBED_LIMIT, "token type 256 is over 255"},
    {"\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": "
     "{\"id\": "
     "\"x\"}}], \"pair\": []}",
     SEMBED_MALFORMED, "special_tokens has no ids for 'x'"},
    {"\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": "
     "{\"id\": "
     "\"x\"}}], \"pair\": [], \"special_tokens\": {\"x\": {\"ids\": [-1]}}}",
     SEMBED_MALFORMED, "key 'ids': expected a token id"},
    {"\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"a\"], \"cls\": [\"a\", 1]}",
     SEMBED_MALFORMED, "key 'sep': expected a token and its id"},
    {"\"post_processor\": {\"type\": \"Sequence\", \"processors\": [{\"type\": \"BertProcessing\", "
     "\"sep\": [\"a\", 1], \"cls\": [\"a\", 1]}, {\"type\": \"BertProcessing\", \"sep\": [\"a\", "
     "1], "
     "\"cls\": [\"a\", 1]}]}",
     SEMBED_UNSUPPORTED, "'BertProcessing' behind another that adds tokens"},
};

static void parts_of_a_tokenizer_are_refused_in_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(parts); i++) {
        sembed_error error = {0};
        assert_fails(open_with(parts[i].part, &error), parts[i].status, error, parts[i].message);
    }
    sembed_error error = {0};
    assert_ok(open_with("\"normalizer\": null", &error), error);
}

/* A list in a list in a list: there is a depth beyond which it is none of a tokenizer. */
static void sequences_have_a_depth(void **state)
{
    (void)state;
    sembed_error error = {0};
    char part[4096] = "\"normalizer\": ";
    enum { DEPTH = 40 };
    for (size_t i = 0; i < DEPTH; i++)
        strcat(part, "{\"type\": \"Sequence\", \"normalizers\": [");
    for (size_t i = 0; i < DEPTH; i++)
        strcat(part, "]}");
    assert_fails(open_with(part, &error), SEMBED_LIMIT, error, "key 'normalizer': nested over");
}

#define HAN     "\xE4\xBA\xAC"
#define TEN_HAN HAN HAN HAN HAN HAN HAN HAN HAN HAN HAN

/* Large members are read piece by piece, not as a tree; what is wrong in them is named as well. */
static const struct {
    const char *text;
    sembed_status status;
    const char *message;
} models[] = {
    {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0 \"b\": 1}, \"merges\": []}}",
     SEMBED_MALFORMED, "key 'vocab': expected the end of the object, found '\"b\": 1}'"},
    {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, "
     "\"merges\": [\"a b\" \"a b\"]}}",
     SEMBED_MALFORMED, "key 'merges': expected the end of the array, found '\"a b\"]'"},
    {"{\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"a\", 0] [\"b\", 0]]}}",
     SEMBED_MALFORMED, "key 'vocab': expected the end of the array, found '[\"b\", 0]]'"},
    {"{\"pre_tokenizer\": {\"type\": \"ByteLevel\"}, \"model\": {\"type\": \"BPE\", "
     "\"continuing_subword_prefix\": \"\xE2\x82\xAC\", \"vocab\": {\"a\": 0, \"b\": 1}, "
     "\"merges\": []}}",
     SEMBED_UNSUPPORTED, "characters that stand for no byte"},
    {"{\"pre_tokenizer\": {\"type\": \"Split\", \"behavior\": \"Isolated\", "
     "\"pattern\": {\"Regex\": \"[[:foo:]]\"}}, "
     "\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"a\", \"vocab\": {\"a\": 0}}}",
     SEMBED_UNSUPPORTED, "regular expression '[[:foo:]]': unknown POSIX class name"},
    /* What is shown of the file ends between two characters. */
    {"{\"model\": {\"type\": \"WordPiece\", \"unk_token\": \"a\", \"vocab\": "
     "[\"a\", \"" TEN_HAN TEN_HAN TEN_HAN "\"]}}",
     SEMBED_MALFORMED,
     "key 'vocab': expected an object, found '[\"a\", \"" TEN_HAN "\xE4\xBA\xAC'"},
};

static void models_of_a_tokenizer_are_refused_in_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(models); i++) {
        sembed_error error = {0};
        assert_fails(open_text(models[i].text, &error), models[i].status, error, models[i].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_a_model_are_refused_in_words),
        cmocka_unit_test(tokens_without_an_embedding_are_named),
        cmocka_unit_test(parts_of_a_tokenizer_are_refused_in_words),
        cmocka_unit_test(models_of_a_tokenizer_are_refused_in_words),
        cmocka_unit_test(sequences_have_a_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
