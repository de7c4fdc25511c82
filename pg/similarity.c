/* cos_sim, dot_score, euclidean_sim, manhattan_sim, similarity: how close two vectors are. */
#include "host.h"

#include "nodes/primnodes.h"

typedef double (*similarity_function)(const float *a, const float *b, size_t n);

static Datum compare(FunctionCallInfo fcinfo, similarity_function similarity)
{
    ArrayType *a = PG_GETARG_ARRAYTYPE_P(0);
    ArrayType *b = PG_GETARG_ARRAYTYPE_P(1);
    int dimensions = vector_check_pair(a, b);

    PG_RETURN_FLOAT8(similarity(vector_elements(a), vector_elements(b), dimensions));
}

/*
 * A query compares one vector with many: a constant, a parameter, the outer row of a join. cos_sim
 * notices by its argument's content that it comes again, whatever it is in the plan, and prepares it.
 */
#define CACHE_LINE 64

struct repeated_vector {
    float *content;  /* [room]; a copy, for what an argument points to may be overwritten */
    double *numbers; /* [room]; aligned, for reading across two cache lines takes twice as long */
    void *block;     /* what numbers lie in */
    double length;
    int room;
    int dimensions; /* 0: none yet */
    int side;       /* the argument that it was */
    bool constant;  /* it stands in the query itself, so that it need not be compared */
    float first[2]; /* of the last call's vectors */
};

static struct repeated_vector *repeated_vector_of(FunctionCallInfo fcinfo)
{
    if (!fcinfo->flinfo->fn_extra)
        fcinfo->flinfo->fn_extra =
            MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(struct repeated_vector));
    return fcinfo->flinfo->fn_extra;
}

/* Whether that argument is a constant. A parameter is none: PL/pgSQL calls again with another value. */
static bool is_constant(const FmgrInfo *function, int argument)
{
    const Node *call = function->fn_expr;
    const List *arguments = call && IsA(call, FuncExpr) ? ((const FuncExpr *)call)->args
                            : call && IsA(call, OpExpr) ? ((const OpExpr *)call)->args
                                                        : NIL;

    return argument < list_length(arguments) && IsA(list_nth(arguments, argument), Const);
}

static bool is_repeated(const struct repeated_vector *repeated, const float *vector, int dimensions)
{
    return repeated->dimensions == dimensions &&
           memcmp(repeated->content, vector, dimensions * sizeof(float)) == 0;
}

static double with_repeated(const struct repeated_vector *repeated, const float *vector)
{
    return sembed_cos_sim_prepared(repeated->numbers, repeated->length, vector,
                                   repeated->dimensions);
}

/* Makes room for a vector, and gives up that for a shorter one: vectors may grow from row to row. */
static void reserve(struct repeated_vector *repeated, MemoryContext memory, int dimensions)
{
    float *content = repeated->content;
    void *block = repeated->block;

    if (repeated->room >= dimensions)
        return;
    repeated->dimensions = repeated->room = 0;
    repeated->content = repeated->block = NULL;
    if (content)
        pfree(content);
    if (block)
        pfree(block);
    repeated->content = MemoryContextAlloc(memory, dimensions * sizeof(float));
    repeated->block = MemoryContextAlloc(memory, dimensions * sizeof(double) + CACHE_LINE);
    repeated->numbers = (double *)TYPEALIGN(CACHE_LINE, repeated->block);
    repeated->room = dimensions;
}

/* Prepares the side whose first number was that of the last call, if there is one. */
static void look_for_repeated(struct repeated_vector *repeated, const FmgrInfo *function,
                              const float *const sides[2], int dimensions)
{
    int side = memcmp(&repeated->first[0], sides[0], sizeof(float)) == 0   ? 0
               : memcmp(&repeated->first[1], sides[1], sizeof(float)) == 0 ? 1
                                                                           : -1;

    repeated->first[0] = sides[0][0];
    repeated->first[1] = sides[1][0];
    if (side < 0)
        return;
    reserve(repeated, function->fn_mcxt, dimensions);
    memcpy(repeated->content, sides[side], dimensions * sizeof(float));
    repeated->length = sembed_cos_sim_prepare(sides[side], dimensions, repeated->numbers);
    repeated->dimensions = dimensions;
    repeated->side = side;
    repeated->constant = is_constant(function, side);
}

PG_FUNCTION_INFO_V1(sembed_sql_cos_sim);
PG_FUNCTION_INFO_V1(sembed_sql_dot_score);
PG_FUNCTION_INFO_V1(sembed_sql_euclidean_sim);
PG_FUNCTION_INFO_V1(sembed_sql_manhattan_sim);
PG_FUNCTION_INFO_V1(sembed_sql_similarity);

/* cos_sim(real[], real[]) → double precision, and so the others */
Datum sembed_sql_cos_sim(PG_FUNCTION_ARGS)
{
    struct repeated_vector *repeated = repeated_vector_of(fcinfo);
    const float *sides[2];
    ArrayType *a, *b;
    int dimensions;

    if (repeated
            ->constant) { /* the case that a scan of a table is: the other side alone is looked at */
        b = PG_GETARG_ARRAYTYPE_P(1 - repeated->side);
        if (vector_check(b) == repeated->dimensions)
            PG_RETURN_FLOAT8(with_repeated(repeated, vector_elements(b)));
    }
    a = PG_GETARG_ARRAYTYPE_P(0);
    b = PG_GETARG_ARRAYTYPE_P(1);
    dimensions = vector_check_pair(a, b);
    sides[0] = vector_elements(a);
    sides[1] = vector_elements(b);
    if (is_repeated(repeated, sides[repeated->side], dimensions))
        PG_RETURN_FLOAT8(with_repeated(repeated, sides[1 - repeated->side]));
    look_for_repeated(repeated, fcinfo->flinfo, sides, dimensions);
    PG_RETURN_FLOAT8(sembed_cos_sim(sides[0], sides[1], dimensions));
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
