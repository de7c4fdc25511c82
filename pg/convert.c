/* Text and vectors between PostgreSQL and the core. */
#include "host.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "storage/shmem.h"
#include "utils/builtins.h"

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

/* In place; length as strlen has it. */
static void make_displayable(char *string, size_t length)
{
    if (GetDatabaseEncoding() == PG_SQL_ASCII ||
        (GetDatabaseEncoding() == PG_UTF8 && pg_verify_mbstr(PG_UTF8, string, (int)length, true)))
        return;
    for (size_t i = 0; i < length; i++)
        if (IS_HIGHBIT_SET(string[i]))
            string[i] = '?';
}

char *convert_message(const char *message)
{
    char *copy = pstrdup(message);

    make_displayable(copy, strlen(copy));
    return copy;
}

text *convert_token(const char *token, size_t length)
{
    text *copy;

    /* A text holds no zero byte; a vocabulary may. */
    length = strnlen(token, length);
    copy = cstring_to_text_with_len(token, (int)length);
    make_displayable(VARDATA(copy), length);
    return copy;
}

text *convert_part(sembed_text converted, size_t start, size_t stop)
{
    const char *data = converted.data + start;
    int length = (int)(stop - start);
    const char *back = data;

    if (GetDatabaseEncoding() != PG_SQL_ASCII)
        back = pg_any_to_server(data, length, PG_UTF8);
    return cstring_to_text_with_len(back, back == data ? length : (int)strlen(back));
}

/* SQL_ASCII counts bytes. In UTF-8 a character begins at every byte that does not continue one. */
static bool begins_character(char byte)
{
    return GetDatabaseEncoding() == PG_SQL_ASCII || ((unsigned char)byte & 0xC0) != 0x80;
}

int characters_before(struct character_count *count, size_t byte)
{
    if (byte > count->text.length)
        byte = count->text.length;
    while (count->byte < byte)
        count->characters += begins_character(count->text.data[count->byte++]);
    while (count->byte > byte)
        count->characters -= begins_character(count->text.data[--count->byte]);
    return (int)count->characters;
}

void texts_elements(ArrayType *array, Datum **elements, bool **nulls, int *count)
{
    if (ARR_NDIM(array) > 1)
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("texts must be a one-dimensional array, this has %d dimensions",
                               ARR_NDIM(array)),
                        errhint("ARRAY(SELECT unnest(array)) makes one dimension of them.")));
    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, elements, nulls, count);
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
    if (ARR_NDIM(vector) == 0)
        ereport(ERROR,
                (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR), errmsg("a vector must not be empty")));
    if (ARR_NDIM(vector) != 1)
        ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                        errmsg("a vector must be a one-dimensional array, this has %d dimensions",
                               ARR_NDIM(vector))));
    if (ARR_HASNULL(vector) && array_contains_nulls(vector))
        ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                        errmsg("a vector must not contain NULL")));
    return ARR_DIMS(vector)[0];
}

int vector_check_pair(ArrayType *a, ArrayType *b)
{
    int dimensions = vector_check(a), others = vector_check(b);

    if (others != dimensions)
        ereport(ERROR,
                (errcode(ERRCODE_DATA_EXCEPTION),
                 errmsg("vectors of different sizes: %d and %d dimensions", dimensions, others),
                 errhint("Only vectors of one model and one size can be compared.")));
    return dimensions;
}
