/* cos_sim, dot_score, euclidean_sim, manhattan_sim, similarity: how close two vectors are. */
#include "host.h"

typedef double (*similarity_function)(const float *a, const float *b, size_t n);

static Datum compare(FunctionCallInfo fcinfo, similarity_function similarity)
{
    ArrayType *a = PG_GETARG_ARRAYTYPE_P(0);
    ArrayType *b = PG_GETARG_ARRAYTYPE_P(1);
    int dimensions = vector_check_pair(a, b);

    PG_RETURN_FLOAT8(similarity(vector_elements(a), vector_elements(b), dimensions));
}

PG_FUNCTION_INFO_V1(sembed_sql_cos_sim);
PG_FUNCTION_INFO_V1(sembed_sql_dot_score);
PG_FUNCTION_INFO_V1(sembed_sql_euclidean_sim);
PG_FUNCTION_INFO_V1(sembed_sql_manhattan_sim);
PG_FUNCTION_INFO_V1(sembed_sql_similarity);

/* cos_sim(real[], real[]) → double precision, and so the others */
Datum sembed_sql_cos_sim(PG_FUNCTION_ARGS)
{
    return compare(fcinfo, sembed_cos_sim);
}

Datum sembed_sql_dot_score(PG_FUNCTION_ARGS)
{
    return compare(fcinfo, sembed_dot_score);
}

Datum sembed_sql_euclidean_sim(PG_FUNCTION_ARGS)
{
    return compare(fcinfo, sembed_euclidean_sim);
}

Datum sembed_sql_manhattan_sim(PG_FUNCTION_ARGS)
{
    return compare(fcinfo, sembed_manhattan_sim);
}

/* similarity(model, real[], real[]) → double precision */
Datum sembed_sql_similarity(PG_FUNCTION_ARGS)
{
    const sembed_model *model =
        call_site_model(call_site_of(fcinfo), PG_GETARG_TEXT_PP(0), TO_EMBED);
    ArrayType *a = PG_GETARG_ARRAYTYPE_P(1);
    ArrayType *b = PG_GETARG_ARRAYTYPE_P(2);
    int dimensions = vector_check_pair(a, b);

    PG_RETURN_FLOAT8(sembed_similarity(model, vector_elements(a), vector_elements(b), dimensions));
}
