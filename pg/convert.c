/* Text and vectors between PostgreSQL and the core. */
#include "host.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "storage/shmem.h"

/*
 * The core reads UTF-8. In a database of another encoding PostgreSQL converts, and raises its own
 * error where it cannot. SQL_ASCII says nothing about what the bytes are, so they go as they are:
 * what is UTF-8 is read as such, any other byte as U+FFFD.
 */
static const char *to_utf8(const char *data, int length)
{
    if (GetDatabaseEncoding() == PG_SQL_ASCII)
        return data;
    return pg_server_to_any(data, length, PG_UTF8);
}

sembed_text convert_text(const text *value)
{
    const char *data = VARDATA_ANY(value);
    int length = VARSIZE_ANY_EXHDR(value);
    const char *utf8 = to_utf8(data, length);

    return (sembed_text){utf8, utf8 == data ? (size_t)length : strlen(utf8)};
}

const char *convert_string(const char *string)
{
    return to_utf8(string, (int)strlen(string));
}

char *convert_message(const char *message)
{
    char *copy = pstrdup(message);
    int length = (int)strlen(copy);

    if (GetDatabaseEncoding() == PG_SQL_ASCII ||
        (GetDatabaseEncoding() == PG_UTF8 && pg_verify_mbstr(PG_UTF8, copy, length, true)))
        return copy;
    for (char *at = copy; *at; at++)
        if (IS_HIGHBIT_SET(*at))
            *at = '?';
    return copy;
}

ArrayType *vector_create(size_t dimensions)
{
    Size size = add_size(ARR_OVERHEAD_NONULLS(1), mul_size(dimensions, sizeof(float4)));
    ArrayType *vector = palloc0(size);

    SET_VARSIZE(vector, size);
    vector->ndim = 1;
    vector->elemtype = FLOAT4OID;
    ARR_DIMS(vector)[0] = (int)dimensions;
    ARR_LBOUND(vector)[0] = 1;
    return vector;
}

float *vector_elements(ArrayType *vector)
{
    return (float *)ARR_DATA_PTR(vector);
}

int vector_check(ArrayType *vector)
{
    if (ARR_NDIM(vector) != 1)
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("a vector must be a one-dimensional array, this has %d dimensions",
                               ARR_NDIM(vector))));
    if (array_contains_nulls(vector))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("a vector must not contain NULL")));
    return ARR_DIMS(vector)[0];
}
