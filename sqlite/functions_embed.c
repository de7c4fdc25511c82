#include "sqlite/extension.h"

/* A text's vector, kept by SQLite beside a text that is constant in the statement. */
struct embedding {
    const sembed_model *model;
    size_t dimensions;
    float vector[];
};

/* Text → embedding in one block, freed with sqlite3_free. */
static sembed_status embed_text(struct connection *connection, const sembed_model *model,
                                sembed_text text, struct embedding **embedded, sembed_error *error)
{
    sembed_context *scratch = NULL;
    size_t dimensions = 0;
    sembed_status status = connection_scratch(connection, &scratch, error);
    if (!status)
        status = sembed_dimensions(model, NULL, &dimensions, error);
    if (status)
        return status;

    struct embedding *embedding = sqlite3_malloc64(sizeof *embedding + dimensions * sizeof(float));
    if (!embedding)
        return error_no_memory(error, "an embedding");
    *embedding = (struct embedding){.model = model, .dimensions = dimensions};

    sembed_poll poll = connection_poll(connection);
    status = sembed_embed(model, scratch, &text, 1, NULL, &poll, embedding->vector, error);
    if (status) {
        sqlite3_free(embedding);
        return status;
    }
    *embedded = embedding;
    return SEMBED_OK;
}

static const sembed_model *model_of_arguments(struct connection *connection, int count,
                                              sqlite3_value **values, sembed_error *error)
{
    const sembed_model *model = NULL;
    const char *name = NULL;
    if (count == 2 && value_string(values[0], (struct argument){"embed", 1, "model"}, &name, error))
        return NULL;
    if (connection_model(connection, name, &model, error))
        return NULL;
    return model;
}

/*
 * embed(text), embed(model, text) → BLOB of float32
 *
 * In ORDER BY cos_sim(vector, embed('a query')) the call runs for every row. SQLite lifts only
 * deterministic calls out of the loop, and embed(text) is none; so the vector stays beside the text
 * as auxiliary data, which SQLite keeps as long as the text is a constant or a bound parameter of
 * the running statement, and drops otherwise.
 */
void function_embed(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    struct connection *connection = sqlite3_user_data(context);
    sembed_error error = {0};
    const int text_position = count - 1;

    const sembed_model *model = model_of_arguments(connection, count, values, &error);
    if (!model) {
        function_fail(context, &error);
        return;
    }
    const struct embedding *kept = sqlite3_get_auxdata(context, text_position);
    if (kept && kept->model == model) {
        vector_result(context, kept->vector, kept->dimensions);
        return;
    }

    sembed_text text = {0};
    struct embedding *embedding = NULL;
    if (value_text(values[text_position], (struct argument){"embed", count, "text"}, &text,
                   &error) ||
        embed_text(connection, model, text, &embedding, &error)) {
        function_fail(context, &error);
        return;
    }
    vector_result(context, embedding->vector, embedding->dimensions);
    /* May free the embedding at once. */
    sqlite3_set_auxdata(context, text_position, embedding, sqlite3_free);
}
