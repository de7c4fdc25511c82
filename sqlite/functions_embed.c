#include "sqlite/extension.h"

#include <string.h>

/* One of the functions: its name, and the prompt it asks for (NULL: the model's default one). */
struct form {
    const char *name;
    const char *role;
};

/* What a call was given. */
struct call {
    struct form form;
    struct connection *connection;
    struct call_model model;
    sembed_text text;
    sqlite3_value *options; /* NULL: none */
    sembed_text key;        /* the options as they were written */
};

/* A text's vector, kept by SQLite beside a text that is constant in the statement, with what else it
 * was made from. */
struct embedding {
    uint64_t serial; /* of the model */
    size_t dimensions;
    size_t key_length;
    char *key; /* behind the vector */
    float vector[];
};

static bool is_for(const struct embedding *embedding, const struct call *call)
{
    return embedding->serial == sembed_model_serial(call->model.model) &&
           embedding->key_length == call->key.length &&
           (call->key.length == 0 || memcmp(embedding->key, call->key.data, call->key.length) == 0);
}

/* Text → embedding in one block, freed with sqlite3_free. */
static sembed_status embed_with(const struct call *call, const sembed_options *options,
                                struct embedding **embedded, sembed_error *error)
{
    sembed_context *scratch = NULL;
    size_t dimensions = 0;
    sembed_status status = connection_scratch(call->connection, &scratch, error);
    if (!status)
        status = sembed_dimensions(call->model.model, options, &dimensions, error);
    if (status)
        return status;

    size_t size = sizeof(struct embedding) + dimensions * sizeof(float);
    struct embedding *embedding = sqlite3_malloc64(size + call->key.length);
    if (!embedding)
        return error_no_memory(error, "an embedding");
    *embedding = (struct embedding){.serial = sembed_model_serial(call->model.model),
                                    .dimensions = dimensions,
                                    .key_length = call->key.length,
                                    .key = (char *)embedding + size};
    if (call->key.length > 0)
        memcpy(embedding->key, call->key.data, call->key.length);

    sembed_poll poll = connection_poll(call->connection);
    status = sembed_embed(call->model.model, scratch, &call->text, 1, options, &poll,
                          embedding->vector, error);
    if (status) {
        sqlite3_free(embedding);
        return status;
    }
    *embedded = embedding;
    return SEMBED_OK;
}

static sembed_status embed_text(const struct call *call, struct embedding **embedding,
                                sembed_error *error)
{
    struct embed_options options = {0};
    sembed_status status = options_read(call->connection, call->options,
                                        (struct argument){call->form.name, 3, "options"},
                                        call->form.role, &options, error);
    if (!status)
        status = embed_with(call, &options.values, embedding, error);
    options_free(&options);
    return status;
}

static sembed_status read_call(sqlite3_context *context, struct call *call, int count,
                               sqlite3_value **values, sembed_error *error)
{
    const char *name = NULL;
    sembed_status status =
        value_model_and_text(call->form.name, count > 1, values, "text", &name, &call->text, error);
    if (!status && count > 2) {
        call->options = values[2];
        status = value_text(values[2], (struct argument){call->form.name, 3, "options"}, &call->key,
                            error);
    }
    if (!status)
        status = call_model_begin(context, name, false, &call->model, error);
    return status;
}

/*
 * embed(text), embed(model, text [, options]) → BLOB of float32
 *
 * In ORDER BY cos_sim(vector, embed('a query')) the call runs for every row. SQLite lifts only
 * deterministic calls out of the loop, and embed(text) is none; so the vector stays beside the text
 * as auxiliary data, which SQLite keeps as long as the text is a constant or a bound parameter of
 * the running statement, and drops otherwise.
 */
static void embed(sqlite3_context *context, int count, sqlite3_value **values, struct form form)
{
    if (any_null(count, values))
        return;
    struct call call = {.form = form, .connection = sqlite3_user_data(context)};
    struct embedding *embedding = NULL;
    sembed_error error = {0};
    const int text_position = count > 1;

    sembed_status status = read_call(context, &call, count, values, &error);
    const struct embedding *kept = status ? NULL : sqlite3_get_auxdata(context, text_position);
    if (kept && is_for(kept, &call))
        vector_result(context, kept->vector, kept->dimensions);
    else if (!status)
        status = embed_text(&call, &embedding, &error);
    if (status)
        function_fail(context, &error);
    call_model_end(&call.model);
    if (!embedding)
        return;
    vector_result(context, embedding->vector, embedding->dimensions);
    /* May free the embedding at once. */
    sqlite3_set_auxdata(context, text_position, embedding, sqlite3_free);
}

void function_embed(sqlite3_context *context, int count, sqlite3_value **values)
{
    embed(context, count, values, (struct form){"embed", NULL});
}

void function_embed_query(sqlite3_context *context, int count, sqlite3_value **values)
{
    embed(context, count, values, (struct form){"embed_query", "query"});
}

void function_embed_document(sqlite3_context *context, int count, sqlite3_value **values)
{
    embed(context, count, values, (struct form){"embed_document", "document"});
}
