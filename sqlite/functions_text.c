/* Numbers from texts: a pair's score, a text's tokens. */
#include "sqlite/extension.h"

static sembed_status score_pair(sqlite3_context *context, int count, sqlite3_value **values,
                                float *score, sembed_error *error)
{
    struct connection *connection = sqlite3_user_data(context);
    const char *name = NULL;
    sembed_text query = {0}, document = {0};
    struct call_model call = {0};
    sembed_context *scratch = NULL;
    sembed_poll poll = connection_poll(connection);
    const bool names_model = count > 2;
    sembed_status status =
        value_model_and_text("rerank_score", names_model, values, "query", &name, &query, error);
    if (!status)
        status = value_text(values[count - 1], (struct argument){"rerank_score", count, "document"},
                            &document, error);
    if (!status)
        status = call_model_begin(context, name, true, &call, error);
    if (!status)
        status = connection_scratch(connection, &scratch, error);
    if (!status)
        status = sembed_score(call.model, scratch, query, &document, 1,
                              connection_score_flags(connection), &poll, score, error);
    call_model_end(&call);
    return status;
}

/* rerank_score(query, document), rerank_score(model, query, document) → REAL */
void function_rerank_score(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    sembed_error error = {0};
    float score = 0;
    if (score_pair(context, count, values, &score, &error))
        function_fail(context, &error);
    else
        sqlite3_result_double(context, score);
}

static sembed_status count_tokens(sqlite3_context *context, int count, sqlite3_value **values,
                                  size_t *tokens, sembed_error *error)
{
    struct connection *connection = sqlite3_user_data(context);
    const char *name = NULL;
    sembed_text text = {0};
    struct call_model call = {0};
    sembed_context *scratch = NULL;
    sembed_token *list = NULL;
    sembed_poll poll = connection_poll(connection);
    sembed_status status =
        value_model_and_text("token_count", count > 1, values, "text", &name, &text, error);
    if (!status)
        status = call_model_begin(context, name, false, &call, error);
    if (!status)
        status = connection_scratch(connection, &scratch, error);
    if (!status)
        status = sembed_tokenize(call.model, scratch, text, SIZE_MAX, &poll, &list, tokens, error);
    sembed_free(list);
    call_model_end(&call);
    return status;
}

/* token_count(text), token_count(model, text) → INTEGER: all of them, also those that would be cut */
void function_token_count(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    sembed_error error = {0};
    size_t tokens = 0;
    if (count_tokens(context, count, values, &tokens, &error))
        function_fail(context, &error);
    else
        sqlite3_result_int64(context, (sqlite3_int64)tokens);
}
