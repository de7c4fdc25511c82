/* embed(text), embed_query(text), embed_document(text): one text, one vector. */
#include "host.h"

/* others: how many arguments stand behind the model, if there is one: the text, then options. */
static Datum embed_one(FunctionCallInfo fcinfo, int others, const char *role)
{
    struct call_site *site = call_site_of(fcinfo);
    int first = FIRST_ARGUMENT(others);
    struct embed_arguments arguments = arguments_embed(fcinfo, first + 1, role);

    call_site_model(site, arguments_model(fcinfo, others), TO_EMBED);
    PG_RETURN_ARRAYTYPE_P(call_site_embed(site, &arguments, PG_GETARG_TEXT_PP(first)));
}

PG_FUNCTION_INFO_V1(sembed_sql_embed);
PG_FUNCTION_INFO_V1(sembed_sql_embed_query);
PG_FUNCTION_INFO_V1(sembed_sql_embed_document);

/* embed([model,] text, dims, layers, prompt, prompt_name, normalize_embeddings) → real[] */
Datum sembed_sql_embed(PG_FUNCTION_ARGS)
{
    return embed_one(fcinfo, 1 + EMBED_OPTIONS, NULL);
}

/* embed_query([model,] text, dims, layers, normalize_embeddings) → real[] */
Datum sembed_sql_embed_query(PG_FUNCTION_ARGS)
{
    return embed_one(fcinfo, 1 + EMBED_ROLE_OPTIONS, "query");
}

/* embed_document([model,] text, dims, layers, normalize_embeddings) → real[] */
Datum sembed_sql_embed_document(PG_FUNCTION_ARGS)
{
    return embed_one(fcinfo, 1 + EMBED_ROLE_OPTIONS, "document");
}
