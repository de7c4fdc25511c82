/*
 * sembed: sentence-transformer models in C. The one public header of the core.
 *
 *     folder ──sembed_registry_acquire──▶ model      (immutable, shared by threads)
 *     texts  ──sembed_embed─────────────▶ vectors    (one context per thread)
 *
 * Rules that every function here keeps:
 *   - It returns a status; where that is not SEMBED_OK, the caller's sembed_error holds the code
 * and a sentence that names the file, key or tensor, what was expected and what was found.
 *   - It prints nothing, never exits and never longjmps. Long calls ask the caller's poll now and
 *     then; when that answers non-zero they free what they hold and return SEMBED_CANCELED.
 *   - Text is pointer and length, need not end in a zero byte, may hold any bytes. Invalid UTF-8 is
 *     read as U+FFFD, as the reference tokenizers do.
 *   - A text's numbers depend on the text, the model and the options alone: never on the other
 * texts of the call, their number, or the thread.
 */
#ifndef SEMBED_H
#define SEMBED_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SEMBED_VERSION "0.1.0"

#if defined(__GNUC__)
#define SEMBED_MUST_CHECK __attribute__((warn_unused_result))
#else
#define SEMBED_MUST_CHECK
#endif

/* Every status: name, default text. Hosts map each to their own code (SQLSTATE, SQLITE_*). */
#define SEMBED_STATUS_LIST(X)                                                                      \
    X(SEMBED_OK, "ok")                                                                             \
    X(SEMBED_NO_MEMORY, "out of memory")                                                           \
    X(SEMBED_INVALID_ARGUMENT, "invalid argument")                                                 \
    X(SEMBED_NOT_FOUND, "not found")                                                               \
    X(SEMBED_IO, "cannot read file")                                                               \
    X(SEMBED_MALFORMED, "malformed file")                                                          \
    X(SEMBED_UNSUPPORTED, "not supported")                                                         \
    X(SEMBED_LIMIT, "limit exceeded")                                                              \
    X(SEMBED_TRUNCATED, "text is longer than the model reads")                                     \
    X(SEMBED_CANCELED, "canceled")                                                                 \
    X(SEMBED_ENGINE, "compute engine failed")

typedef enum sembed_status {
#define SEMBED_STATUS_ENUM(name, text) name,
    SEMBED_STATUS_LIST(SEMBED_STATUS_ENUM)
#undef SEMBED_STATUS_ENUM
} sembed_status;

/* The name of a status, such as "SEMBED_IO"; "?" for a number that is none. */
const char *sembed_status_name(sembed_status status);

/* Filled by a call that fails; owned by the caller; zero-initialise it. */
typedef struct sembed_error {
    sembed_status code;
    char message[512];
} sembed_error;

/* Asked between layers, batches and long runs of tokens; may only return. Non-zero: stop. */
typedef struct sembed_poll {
    int (*check)(void *state); /* NULL: never asked */
    void *state;
} sembed_poll;

typedef struct sembed_text {
    const char *data; /* UTF-8, not owned */
    size_t length;    /* bytes */
} sembed_text;

/* The library's version, such as "0.1.0". */
const char *sembed_version(void);

/* The engine that multiplies matrices and its version, such as "oneDNN 2.6.3". */
const char *sembed_engine(void);

/* ------------------------------------------------------------------ models and where they are */

typedef struct sembed_registry sembed_registry;
typedef struct sembed_model sembed_model;

/*
 * A registry knows the folders in which models are looked for and keeps those that were loaded.
 * model_path: folders separated by ':', each holding model folders; may be NULL or empty.
 * All its functions may be called from several threads at once.
 */
SEMBED_MUST_CHECK sembed_status sembed_registry_create(const char *model_path,
                                                       sembed_registry **registry,
                                                       sembed_error *error);

/* Frees the registry and every model in it; no context may be in use. NULL is allowed. */
void sembed_registry_destroy(sembed_registry *registry);

/* Looks in other folders from now on. Models already loaded stay valid; those found under the old
 * path are no longer found by name. */
SEMBED_MUST_CHECK sembed_status sembed_registry_set_path(sembed_registry *registry,
                                                         const char *model_path,
                                                         sembed_error *error);

/* Loads the model in a folder and gives it a name, which wins over one found on the path. A name
 * that is taken already is taken over. */
SEMBED_MUST_CHECK sembed_status sembed_registry_load(sembed_registry *registry, const char *name,
                                                     const char *folder, const sembed_poll *poll,
                                                     sembed_error *error);

/*
 * The model of that name, loaded when first asked for. name NULL: the only model there is; none or
 * several is SEMBED_NOT_FOUND. The message of an unknown name lists those that exist. A name may
 * not hold a slash or begin with a dot. The model stays valid as long as the registry, or until
 * sembed_registry_refresh gives it up.
 *
 * The precision is part of the name, since it is part of the numbers: "name@bf16" and "name@int8" are
 * models of their own, made from the folder of "name"; "name@f32" is "name". One that this processor
 * or engine cannot compute fast is SEMBED_UNSUPPORTED, saying what is missing.
 */
SEMBED_MUST_CHECK sembed_status sembed_registry_acquire(sembed_registry *registry, const char *name,
                                                        const sembed_poll *poll,
                                                        const sembed_model **model,
                                                        sembed_error *error);

/* How large all images of a cache folder may be where nobody says: 20 GB. */
#define SEMBED_CACHE_LIMIT (UINT64_C(20) << 30)

/*
 * Where compiled images of models are kept from now on: one file for each model, written when it is first
 * loaded and mapped by every process afterwards, so that loading takes milliseconds and memory is
 * shared. The folder is made where it is missing; it must be one that this user alone can write. limit:
 * the bytes that all images may have together, least recently used ones being removed beyond it.
 * folder NULL or empty: none are kept (as where this is never called), and each process loads for
 * itself.
 */
SEMBED_MUST_CHECK sembed_status sembed_registry_set_cache(sembed_registry *registry,
                                                          const char *folder, uint64_t limit,
                                                          sembed_error *error);

/* Loading never fails because an image cannot be written or read; then there is a notice, which says
 * why. Non-zero where there is one that was not taken yet; else *notice stays as it is. */
int sembed_registry_take_notice(sembed_registry *registry, sembed_error *notice);

/*
 * Gives up models whose folder has changed since they were loaded, or whose name another took over,
 * and the least recently used ones until max_loaded are left (0: no limit). To be called when no model
 * is in use: none that was acquired before may be used afterwards if the number that is returned is
 * another than the last time. Models that sembed_registry_use counts users of stay.
 */
uint64_t sembed_registry_refresh(sembed_registry *registry, size_t max_loaded);

/*
 * The same as sembed_registry_acquire for a host of several threads that limits how many models it keeps:
 * the model stays valid until sembed_registry_end_use has been called as often.
 */
SEMBED_MUST_CHECK sembed_status sembed_registry_use(sembed_registry *registry, const char *name,
                                                    const sembed_poll *poll,
                                                    const sembed_model **model,
                                                    sembed_error *error);
void sembed_registry_end_use(sembed_registry *registry, const sembed_model *model);

/*
 * From now on models are given up as soon as nobody uses them where another took over their name, and,
 * the least recently used ones first, where there are more than max_loaded (0: no limit). A name that
 * sembed_registry_load gave stands for its folder all the same, from which the model is loaded again
 * when it is asked for. Whoever calls this gets models by sembed_registry_use, never by
 * sembed_registry_acquire.
 */
void sembed_registry_set_max_loaded(sembed_registry *registry, size_t max_loaded);
size_t sembed_registry_max_loaded(sembed_registry *registry);

/* A number that no other model of the registry has or had, though it may come to lie at the same address. */
uint64_t sembed_model_serial(const sembed_model *model);

/* Makes sure that there is an image of the model, and how many bytes it has. Fails where it cannot be
 * written. */
SEMBED_MUST_CHECK sembed_status sembed_registry_compile(sembed_registry *registry, const char *name,
                                                        const sembed_poll *poll, uint64_t *bytes,
                                                        sembed_error *error);

/* One model that the registry knows. Strings belong to the listing. */
typedef struct sembed_listing_entry {
    const char *name;
    const char *folder;
    const sembed_model *model; /* NULL: not loaded yet */
    const char *precision;     /* "f32", "bf16" or "int8" */
} sembed_listing_entry;

typedef struct sembed_listing {
    sembed_listing_entry *entries; /* by name */
    size_t count;
    sembed_registry *registry; /* its models are used until it is freed, see sembed_registry_use */
} sembed_listing;

/* Every model on the path or loaded. Free it with sembed_listing_free. */
SEMBED_MUST_CHECK sembed_status sembed_registry_list(sembed_registry *registry,
                                                     sembed_listing *listing, sembed_error *error);
void sembed_listing_free(sembed_listing *listing);

/* What a loaded model is. Strings live as long as the model. */
typedef struct sembed_model_info {
    const char *name;
    const char *folder;
    const char *architecture; /* config.json's model_type, such as "bert" */
    const char *similarity;   /* "cosine", "dot", "euclidean" or "manhattan" */
    size_t dimensions;        /* of an embedding; 0 for a cross-encoder */
    size_t labels;     /* scores that a cross-encoder gives a pair; 0 for an embedding model */
    size_t max_tokens; /* longest input, special tokens included */
    size_t layers;
    size_t vocabulary_size;
    uint64_t parameters;    /* numbers in the weights that are used */
    uint64_t private_bytes; /* of memory that belongs to this process alone */
    uint64_t shared_bytes;  /* of files that are mapped, shared by all processes */
    double load_milliseconds;
    const char *precision; /* what its layers are multiplied in: "f32", "bf16" or "int8" */
} sembed_model_info;

void sembed_model_describe(const sembed_model *model, sembed_model_info *info);

/* ------------------------------------------------------------------------------- embeddings */

typedef struct sembed_context sembed_context;

/* The scratch memory of one thread: reused from call to call, never shared by two at once. */
SEMBED_MUST_CHECK sembed_status sembed_context_create(sembed_context **context,
                                                      sembed_error *error);
void sembed_context_destroy(sembed_context *context); /* NULL is allowed */

#define SEMBED_MAX_THREADS 256

/*
 * How many threads a call with this context shares its texts among: at first 1, the caller's own,
 * else 1 to SEMBED_MAX_THREADS, which are started now and wait. Where several texts of a call are at
 * fault, the error is that of one of them. The OpenBLAS engine takes turns and so gains little.
 */
SEMBED_MUST_CHECK sembed_status sembed_context_set_threads(sembed_context *context, size_t threads,
                                                           sembed_error *error);

/* The longest text that a call takes where nobody says: 16 MB. Reading one takes up to some 80 times its
 * size in memory. */
#define SEMBED_MAX_TEXT ((size_t)16 << 20)

/* A text of more bytes than this is SEMBED_LIMIT from now on; 0: as long as it may be. */
void sembed_context_set_max_text(sembed_context *context, size_t bytes);

/* Gives back scratch memory beyond a small reserve; a host calls it when it falls idle. */
void sembed_context_trim(sembed_context *context);

/* Whether a vector that options cut shorter gets length 1 again. */
typedef enum sembed_normalize {
    SEMBED_NORMALIZE_AS_MODEL = 0, /* where the model itself normalises */
    SEMBED_NORMALIZE_ALWAYS,       /* also where it does not, cut or not */
    SEMBED_NORMALIZE_NEVER         /* left as cut, as the reference's truncate_dim does */
} sembed_normalize;

/* Zero-initialised, or a NULL pointer: what the model's folder says. */
typedef struct sembed_options {
    size_t dims;             /* keep the first dims numbers of each vector; 0: all */
    size_t layers;           /* stop after so many layers; 0: all */
    const char *prompt;      /* put before each text; NULL: see prompt_name */
    const char *prompt_name; /* one of the model's prompts; NULL: its default prompt, if any */
    sembed_normalize normalize;
    int refuse_truncation; /* non-zero: a text longer than the model reads is SEMBED_TRUNCATED */
} sembed_options;

/* How many numbers a vector has with these options; SEMBED_INVALID_ARGUMENT where the model cannot
 * cut so, or is a cross-encoder, which gives none. */
SEMBED_MUST_CHECK sembed_status sembed_dimensions(const sembed_model *model,
                                                  const sembed_options *options, size_t *dimensions,
                                                  sembed_error *error);

/*
 * texts[count] → vectors[count, dimensions], row i for text i, dimensions as sembed_dimensions says.
 * vectors belongs to the caller. options and poll may be NULL. A text longer than the model reads is
 * cut, as the reference does, unless options refuse it.
 */
SEMBED_MUST_CHECK sembed_status sembed_embed(const sembed_model *model, sembed_context *context,
                                             const sembed_text *texts, size_t count,
                                             const sembed_options *options, const sembed_poll *poll,
                                             float *vectors, sembed_error *error);

/* How pairs are scored: 0, or any of these added up. */
enum {
    SEMBED_SCORE_RAW = 1,               /* the logits, without the model's activation */
    SEMBED_SCORE_REFUSE_TRUNCATION = 2, /* a pair longer than the model reads is SEMBED_TRUNCATED */
};

/*
 * How well each of documents[count] answers the query, by a cross-encoder: scores[count, labels], the
 * caller's, labels as sembed_model_info says (one, for a model that ranks). flags: SEMBED_SCORE_… An
 * embedding model is SEMBED_INVALID_ARGUMENT.
 */
SEMBED_MUST_CHECK sembed_status sembed_score(const sembed_model *model, sembed_context *context,
                                             sembed_text query, const sembed_text *documents,
                                             size_t count, int flags, const sembed_poll *poll,
                                             float *scores, sembed_error *error);

/* One token of a text. */
typedef struct sembed_token {
    uint32_t id;
    uint32_t type;        /* 0, or 1 in the second text of a pair */
    uint32_t start, stop; /* bytes of the text it was made from; both 0 for a special token */
} sembed_token;

/*
 * The tokens that sembed_embed would read of a text, special tokens included, cut at limit (0: the
 * model's own). The default prompt is not put before it. tokens[*count] belongs to the caller, who
 * frees it with sembed_free.
 */
SEMBED_MUST_CHECK sembed_status sembed_tokenize(const sembed_model *model, sembed_context *context,
                                                sembed_text text, size_t limit,
                                                const sembed_poll *poll, sembed_token **tokens,
                                                size_t *count, sembed_error *error);

/* The same for a pair, as sembed_score reads it. */
SEMBED_MUST_CHECK sembed_status sembed_tokenize_pair(const sembed_model *model,
                                                     sembed_context *context, sembed_text first,
                                                     sembed_text second, size_t limit,
                                                     const sembed_poll *poll, sembed_token **tokens,
                                                     size_t *count, sembed_error *error);

/* The token with that id as the tokenizer spells it ("##ing"); not zero-terminated, lives as long as
 * the model; NULL where there is none. */
const char *sembed_token_text(const sembed_model *model, uint32_t id, size_t *length);

void sembed_free(void *pointer);

/* A piece of a text for a model to read: bytes [start, stop), and what they are in tokens. */
typedef struct sembed_chunk {
    size_t start, stop;
    size_t tokens; /* special tokens included */
} sembed_chunk;

/*
 * Cuts a text into chunks of at most max_tokens tokens each (0: what the model reads), special tokens
 * included, that together hold all of it but white space between them. A chunk ends at the end of a
 * sentence where it can, else between words, else between tokens; the next one begins up to `overlap`
 * tokens earlier, where a sentence or else a word begins. A text that fits is one chunk; one of white
 * space alone gives none. max_tokens too small for a token beside the special ones or more than the
 * model reads, or overlap not smaller than the room there is, is SEMBED_INVALID_ARGUMENT. chunks[*count]
 * belongs to the caller, freed with sembed_free.
 */
SEMBED_MUST_CHECK sembed_status sembed_chunk_text(const sembed_model *model,
                                                  sembed_context *context, sembed_text text,
                                                  size_t max_tokens, size_t overlap,
                                                  const sembed_poll *poll, sembed_chunk **chunks,
                                                  size_t *count, sembed_error *error);

/* ---------------------------------------------------------------------------------- vectors */

/* How close two vectors are; higher is closer. Summed in double; NaN where a number is NaN. Source:
 * sentence_transformers.util.similarity. */

/* a[n] · b[n] / (|a| |b|); 0 where either is the zero vector. */
double sembed_cos_sim(const float *a, const float *b, size_t n);

/*
 * The same number, to the bit, where one vector is compared with many, at half the work for each:
 * sembed_cos_sim_prepare writes query[n] as doubles to numbers[n] and returns its length |query|;
 * sembed_cos_sim_prepared takes both.
 */
double sembed_cos_sim_prepare(const float *query, size_t n, double *numbers);
double sembed_cos_sim_prepared(const double *numbers, double length, const float *b, size_t n);

/* a[n] · b[n] */
double sembed_dot_score(const float *a, const float *b, size_t n);
/* −|a − b| */
double sembed_euclidean_sim(const float *a, const float *b, size_t n);
/* −Σ|aᵢ − bᵢ| */
double sembed_manhattan_sim(const float *a, const float *b, size_t n);
/* The one of these that the model was made for (sembed_model_info.similarity). */
double sembed_similarity(const sembed_model *model, const float *a, const float *b, size_t n);

/* vector[n] / max(|vector|, 1e-12), in place. Source: torch.nn.functional.normalize. */
void sembed_normalize_vector(float *vector, size_t n);

/* Numbers between −1 and 1 → −127 … 127, rounded to nearest, ties to even; beyond is clamped. */
void sembed_quantize_int8(const float *vector, size_t n, int8_t *numbers);

/* Bit i is set where vector[i] > 0; bits[(n + 7) / 8], unused bits 0. The first number is the most
 * significant bit of the first byte (PostgreSQL's bit, numpy.packbits) or the least (sqlite-vec). */
typedef enum sembed_bit_order { SEMBED_FIRST_BIT_HIGH, SEMBED_FIRST_BIT_LOW } sembed_bit_order;
void sembed_quantize_binary(const float *vector, size_t n, sembed_bit_order order, uint8_t *bits);

/* ------------------------------------------------------------------------------- evaluation */

/* Pearson's r of x[n] and y[n]; NaN for fewer than two pairs or where either is constant. poll may be
 * NULL. */
SEMBED_MUST_CHECK sembed_status sembed_pearson(const double *x, const double *y, size_t n,
                                               const sembed_poll *poll, double *correlation,
                                               sembed_error *error);

/* Spearman's rank correlation, ties sharing their mean rank: Pearson's r of the ranks. poll may be
 * NULL. Source: scipy.stats.spearmanr. */
SEMBED_MUST_CHECK sembed_status sembed_spearman(const double *x, const double *y, size_t n,
                                                const sembed_poll *poll, double *correlation,
                                                sembed_error *error);

#ifdef __cplusplus
}
#endif
#endif
