/* truncate_dim, l2_normalize, quantize_int8, quantize_binary: one vector in, another form of it out. */
#include "host.h"

#include "utils/varbit.h"

PG_FUNCTION_INFO_V1(sembed_sql_truncate_dim);
PG_FUNCTION_INFO_V1(sembed_sql_l2_normalize);
PG_FUNCTION_INFO_V1(sembed_sql_quantize_int8);
PG_FUNCTION_INFO_V1(sembed_sql_quantize_binary);

/* truncate_dim(real[], integer) → real[] */
Datum sembed_sql_truncate_dim(PG_FUNCTION_ARGS)
{
    ArrayType *vector = PG_GETARG_ARRAYTYPE_P(0);
    int32 wanted = PG_GETARG_INT32(1);
    int dimensions = vector_check(vector);
    ArrayType *cut;

    if (wanted < 1 || wanted > dimensions)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                 errmsg("truncate_dim: expected 1 to the %d dimensions of the vector, found %d",
                        dimensions, wanted)));
    cut = vector_create(wanted);
    memcpy(vector_elements(cut), vector_elements(vector), wanted * sizeof(float));
    PG_RETURN_ARRAYTYPE_P(cut);
}

/* l2_normalize(real[]) → real[] */
Datum sembed_sql_l2_normalize(PG_FUNCTION_ARGS)
{
    ArrayType *vector = PG_GETARG_ARRAYTYPE_P(0);
    int dimensions = vector_check(vector);
    ArrayType *normalized = vector_create(dimensions);

    memcpy(vector_elements(normalized), vector_elements(vector), dimensions * sizeof(float));
    sembed_normalize_vector(vector_elements(normalized), dimensions);
    PG_RETURN_ARRAYTYPE_P(normalized);
}

/* quantize_int8(real[]) → bytea, one signed byte for each number */
Datum sembed_sql_quantize_int8(PG_FUNCTION_ARGS)
{
    ArrayType *vector = PG_GETARG_ARRAYTYPE_P(0);
    int dimensions = vector_check(vector);
    bytea *bytes = palloc(VARHDRSZ + dimensions);

    SET_VARSIZE(bytes, VARHDRSZ + dimensions);
    sembed_quantize_int8(vector_elements(vector), dimensions, (int8_t *)VARDATA(bytes));
    PG_RETURN_BYTEA_P(bytes);
}

/* quantize_binary(real[]) → bit varying, the first number first */
Datum sembed_sql_quantize_binary(PG_FUNCTION_ARGS)
{
    ArrayType *vector = PG_GETARG_ARRAYTYPE_P(0);
    int dimensions = vector_check(vector);
    int size = VARBITTOTALLEN(dimensions);
    VarBit *bits = palloc0(size);

    SET_VARSIZE(bits, size);
    VARBITLEN(bits) = dimensions;
    sembed_quantize_binary(vector_elements(vector), dimensions, SEMBED_FIRST_BIT_HIGH,
                           VARBITS(bits));
    PG_RETURN_VARBIT_P(bits);
}
