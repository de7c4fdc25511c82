/* core/model/architecture: config.json of every family, and what is refused. */
#include "core/model/architecture.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define SIZES                                                                                      \
    "\"hidden_size\": 48, \"num_hidden_layers\": 3, \"num_attention_heads\": 4, "                  \
    "\"intermediate_size\": 96, \"max_position_embeddings\": 66, \"vocab_size\": 100"

static sembed_status read_config(const char *text, struct architecture *architecture,
                                 sembed_error *error)
{
    struct json_file file;
    sembed_status status = json_memory_open("config.json", text, strlen(text), &file, error);
    assert_ok(status, *error);
    status = architecture_read(&file, architecture, error);
    json_file_close(&file);
    return status;
}

static void bert_counts_positions_from_zero(void **state)
{
    (void)state;
    struct architecture bert;
    sembed_error error = {0};
    assert_ok(read_config("{\"model_type\": \"bert\", \"hidden_act\": \"gelu_new\", "
                          "\"layer_norm_eps\": 1e-7, " SIZES "}",
                          &bert, &error),
              error);
    assert_int_equal(bert.encoder.hidden_size, 48);
    assert_int_equal(bert.encoder.embedding_size, 48);
    assert_int_equal(bert.encoder.layers, 3);
    assert_int_equal(bert.encoder.heads, 4);
    assert_int_equal(bert.encoder.intermediate_size, 96);
    assert_int_equal(bert.encoder.max_tokens, 66);
    assert_int_equal(bert.encoder.position_offset, 0);
    assert_int_equal(bert.encoder.activation, ACTIVATION_GELU_TANH);
    assert_true(bert.encoder.norm_epsilon == 1e-7f);
    assert_int_equal(bert.vocabulary_size, 100);
    assert_int_equal(bert.labels, 0);
}

static void roberta_counts_positions_behind_the_padding_token(void **state)
{
    (void)state;
    static const char *const types[] = {"roberta", "xlm-roberta", "camembert"};
    for (size_t i = 0; i < 3; i++) {
        char text[512];
        struct architecture roberta;
        sembed_error error = {0};
        snprintf(text, sizeof text, "{\"model_type\": \"%s\", \"pad_token_id\": 1, " SIZES "}",
                 types[i]);
        assert_ok(read_config(text, &roberta, &error), error);
        assert_int_equal(roberta.encoder.max_tokens, 64);
        assert_int_equal(roberta.encoder.position_offset, 2);
        assert_int_equal(roberta.encoder.activation, ACTIVATION_GELU);
    }
}

static void distilbert_has_keys_of_its_own(void **state)
{
    (void)state;
    struct architecture distilbert;
    sembed_error error = {0};
    assert_ok(read_config("{\"model_type\": \"distilbert\", \"dim\": 48, \"n_layers\": 2, "
                          "\"n_heads\": 6, \"hidden_dim\": 99, \"activation\": \"relu\", "
                          "\"max_position_embeddings\": 40, \"vocab_size\": 7}",
                          &distilbert, &error),
              error);
    assert_int_equal(distilbert.encoder.intermediate_size, 99);
    assert_int_equal(distilbert.encoder.activation, ACTIVATION_RELU);
    assert_true(distilbert.encoder.norm_epsilon == 1e-12f);
    assert_null(distilbert.family->names->token_types);
}

static void mpnet_has_relative_positions_and_electra_a_narrow_embedding(void **state)
{
    (void)state;
    struct architecture read;
    sembed_error error = {0};
    assert_ok(read_config("{\"model_type\": \"mpnet\", \"relative_attention_num_buckets\": 16, "
                          "\"pad_token_id\": 1, " SIZES "}",
                          &read, &error),
              error);
    assert_int_equal(read.encoder.relative_buckets, 16);
    assert_int_equal(read.encoder.relative_max_distance, 128);
    assert_int_equal(read.encoder.position_offset, 2);
    assert_ok(read_config("{\"model_type\": \"electra\", \"embedding_size\": 16, " SIZES "}", &read,
                          &error),
              error);
    assert_int_equal(read.encoder.embedding_size, 16);
    assert_int_equal(read.encoder.relative_buckets, 0);
}

static void classifiers_have_as_many_labels_as_they_name(void **state)
{
    (void)state;
    struct architecture read;
    sembed_error error = {0};
    assert_ok(read_config("{\"model_type\": \"bert\", " SIZES ", \"architectures\": "
                          "[\"BertForSequenceClassification\"], "
                          "\"id2label\": {\"0\": \"LABEL_0\"}}",
                          &read, &error),
              error);
    assert_int_equal(read.labels, 1);
    assert_ok(read_config("{\"model_type\": \"bert\", " SIZES ", \"architectures\": "
                          "[\"BertForSequenceClassification\"]}",
                          &read, &error),
              error);
    assert_int_equal(read.labels, 2);
    assert_ok(read_config("{\"model_type\": \"bert\", " SIZES ", \"architectures\": "
                          "[\"BertForMaskedLM\"], \"id2label\": {\"0\": \"LABEL_0\"}}",
                          &read, &error),
              error);
    assert_int_equal(read.labels, 0);
}

static void configs_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        sembed_status status;
        const char *message;
    } cases[] = {
        {"{" SIZES "}", SEMBED_MALFORMED, "key 'model_type': expected a string, found nothing"},
        {"[]", SEMBED_MALFORMED, "model_type"},
        {"{\"model_type\": \"llama\", " SIZES "}", SEMBED_UNSUPPORTED, "found 'llama'"},
        {"{\"model_type\": \"bert\"}", SEMBED_MALFORMED, "key 'hidden_size'"},
        {"{\"model_type\": \"bert\", " SIZES ", \"num_attention_heads\": 5}", SEMBED_MALFORMED,
         "expected a divisor of hidden_size 48, found 5"},
        {"{\"model_type\": \"bert\", " SIZES ", \"num_hidden_layers\": 0}", SEMBED_MALFORMED,
         "key 'num_hidden_layers'"},
        {"{\"model_type\": \"bert\", " SIZES ", \"intermediate_size\": 1099511627776}",
         SEMBED_MALFORMED, "found 1099511627776"},
        {"{\"model_type\": \"bert\", " SIZES ", \"hidden_act\": \"quick_gelu\"}",
         SEMBED_UNSUPPORTED, "found 'quick_gelu'"},
        {"{\"model_type\": \"bert\", " SIZES ", \"position_embedding_type\": \"relative_key\"}",
         SEMBED_UNSUPPORTED, "found 'relative_key'"},
        {"{\"model_type\": \"bert\", " SIZES ", \"layer_norm_eps\": \"small\"}", SEMBED_MALFORMED,
         "key 'layer_norm_eps': expected a number, found a string"},
        {"{\"model_type\": \"roberta\", " SIZES ", \"pad_token_id\": 65}", SEMBED_MALFORMED,
         "key 'pad_token_id'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct architecture read;
        sembed_error error = {0};
        assert_fails(read_config(cases[i].text, &read, &error), cases[i].status, error,
                     cases[i].message);
        assert_fails(read_config(cases[i].text, &read, &error), cases[i].status, error,
                     "config.json");
    }
}

static void activations_are_known_by_both_kinds_of_name(void **state)
{
    (void)state;
    enum activation activation;
    assert_true(activation_from_name("swish", &activation));
    assert_int_equal(activation, ACTIVATION_SILU);
    assert_false(activation_from_name("Gelu", &activation));
    assert_true(activation_from_torch("torch.nn.modules.activation.Tanh", &activation));
    assert_int_equal(activation, ACTIVATION_TANH);
    assert_true(activation_from_torch("torch.nn.modules.linear.Identity", &activation));
    assert_int_equal(activation, ACTIVATION_NONE);
    assert_false(activation_from_torch("os.system.Tanh", &activation));
    assert_false(activation_from_torch("torch.nn.modules.activation.Hardtanh", &activation));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bert_counts_positions_from_zero),
        cmocka_unit_test(roberta_counts_positions_behind_the_padding_token),
        cmocka_unit_test(distilbert_has_keys_of_its_own),
        cmocka_unit_test(mpnet_has_relative_positions_and_electra_a_narrow_embedding),
        cmocka_unit_test(classifiers_have_as_many_labels_as_they_name),
        cmocka_unit_test(configs_that_do_not_fit_are_refused),
        cmocka_unit_test(activations_are_known_by_both_kinds_of_name),
    };
    return cmocka_run_group_tests_name("architecture", tests, NULL, NULL);
}
