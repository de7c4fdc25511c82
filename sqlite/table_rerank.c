/*
 * rerank([model,] query, json_array [, top_k]) → corpus_id, score, text
 *
 * With three arguments an INTEGER in the third place is top_k; anything else there is the array, and
 * the model stands first.
 *
 * The texts of a JSON array by how well they answer the query, best first; equal scores in the
 * array's order. corpus_id is a text's place in the array, from 0. null is left out. top_k 0: all.
 * Source: sentence_transformers' CrossEncoder.rank.
 */
#include "sqlite/extension.h"

#include <math.h>
#include <stdlib.h>

enum column { COLUMN_CORPUS_ID, COLUMN_SCORE, COLUMN_TEXT, COLUMN_COUNT };

struct ranked {
    size_t corpus_id;
    float score;
};

struct ranking {
    struct table_rows rows;
    struct json_texts texts;
    struct ranked *ranked; /* [rows.count] */
};

/* What the arguments say. */
struct request {
    const sembed_model *model;
    sembed_text query;
    size_t top_k; /* 0: all */
};

static sembed_status read_request(struct ranking *ranking, int count, sqlite3_value **arguments,
                                  struct request *request, sembed_error *error)
{
    struct connection *connection = ranking->rows.connection;
    const bool names_model =
        count > 3 || (count > 2 && sqlite3_value_type(arguments[2]) != SQLITE_INTEGER);
    const struct argument documents = {"rerank", names_model + 2, "documents"};
    const char *name = NULL;
    sembed_text json = {0};
    sembed_poll poll = connection_poll(connection);
    sembed_status status = value_model_and_text("rerank", names_model, arguments, "query", &name,
                                                &request->query, error);
    if (!status)
        status = value_text(arguments[documents.position - 1], documents, &json, error);
    if (!status && count > documents.position)
        status = value_size(arguments[documents.position],
                            (struct argument){"rerank", documents.position + 1, "top_k"},
                            &request->top_k, error);
    if (!status)
        status = connection_reranker(connection, name, &request->model, error);
    if (!status)
        status = json_texts_read(json, documents, &poll, &ranking->texts, error);
    return status;
}

/* Best first; a score that is not a number last; then by place. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *first = a, *second = b;
    if (isnan(first->score) != isnan(second->score))
        return isnan(first->score) ? 1 : -1;
    if (first->score != second->score && !isnan(first->score))
        return first->score > second->score ? -1 : 1;
    return (first->corpus_id > second->corpus_id) - (first->corpus_id < second->corpus_id);
}

/* Scores all texts; ranking->ranked[*count] in the order of the array. texts and scores are scratch,
 * as long as the array. */
static sembed_status score_texts(struct ranking *ranking, const struct request *request,
                                 sembed_text *texts, float *scores, size_t *count,
                                 sembed_error *error)
{
    sembed_context *scratch = NULL;
    sembed_poll poll = connection_poll(ranking->rows.connection);
    *count = 0;
    for (size_t i = 0; i < ranking->texts.count; i++)
        if (json_texts_get(&ranking->texts, i, &texts[*count]))
            ranking->ranked[(*count)++].corpus_id = i;
    sembed_status status = connection_scratch(ranking->rows.connection, &scratch, error);
    if (!status)
        status =
            sembed_score(request->model, scratch, request->query, texts, *count,
                         connection_score_flags(ranking->rows.connection), &poll, scores, error);
    for (size_t i = 0; !status && i < *count; i++)
        ranking->ranked[i].score = scores[i];
    return status;
}

static sembed_status rank_texts(struct ranking *ranking, const struct request *request,
                                sembed_error *error)
{
    size_t count =
        ranking->texts.count + 1; /* an empty array is scored too: by what, must be right */
    sembed_status status;
    ranking->ranked = sqlite3_malloc64(count * sizeof *ranking->ranked);
    sembed_text *texts = sqlite3_malloc64(count * sizeof *texts);
    float *scores = sqlite3_malloc64(count * sizeof *scores);
    if (ranking->ranked && texts && scores)
        status = score_texts(ranking, request, texts, scores, &count, error);
    else
        status = error_no_memory(error, "the scores of texts");
    sqlite3_free(scores);
    sqlite3_free(texts);
    if (status)
        return status;
    qsort(ranking->ranked, count, sizeof *ranking->ranked, compare_ranked);
    ranking->rows.count = request->top_k && request->top_k < count ? request->top_k : count;
    return SEMBED_OK;
}

static sembed_status ranking_start(struct table_rows *rows, int count, sqlite3_value **arguments,
                                   sembed_error *error)
{
    struct ranking *ranking = (struct ranking *)rows;
    struct request request = {0};
    sembed_status status = read_request(ranking, count, arguments, &request, error);
    if (!status)
        status = rank_texts(ranking, &request, error);
    model_release(request.model);
    return status;
}

static sembed_status ranking_column(struct table_rows *rows, size_t row, int column,
                                    sqlite3_context *context, sembed_error *error)
{
    (void)error;
    const struct ranking *ranking = (const struct ranking *)rows;
    const struct ranked *ranked = &ranking->ranked[row];
    sembed_text text;
    switch ((enum column)column) {
    case COLUMN_CORPUS_ID:
        sqlite3_result_int64(context, (sqlite3_int64)ranked->corpus_id);
        break;
    case COLUMN_SCORE:
        sqlite3_result_double(context, ranked->score);
        break;
    case COLUMN_TEXT:
        if (json_texts_get(&ranking->texts, ranked->corpus_id, &text))
            sqlite3_result_text64(context, text.data, text.length, SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
    case COLUMN_COUNT:
        break;
    }
    return SEMBED_OK;
}

static void ranking_stop(struct table_rows *rows)
{
    struct ranking *ranking = (struct ranking *)rows;
    json_texts_free(&ranking->texts);
    sqlite3_free(ranking->ranked);
}

const struct table_function table_rerank = {
    .name = "rerank",
    .usage = "rerank(query, json_array [, top_k]) or rerank(model, query, json_array [, top_k])",
    .columns = "corpus_id INTEGER, score REAL, text TEXT",
    .column_count = COLUMN_COUNT,
    .fewest_arguments = 2,
    .most_arguments = 4,
    .state_size = sizeof(struct ranking),
    .start = ranking_start,
    .column = ranking_column,
    .stop = ranking_stop,
};
