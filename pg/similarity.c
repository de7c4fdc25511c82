/* cos_sim(a, b): how close two vectors are. */
#include "host.h"

PG_FUNCTION_INFO_V1(sembed_sql_cos_sim);

/* cos_sim(real[], real[]) → double precision */
Datum sembed_sql_cos_sim(PG_FUNCTION_ARGS)
{
    ArrayType *a = PG_GETARG_ARRAYTYPE_P(0);
    ArrayType *b = PG_GETARG_ARRAYTYPE_P(1);
    int dimensions = vector_check(a);

    if (vector_check(b) != dimensions)
        ereport(ERROR,
                (errcode(ERRCODE_DATA_EXCEPTION),
                 errmsg("vectors of different dimensions: %d and %d", dimensions, vector_check(b)),
                 errhint("Vectors of different models cannot be compared.")));
    PG_RETURN_FLOAT8(sembed_cos_sim(vector_elements(a), vector_elements(b), dimensions));
}
