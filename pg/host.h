/*
 * What the parts of the PostgreSQL host share.
 *
 *     settings.c     sembed.model, sembed.model_path
 *     call.c         how the core is called: cancel, errors
 *     models.c       the backend's registry of models and its scratch memory
 *     convert.c      text and real[] in, real[] out
 *     call_site.c    what a place in a query remembers from row to row
 *     embed.c        embed(text)            embed_array.c  embed(text[])
 *     similarity.c   cos_sim                listing.c      sembed_models, sembed_version
 *
 * The core allocates with malloc and must not be left by a longjmp, and nearly everything of
 * PostgreSQL may do one. So a function here first detoasts, converts and pallocs all that is
 * needed, then calls the core, then looks at the status and only then raises an error.
 */
#ifndef SEMBED_PG_HOST_H
#define SEMBED_PG_HOST_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"

#include "core/sembed.h"

/* A library's symbols are global in a PostgreSQL backend; only the functions that SQL names are
 * meant to be found. (From 16 on PostgreSQL's own flags say so.) */
#pragma GCC visibility push(hidden)

/* ---------------------------------------------------------------------------- settings.c */

/* Defines the settings; called once, when the library is loaded. */
extern void settings_define(void);

/* The session's default model; NULL where none is named. */
extern const char *settings_model(void);

extern const char *settings_model_path(void);

/* Grows whenever a setting changes: what was derived from one generation holds within it. */
extern uint64 settings_generation(void);

/* -------------------------------------------------------------------------------- call.c */

/*
 * A call of the core that may take long:
 *
 *     struct call call;
 *     call_begin(&call);
 *     do
 *         status = sembed_…(…, &call.poll, …, &call.error);
 *     while (call_again(&call, status));
 *     call_check(&call, status, NULL);
 */
struct call {
    sembed_poll poll;
    sembed_error error;
    bool cancel_only; /* what poll.state points to; see call.c */
};

extern void call_begin(struct call *call);

/* Where the call was stopped: raises what stopped it, or, where that asks for nothing (a reload of
 * the configuration, say), returns true: call again. False for every other status. */
extern bool call_again(struct call *call, sembed_status status);

/* Raises an error unless status is SEMBED_OK. hint may be NULL. */
extern void call_check(const struct call *call, sembed_status status, const char *hint);

/* ------------------------------------------------------------------------------ models.c */

/* The backend's registry, looking in the folders of sembed.model_path. */
extern sembed_registry *models_registry(void);

/* The model of that name, loaded when first asked for; name NULL: the session's default, else the
 * only one there is. Stays valid until the backend ends. Raises an error where there is none. */
extern const sembed_model *models_acquire(const text *name);

/* texts[count] → vectors[count, dimensions] with the backend's scratch memory; raises errors. */
extern void models_embed(const sembed_model *model, const sembed_text *texts, size_t count,
                         float *vectors);

/* Of an embedding; raises an error for a model that gives none. */
extern size_t models_dimensions(const sembed_model *model);

/* ----------------------------------------------------------------------------- convert.c */

/* A text value as the core wants it; points into the value where no conversion is needed, else
 * into palloc'd memory. */
extern sembed_text convert_text(const text *value);

/* The same for C strings. */
extern const char *convert_string(const char *string);

/* A message of the core (UTF-8, perhaps with bytes of a file's name that are not) in the
 * database's encoding, palloc'd. */
extern char *convert_message(const char *message);

/* A one-dimensional real[] of that length, its elements not yet set, and its elements. */
extern ArrayType *vector_create(size_t dimensions);
extern float *vector_elements(ArrayType *vector);

/* Raises an error unless the array is a vector: one dimension, no NULLs. Returns its length. */
extern int vector_check(ArrayType *vector);

/* --------------------------------------------------------------------------- call_site.c */

/* What one place in a query remembers between its calls: the model it names, and the last texts
 * with their vectors. */
struct call_site;

/* The call site behind fcinfo, made at the first call. */
extern struct call_site *call_site_of(FunctionCallInfo fcinfo);

/* The model of that name, NULL for the session's default. Looked up when the name or a setting has
 * changed since the last call. */
extern const sembed_model *call_site_model(struct call_site *site, const text *name);

/* The embedding of a text, palloc'd: computed, or a copy of what is remembered. */
extern ArrayType *call_site_embed(struct call_site *site, const sembed_model *model,
                                  const text *content);

#pragma GCC visibility pop

#endif
