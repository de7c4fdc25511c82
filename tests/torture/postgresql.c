/*
 * Statements of a PostgreSQL session of which every STEPth allocation fails, alone and with all that
 * follow until the statement ends; see failing_postgresql.c and the script postgresql.
 *
 *     postgresql STEP FOLDER FOLDER [NAME]      folders: two model paths with the same models in them
 *
 * Each time: the right answer or SQLSTATE 53200 (out of memory), the session goes on, and the same
 * statement is right. How much of the server's own is in it shows in what PostgreSQL alone does: a
 * statement without sembed goes first.
 */
#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER 4096

struct question {
    const char *name, *query;
    bool loads;  /* the models are to be loaded anew each time */
    bool cached; /* from images */
};

static const struct question questions[] = {
    {"PostgreSQL alone",
     "SELECT string_agg(upper(repeat('x', i)), ',') FROM generate_series(1, 40) i", false, false},
    {"embed", "SELECT embed('tiny-bert', 'river')", false, false},
    {"embed, options", "SELECT embed('tiny-bert', 'river', dims => 8, prompt => 'a ')", false,
     false},
    {"embed an array",
     "SELECT string_agg(e::text, ';') FROM embed('tiny-bert', ARRAY['river', NULL, 'stone']) e",
     false, false},
    {"rerank",
     "SELECT string_agg(r::text, ';') FROM rerank('cross-bert', 'river', ARRAY['stone', 'water']) "
     "r",
     false, false},
    {"tokenize", "SELECT string_agg(t::text, ';') FROM tokenize('tiny-bert', 'the river') t", false,
     false},
    {"chunk",
     "SELECT string_agg(c::text, ';') FROM chunk('tiny-bert', 'the river runs. it rains.', 8, 1) c",
     false, false},
    {"cos_sim", "SELECT cos_sim('{1,2}', '{3,4}'), l2_normalize('{3,4}')", false, false},
    {"spearman", "SELECT spearman(i, -i * i) FROM generate_series(1, 30) i", false, false},
    {"sembed_models", "SELECT string_agg(name, ';') FROM sembed_models", false, false},
    {"load", "SELECT embed('xlm-roberta', 'river')", true, false},
    {"load a reranker", "SELECT rerank_score('cross-roberta', 'river', 'water')", true, false},
    {"load an image", "SELECT embed('tiny-bert', 'river')", true, true},
};

static PGconn *connection;
static const char *folders[2];

static void give_up(const struct question *question, size_t nth, bool every, const char *what)
{
    printf("FAILED: %s, %s %zu: %s\n", question ? question->name : "-", every ? "from" : "without",
           nth, what);
    exit(1);
}

/* Fills the answer with the first row's first value, or with the SQLSTATE; true where it is a value. */
static bool ask(const char *query, char answer[ANSWER])
{
    PGresult *result = PQexec(connection, query);
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (good)
        snprintf(answer, ANSWER, "%s", PQgetvalue(result, 0, 0));
    else
        snprintf(answer, ANSWER, "%s: %s", state ? state : "lost", PQerrorMessage(connection));
    PQclear(result);
    return good;
}

static void must(const struct question *question, const char *query, char answer[ANSWER])
{
    if (!ask(query, answer))
        give_up(question, 0, false, answer);
}

/* Other folders, so the models in them are not those that are loaded. */
static void forget_models(const struct question *question)
{
    static size_t turn;
    char query[1024], answer[ANSWER];
    snprintf(query, sizeof query, "SELECT set_config('sembed.model_path', '%s', false)",
             folders[turn++ % 2]);
    must(question, query, answer);
}

/* Fails the nth allocation; false where there are fewer. */
static bool fail_once(const struct question *question, size_t nth, bool every, const char *right)
{
    char query[100], answer[ANSWER];
    if (question->loads)
        forget_models(question);
    snprintf(query, sizeof query, "SELECT fail_from(%zu, %s)", nth, every ? "true" : "false");
    must(question, query, answer);
    bool good = ask(question->query, answer);
    if (good ? strcmp(answer, right) != 0 : strncmp(answer, "53200", 5) != 0)
        give_up(question, nth, every, answer);
    char failed[ANSWER];
    must(question, "SELECT has_failed()", failed);
    if (!good && strcmp(failed, "t") != 0)
        give_up(question, nth, every, answer);
    if (!ask(question->query, answer) || strcmp(answer, right) != 0)
        give_up(question, nth, every, answer);
    return strcmp(failed, "t") == 0;
}

static void torture(const struct question *question, size_t step)
{
    char right[ANSWER], answer[ANSWER];
    must(question,
         question->cached ? "SELECT set_config('sembed.cache_limit', '10GB', false)"
                          : "SELECT set_config('sembed.cache_limit', '0', false)",
         answer);
    for (size_t i = 0; i < 4; i++) {
        forget_models(question);
        must(question, question->query, i ? answer : right);
        if (i && strcmp(answer, right) != 0)
            give_up(question, 0, false, answer);
    }
    size_t nth = 1;
    for (int every = 0; every < 2; every++)
        for (nth = 1; fail_once(question, nth, every, right); nth += step)
            ;
    printf("ok: PostgreSQL: %s: about %zu allocations\n", question->name, nth - 1);
    fflush(stdout);
}

int main(int count, char **arguments)
{
    if (count < 4)
        return 2;
    size_t step = strtoul(arguments[1], NULL, 10);
    folders[0] = arguments[2];
    folders[1] = arguments[3];
    connection = PQconnectdb("");
    if (PQstatus(connection) != CONNECTION_OK)
        give_up(NULL, 0, false, PQerrorMessage(connection));
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (count < 5 || strstr(questions[i].name, arguments[4]))
            torture(&questions[i], step ? step : 1);
    PQfinish(connection);
    return 0;
}
