/*
 * Asks the core on behalf of parity.py: one JSON object per line in, one out.
 *
 *     {"texts": [...], "dims": 8, "layers": 2, "prompt": "...", "prompt_name": "...", "normalize": "always"}
 *         → {"ids": [[...], ...], "embeddings": [[...], ...]}     ids without the prompt
 *     {"query": "...", "documents": [...]}
 *         → {"ids": [[...], ...], "types": [[...], ...], "logits": [[...], ...], "scores": [[...], ...]}
 *     {"describe": true}
 *         → {"dimensions": 384, "layers": 6, "max_tokens": 256, "engine": "oneDNN 2.6.3"}
 *
 * All but texts, query and documents may be left out. A request that fails gets {"error": "..."}.
 *
 *     embed FOLDER[@bf16|@int8] <requests >answers
 */
#include "core/sembed.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS JSON_REAL_PRECISION(9)

struct session {
    sembed_registry *registry;
    const sembed_model *model;
    sembed_context *context;
    sembed_error error;
};

/* Everything that one request borrows or fills. */
struct request {
    const json_t *json;
    json_t *answer;
    sembed_text *texts;
    size_t count;
    float *numbers;
};

static void *allocate(size_t count, size_t size)
{
    void *pointer = calloc(count ? count : 1, size);
    if (!pointer) {
        fputs("embed: out of memory\n", stderr);
        exit(1);
    }
    return pointer;
}

static sembed_text text_of(const json_t *string)
{
    return (sembed_text){json_string_value(string), json_string_length(string)};
}

static void read_texts(struct request *request, const char *key)
{
    const json_t *array = json_object_get(request->json, key), *string;
    size_t index;
    request->count = json_array_size(array);
    request->texts = allocate(request->count, sizeof *request->texts);
    json_array_foreach(array, index, string) request->texts[index] = text_of(string);
}

static sembed_options read_options(const json_t *json)
{
    sembed_options options = {0};
    const char *normalize = json_string_value(json_object_get(json, "normalize"));
    options.dims = (size_t)json_integer_value(json_object_get(json, "dims"));
    options.layers = (size_t)json_integer_value(json_object_get(json, "layers"));
    options.prompt = json_string_value(json_object_get(json, "prompt"));
    options.prompt_name = json_string_value(json_object_get(json, "prompt_name"));
    if (normalize)
        options.normalize =
            strcmp(normalize, "always") == 0 ? SEMBED_NORMALIZE_ALWAYS : SEMBED_NORMALIZE_NEVER;
    return options;
}

/* An array of `rows` arrays. */
static json_t *rows_to_json(const float *numbers, size_t rows, size_t width)
{
    json_t *array = json_array();
    for (size_t i = 0; i < rows; i++) {
        json_t *row = json_array();
        for (size_t j = 0; j < width; j++)
            json_array_append_new(row, json_real(numbers[i * width + j])); /* null: not finite */
        json_array_append_new(array, row);
    }
    return array;
}

/* Adds the tokens of a text, or of (query, text), to the answer's "ids" and "types". */
static sembed_status answer_tokens(struct session *session, struct request *request,
                                   const json_t *query, sembed_text text)
{
    sembed_token *tokens;
    size_t count;
    sembed_status status =
        query ? sembed_tokenize_pair(session->model, session->context, text_of(query), text, 0,
                                     NULL, &tokens, &count, &session->error)
              : sembed_tokenize(session->model, session->context, text, 0, NULL, &tokens, &count,
                                &session->error);
    if (status != SEMBED_OK)
        return status;
    json_t *ids = json_array(), *types = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(ids, json_integer(tokens[i].id));
        json_array_append_new(types, json_integer(tokens[i].type));
    }
    sembed_free(tokens);
    json_array_append_new(json_object_get(request->answer, "ids"), ids);
    json_array_append_new(json_object_get(request->answer, "types"), types);
    return SEMBED_OK;
}

static sembed_status answer_embeddings(struct session *session, struct request *request)
{
    sembed_options options = read_options(request->json);
    size_t dimensions;
    read_texts(request, "texts");
    sembed_status status =
        sembed_dimensions(session->model, &options, &dimensions, &session->error);
    if (status != SEMBED_OK)
        return status;
    request->numbers = allocate(request->count * dimensions, sizeof *request->numbers);
    status = sembed_embed(session->model, session->context, request->texts, request->count,
                          &options, NULL, request->numbers, &session->error);
    json_object_set_new(request->answer, "embeddings",
                        rows_to_json(request->numbers, request->count, dimensions));
    for (size_t i = 0; i < request->count && status == SEMBED_OK; i++)
        status = answer_tokens(session, request, NULL, request->texts[i]);
    return status;
}

static sembed_status answer_scores(struct session *session, struct request *request)
{
    const json_t *query = json_object_get(request->json, "query");
    sembed_status status = SEMBED_OK;
    sembed_model_info info;
    sembed_model_describe(session->model, &info);
    read_texts(request, "documents");
    request->numbers = allocate(request->count * (info.labels + 1), sizeof *request->numbers);
    for (int raw = 0; raw <= 1 && status == SEMBED_OK; raw++) {
        status = sembed_score(session->model, session->context, text_of(query), request->texts,
                              request->count, raw, NULL, request->numbers, &session->error);
        json_object_set_new(request->answer, raw ? "logits" : "scores",
                            rows_to_json(request->numbers, request->count, info.labels));
    }
    for (size_t i = 0; i < request->count && status == SEMBED_OK; i++)
        status = answer_tokens(session, request, query, request->texts[i]);
    return status;
}

static sembed_status answer_description(struct session *session, struct request *request)
{
    sembed_model_info info;
    sembed_model_describe(session->model, &info);
    json_object_set_new(request->answer, "dimensions", json_integer((json_int_t)info.dimensions));
    json_object_set_new(request->answer, "layers", json_integer((json_int_t)info.layers));
    json_object_set_new(request->answer, "max_tokens", json_integer((json_int_t)info.max_tokens));
    json_object_set_new(request->answer, "engine", json_string(sembed_engine()));
    return SEMBED_OK;
}

static void answer(struct session *session, const json_t *json)
{
    struct request request = {.json = json, .answer = json_object()};
    sembed_status status;
    json_object_set_new(request.answer, "ids", json_array());
    json_object_set_new(request.answer, "types", json_array());
    if (json_object_get(json, "describe"))
        status = answer_description(session, &request);
    else if (json_object_get(json, "query"))
        status = answer_scores(session, &request);
    else
        status = answer_embeddings(session, &request);
    if (status != SEMBED_OK)
        json_object_set_new(request.answer, "error", json_string(session->error.message));
    json_dumpf(request.answer, stdout, JSON_COMPACT | DIGITS);
    putchar('\n');
    fflush(stdout);
    json_decref(request.answer);
    free(request.texts);
    free(request.numbers);
}

/* "FOLDER@int8" is the folder before the @ in that precision; a name of "model@int8" says so. */
static sembed_status load_folder(sembed_registry *registry, const char *argument, char name[16],
                                 sembed_error *error)
{
    static const char *const suffixes[] = {"@f32", "@bf16", "@int8"};
    size_t length = strlen(argument);
    const char *suffix = "";
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t end = strlen(suffixes[i]);
        if (length > end && strcmp(argument + length - end, suffixes[i]) == 0) {
            suffix = suffixes[i];
            length -= end;
            break;
        }
    }
    snprintf(name, 16, "model%s", suffix);
    char *folder = allocate(length + 1, 1);
    memcpy(folder, argument, length);
    sembed_status status = sembed_registry_load(registry, name, folder, NULL, error);
    free(folder);
    return status;
}

static sembed_status open_session(struct session *session, const char *folder)
{
    char name[16];
    sembed_status status = sembed_registry_create(NULL, &session->registry, &session->error);
    if (status == SEMBED_OK)
        status = load_folder(session->registry, folder, name, &session->error);
    if (status == SEMBED_OK)
        status = sembed_registry_acquire(session->registry, name, NULL, &session->model,
                                         &session->error);
    if (status == SEMBED_OK)
        status = sembed_context_create(&session->context, &session->error);
    return status;
}

int main(int argc, char **argv)
{
    struct session session = {0};
    if (argc != 2) {
        fputs("usage: embed FOLDER[@bf16|@int8] <requests >answers\n", stderr);
        return 2;
    }
    bool failed = open_session(&session, argv[1]) != SEMBED_OK;
    if (failed)
        fprintf(stderr, "embed: %s\n", session.error.message);
    json_error_t error;
    json_t *json;
    while (!failed && (json = json_loadf(stdin, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error))) {
        answer(&session, json);
        json_decref(json);
    }
    sembed_context_destroy(session.context);
    sembed_registry_destroy(session.registry);
    return failed;
}
