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

#include "utils/memutils.h"

/* Longer texts are not remembered: they are documents, not queries. */
#define REMEMBERED_LENGTH 8192
#define REMEMBERED_TEXTS  16

struct remembered {
    text *content; /* NULL: nothing here */
    ArrayType *vector;
};

/* What embed remembers for its options, which seldom change. */
struct embed_site {
    MemoryContext memory; /* of this and all in it */

    struct embed_arguments arguments; /* copies */
    sembed_options options;
    size_t dimensions;

    struct remembered texts[REMEMBERED_TEXTS];
    int oldest; /* the next to be replaced */
};

struct call_site {
    MemoryContext memory; /* of all that depends on the model; emptied when that changes */

    const sembed_model *model; /* NULL: not looked up yet */
    uint64 generation;         /* of the settings at that time */
    uint64 models;             /* models_generation at that time */
    text *name;                /* as the caller gave it; NULL: the session's default */

    struct embed_site *embed; /* NULL: no text embedded yet */
};

struct call_site *call_site_of(FunctionCallInfo fcinfo)
{
    struct call_site *site = fcinfo->flinfo->fn_extra;

    if (!site) {
        site = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(*site));
        site->memory = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt, "sembed call site",
                                             ALLOCSET_SMALL_SIZES);
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

/* NULL for NULL. */
static text *copy_text(MemoryContext memory, const text *value)
{
    text *copy;

    if (!value)
        return NULL;
    copy = MemoryContextAlloc(memory, VARSIZE_ANY(value));
    memcpy(copy, value, VARSIZE_ANY(value));
    return copy;
}

static void forget_all(struct call_site *site)
{
    site->model = NULL;
    site->name = NULL;
    site->embed = NULL;
    MemoryContextReset(site->memory);
}

const sembed_model *call_site_model(struct call_site *site, const text *name, enum purpose purpose)
{
    if (site->model && site->generation == settings_generation() &&
        site->models == models_generation() && same_text(site->name, name))
        return site->model;

    forget_all(site);
    site->name = copy_text(site->memory, name);
    site->generation = settings_generation();
    site->models = models_generation();
    site->model = models_acquire(name, purpose);
    return site->model;
}

/* ----------------------------------------------------------------------------------- embed */

static bool same_arguments(const struct embed_arguments *a, const struct embed_arguments *b)
{
    return a->dims == b->dims && a->layers == b->layers && same_text(a->prompt, b->prompt) &&
           same_text(a->prompt_name, b->prompt_name) && same_text(a->normalize, b->normalize);
}

/* What is remembered for these options; nothing, where the last call had others. */
static struct embed_site *embed_site_of(struct call_site *site,
                                        const struct embed_arguments *arguments)
{
    struct embed_site *embed = site->embed;
    MemoryContext memory, caller;

    if (embed && same_arguments(&embed->arguments, arguments))
        return embed;
    site->embed = NULL;
    if (embed)
        MemoryContextDelete(embed->memory);

    memory = AllocSetContextCreate(site->memory, "sembed embedded texts", ALLOCSET_SMALL_SIZES);
    caller = MemoryContextSwitchTo(memory);
    embed = palloc0(sizeof(*embed));
    embed->memory = memory;
    embed->arguments = *arguments;
    embed->arguments.prompt = copy_text(memory, arguments->prompt);
    embed->arguments.prompt_name = copy_text(memory, arguments->prompt_name);
    embed->arguments.normalize = copy_text(memory, arguments->normalize);
    embed->options = arguments_options(arguments);
    embed->dimensions = models_dimensions(site->model, &embed->options);
    MemoryContextSwitchTo(caller);
    site->embed = embed;
    return embed;
}

static ArrayType *copy_vector(MemoryContext memory, const ArrayType *vector)
{
    ArrayType *copy = MemoryContextAlloc(memory, VARSIZE(vector));

    memcpy(copy, vector, VARSIZE(vector));
    return copy;
}

static const ArrayType *recall(const struct embed_site *embed, const text *content)
{
    for (int i = 0; i < REMEMBERED_TEXTS; i++)
        if (embed->texts[i].content && same_text(embed->texts[i].content, content))
            return embed->texts[i].vector;
    return NULL;
}

static void remember(struct embed_site *embed, const text *content, const ArrayType *vector)
{
    struct remembered *slot = &embed->texts[embed->oldest];

    if (VARSIZE_ANY(content) > REMEMBERED_LENGTH)
        return;
    if (slot->content) {
        pfree(slot->content);
        slot->content = NULL;
        pfree(slot->vector);
    }
    slot->vector = copy_vector(embed->memory, vector);
    slot->content = copy_text(embed->memory, content);
    embed->oldest = (embed->oldest + 1) % REMEMBERED_TEXTS;
}

ArrayType *call_site_embed(struct call_site *site, const struct embed_arguments *arguments,
                           const text *content)
{
    struct embed_site *embed = embed_site_of(site, arguments);
    const ArrayType *known = recall(embed, content);
    ArrayType *vector;
    sembed_text converted;

    if (known)
        return copy_vector(CurrentMemoryContext, known);

    vector = vector_create(embed->dimensions);
    converted = convert_text(content);
    models_embed(site->model, &embed->options, &converted, 1, vector_elements(vector));
    remember(embed, content, vector);
    return vector;
}
