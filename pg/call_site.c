/*
 * What a place in a query remembers between its calls.
 *
 *     SELECT … ORDER BY cos_sim(embed(body), embed('treatments for insomnia'))
 *
 * embed(text) reads a setting, so it is STABLE, and the executor calls a STABLE function for every
 * row even where its arguments are constants. Each of the two calls above is a place of its own
 * (an FmgrInfo); the second finds the text of its last call again and embeds once, not once per
 * row. With a few texts instead of one the same serves a join of documents with a handful of
 * queries, whichever of them the planner makes the inner side. The price for the other place is
 * comparisons of lengths and a copy of some kilobytes beside a millisecond of work.
 */
#include "host.h"

/* Longer texts are not remembered: they are documents, not queries. */
#define REMEMBERED_LENGTH 8192
#define REMEMBERED_TEXTS  16

struct remembered {
    const sembed_model *model; /* NULL: nothing here */
    text *content;
    ArrayType *vector;
};

struct call_site {
    MemoryContext memory; /* lives as long as the call site */

    const sembed_model *model; /* NULL: not looked up yet */
    uint64 generation;         /* of the settings at that time */
    text *name;                /* as the caller gave it; NULL: the session's default */

    struct remembered texts[REMEMBERED_TEXTS];
    int oldest; /* the next to be replaced */
};

struct call_site *call_site_of(FunctionCallInfo fcinfo)
{
    struct call_site *site = fcinfo->flinfo->fn_extra;

    if (!site) {
        site = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(*site));
        site->memory = fcinfo->flinfo->fn_mcxt;
        fcinfo->flinfo->fn_extra = site;
    }
    return site;
}

static bool same_text(const text *a, const text *b)
{
    if (!a || !b)
        return a == b;
    return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
           memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static text *copy_text(MemoryContext memory, const text *value)
{
    text *copy = MemoryContextAlloc(memory, VARSIZE_ANY(value));

    memcpy(copy, value, VARSIZE_ANY(value));
    return copy;
}

const sembed_model *call_site_model(struct call_site *site, const text *name)
{
    if (site->model && site->generation == settings_generation() && same_text(site->name, name))
        return site->model;

    site->model = NULL;
    if (site->name)
        pfree(site->name);
    site->name = NULL;

    if (name)
        site->name = copy_text(site->memory, name);
    site->generation = settings_generation();
    site->model = models_acquire(name);
    return site->model;
}

static ArrayType *copy_vector(MemoryContext memory, const ArrayType *vector)
{
    ArrayType *copy = MemoryContextAlloc(memory, VARSIZE(vector));

    memcpy(copy, vector, VARSIZE(vector));
    return copy;
}

static const ArrayType *recall(const struct call_site *site, const sembed_model *model,
                               const text *content)
{
    for (int i = 0; i < REMEMBERED_TEXTS; i++)
        if (site->texts[i].model == model && same_text(site->texts[i].content, content))
            return site->texts[i].vector;
    return NULL;
}

static void remember(struct call_site *site, const sembed_model *model, const text *content,
                     const ArrayType *vector)
{
    struct remembered *slot = &site->texts[site->oldest];

    if (VARSIZE_ANY(content) > REMEMBERED_LENGTH)
        return;
    if (slot->model) {
        slot->model = NULL;
        pfree(slot->content);
        pfree(slot->vector);
    }
    slot->content = copy_text(site->memory, content);
    slot->vector = copy_vector(site->memory, vector);
    slot->model = model;
    site->oldest = (site->oldest + 1) % REMEMBERED_TEXTS;
}

ArrayType *call_site_embed(struct call_site *site, const sembed_model *model, const text *content)
{
    const ArrayType *known = recall(site, model, content);
    ArrayType *vector;
    sembed_text converted;

    if (known)
        return copy_vector(CurrentMemoryContext, known);

    vector = vector_create(models_dimensions(model));
    converted = convert_text(content);
    models_embed(model, &converted, 1, vector_elements(vector));
    remember(site, model, content, vector);
    return vector;
}
