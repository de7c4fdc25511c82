/* embed(text), embed(model, text): one text, one vector. */
#include "host.h"

PG_FUNCTION_INFO_V1(sembed_sql_embed_default);
PG_FUNCTION_INFO_V1(sembed_sql_embed);

/* embed(text) → real[] */
Datum sembed_sql_embed_default(PG_FUNCTION_ARGS)
{
    struct call_site *site = call_site_of(fcinfo);
    const sembed_model *model = call_site_model(site, NULL);

    PG_RETURN_ARRAYTYPE_P(call_site_embed(site, model, PG_GETARG_TEXT_PP(0)));
}

/* embed(model, text) → real[] */
Datum sembed_sql_embed(PG_FUNCTION_ARGS)
{
    struct call_site *site = call_site_of(fcinfo);
    const sembed_model *model = call_site_model(site, PG_GETARG_TEXT_PP(0));

    PG_RETURN_ARRAYTYPE_P(call_site_embed(site, model, PG_GETARG_TEXT_PP(1)));
}
