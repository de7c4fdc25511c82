/*
 * What the parts of the PostgreSQL host share.
 *
 *     settings.c     sembed.model, sembed.reranker, sembed.model_path, sembed.on_truncate
 *     call.c         how the core is called: cancel, errors
 *     models.c       the backend's registry of models and its scratch memory
 *     convert.c      text and real[] in, real[] out
 *     arguments.c    an optional model before the other arguments; the options of embed
 *     call_site.c    what a place in a query remembers from row to row
 *     embed.c        embed(text), embed_query, embed_document
 *     embed_array.c  embed(text[])
 *     similarity.c   cos_sim and its kin    vectors.c      truncate_dim … quantize_binary
 *     rerank.c       rerank, rerank_score   tokens.c       token_count, tokenize
 *     chunk.c        chunk                  evaluation.c   spearman, the means
 *     listing.c      sembed_models, sembed_version
 *     compile.c      sembed_compile, images of models, preloading
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

/* What a model is asked for. */
enum purpose { TO_EMBED, TO_RANK };

/* The session's default model for that; NULL where none is named. */
extern const char *settings_model(enum purpose purpose);

/* Whether a text longer than a model reads is an error (sembed.on_truncate). */
extern bool settings_refuse_truncation(void);

/* Threads that share a call's texts: sembed.threads. */
extern size_t settings_threads(void);

extern const char *settings_model_path(void);

/* How many models a backend keeps from transaction to transaction. */
extern int settings_max_loaded(void);

/* Bytes that a text may have; 0: no limit. */
extern size_t settings_max_text_size(void);

/* Bytes that all images of models may have together; 0: none are kept. */
extern uint64 settings_cache_limit(void);

/* Names separated by commas; may be empty. */
extern const char *settings_preload_models(void);

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

/* The hint for SEMBED_TRUNCATED. */
#define HINT_TRUNCATED                                                                             \
    "Cut it with chunk(), or set \"sembed.on_truncate\" to \"truncate\" to have its beginning "    \
    "read."

/* Raises an error unless status is SEMBED_OK. hint may be NULL. */
extern void call_check(const struct call *call, sembed_status status, const char *hint);

/* ------------------------------------------------------------------------------ models.c */

/* The backend's registry, looking in the folders of sembed.model_path. */
extern sembed_registry *models_registry(void);

/* Changes where models that were acquired before are no longer valid; never within a transaction. At
 * its first use there, models whose folder has changed are given up, and those past
 * sembed.max_loaded. */
extern uint64 models_generation(void);

/* The model of that name, loaded when first asked for; name NULL: the session's default, else the
 * only one there is. Stays valid as long as models_generation. Raises an error where there is none. */
extern const sembed_model *models_acquire(const text *name, enum purpose purpose);

/* What it is called. */
extern const char *models_name(const sembed_model *model);

/* The backend's scratch memory, for the calls of the core. */
extern sembed_context *models_context(void);

/* texts[count] → vectors[count, dimensions]; raises errors. */
extern void models_embed(const sembed_model *model, const sembed_options *options,
                         const sembed_text *texts, size_t count, float *vectors);

/* Of an embedding; raises an error for options that the model cannot follow, or where it gives none. */
extern size_t models_dimensions(const sembed_model *model, const sembed_options *options);

/* ----------------------------------------------------------------------------- convert.c */

/* A text value as the core wants it; points into the value where no conversion is needed, else
 * into palloc'd memory. */
extern sembed_text convert_text(const text *value);

/* The same for C strings. */
extern const char *convert_string(const char *string);

/* UTF-8 that the core says (a message, perhaps with bytes of a file's name that are none; a token) in
 * the database's encoding, palloc'd: where that is not UTF-8, '?' for what is not ASCII. */
extern char *convert_message(const char *message);
extern text *convert_token(const char *token, size_t length);

/* Part of what convert_text gave, in the database's encoding again. */
extern text *convert_part(sembed_text converted, size_t start, size_t stop);

/* Counts the characters of a converted text; a caller asks for places that lie near one another. */
struct character_count {
    sembed_text text;
    size_t byte, characters; /* so many begin before that byte */
};

/* How many characters begin before the byte: where a character begins there, its number from 0. */
extern int characters_before(struct character_count *count, size_t byte);

/* The elements of a text[], palloc'd; raises an error where it has more than one dimension. */
extern void texts_elements(ArrayType *array, Datum **elements, bool **nulls, int *count);

/* A one-dimensional real[] of that length, its elements not yet set, and its elements. */
extern ArrayType *vector_create(size_t dimensions);
extern float *vector_elements(ArrayType *vector);

/* Raises an error unless the array is a vector: one dimension, no NULLs. Returns its length. */
extern int vector_check(ArrayType *vector);

/* The length of two vectors that are to be compared; raises an error where theirs differ. */
extern int vector_check_pair(ArrayType *a, ArrayType *b);

/* --------------------------------------------------------------------------- arguments.c */

/*
 * Most functions come in two forms, without and with a model before their other arguments, which
 * are so many in both. Where those begin:
 */
#define FIRST_ARGUMENT(others) (PG_NARGS() - (others))

/* The model's name; NULL in the form without. */
extern const text *arguments_model(FunctionCallInfo fcinfo, int others);

/* The options of embed, as they are given. The texts belong to the caller's arguments. */
struct embed_arguments {
    int32 dims, layers;
    const text *prompt, *prompt_name; /* NULL: the function has no such argument */
    const text *normalize;
    const char *role; /* "query" or "document", the prompt of that name; else NULL */
};

/* What stands behind the texts. */
#define EMBED_OPTIONS      5 /* dims, layers, prompt, prompt_name, normalize_embeddings */
#define EMBED_ROLE_OPTIONS 3 /* dims, layers, normalize_embeddings */

/* Reads the options from argument `first` on; role NULL: there are five of them, else three. */
extern struct embed_arguments arguments_embed(FunctionCallInfo fcinfo, int first, const char *role);

/* As the core wants them, strings palloc'd; raises an error for what no model can do. */
extern sembed_options arguments_options(const struct embed_arguments *arguments);

/* --------------------------------------------------------------------------- call_site.c */

/* What one place in a query remembers between its calls: the model it names, the options, and the
 * last texts with their vectors. */
struct call_site;

/* The call site behind fcinfo, made at the first call. */
extern struct call_site *call_site_of(FunctionCallInfo fcinfo);

/* The model of that name, NULL for the session's default. Looked up when the name or a setting has
 * changed since the last call. */
extern const sembed_model *call_site_model(struct call_site *site, const text *name,
                                           enum purpose purpose);

/* The embedding of a text by the call site's model, palloc'd: computed, or a copy of what is
 * remembered. */
extern ArrayType *call_site_embed(struct call_site *site, const struct embed_arguments *arguments,
                                  const text *content);

/* ----------------------------------------------------------------------------- compile.c */

/* Where images of models are kept; NULL: nowhere. */
extern const char *compile_folder(void);

/* A warning where a model had to be loaded without one. */
extern void compile_report(sembed_registry *registry);

/* Loads the models that sembed.preload_models names; for the postmaster. */
extern void compile_preload(void);

#pragma GCC visibility pop

#endif
