#include "core/text/added_tokens.h"

#include <stdlib.h>

struct token {
    uint32_t id;
    bool single_word, lstrip, rstrip, normalized;
};

/* One string to look for. */
struct pattern {
    uint32_t offset, length; /* of its bytes in the pool */
    uint32_t token;          /* index */
    unsigned char first;     /* byte */
};

/* The patterns that one of the two searches looks for. */
struct pattern_set {
    struct pattern *patterns; /* by first byte, longest first */
    size_t count, capacity;
    uint32_t first[257]; /* patterns that begin with byte b: first[b] … first[b + 1] - 1 */
    unsigned char only;  /* the byte that all begin with, if has_only */
    bool has_only;
};

struct added_tokens {
    struct vocabulary *contents; /* content ↔ id */
    struct token *tokens;
    size_t count, capacity;
    uint32_t next_id;
    char *pool;
    size_t pool_size, pool_capacity;
    struct pattern_set sets[2]; /* [normalized] */
};

sembed_status added_tokens_create(struct added_tokens **tokens, sembed_error *error)
{
    struct added_tokens *made = memory_calloc(1, sizeof *made);
    if (!made)
        return error_no_memory(error, "the added tokens");
    sembed_status status = vocabulary_create(0, 0, &made->contents, error);
    if (status != SEMBED_OK) {
        added_tokens_destroy(made);
        return status;
    }
    *tokens = made;
    return SEMBED_OK;
}

void added_tokens_destroy(struct added_tokens *tokens)
{
    if (!tokens)
        return;
    vocabulary_destroy(tokens->contents);
    memory_free(tokens->tokens);
    memory_free(tokens->pool);
    memory_free(tokens->sets[0].patterns);
    memory_free(tokens->sets[1].patterns);
    memory_free(tokens);
}

uint32_t added_tokens_find(const struct added_tokens *tokens, const char *content, size_t length)
{
    return vocabulary_find(tokens->contents, content, length);
}

const char *added_tokens_content(const struct added_tokens *tokens, uint32_t id, size_t *length)
{
    return vocabulary_token(tokens->contents, id, length);
}

size_t added_tokens_id_limit(const struct added_tokens *tokens)
{
    return vocabulary_id_limit(tokens->contents);
}

void added_tokens_begin(struct added_tokens *tokens, const struct vocabulary *vocabulary)
{
    size_t count = vocabulary_count(vocabulary);
    size_t limit = added_tokens_id_limit(tokens);
    tokens->next_id = (uint32_t)(limit > count ? limit : count);
}

static struct token *find_token(struct added_tokens *tokens, uint32_t id)
{
    for (size_t i = 0; i < tokens->count; i++)
        if (tokens->tokens[i].id == id)
            return &tokens->tokens[i];
    return NULL;
}

sembed_status added_tokens_add(struct added_tokens *tokens, const struct added_token *token,
                               const struct vocabulary *vocabulary, sembed_error *error)
{
    if (token->length == 0)
        return SEMBED_OK;
    uint32_t id = added_tokens_find(tokens, token->content, token->length);
    struct token *known = id == VOCABULARY_NONE ? NULL : find_token(tokens, id);
    if (id == VOCABULARY_NONE)
        id = vocabulary_find(vocabulary, token->content, token->length);
    if (id == VOCABULARY_NONE)
        id = tokens->next_id++;
    sembed_status status =
        vocabulary_add(tokens->contents, token->content, token->length, id, error);
    if (status != SEMBED_OK)
        return status;

    struct token kept = {id, token->single_word, token->lstrip, token->rstrip, token->normalized};
    if (known) {
        *known = kept;
        return SEMBED_OK;
    }
    if (!memory_grow((void **)&tokens->tokens, &tokens->capacity, tokens->count + 1,
                     sizeof *tokens->tokens))
        return error_no_memory(error, "the added tokens");
    tokens->tokens[tokens->count++] = kept;
    return SEMBED_OK;
}

static sembed_status read_token(const struct json_file *file, const json_t *json,
                                struct added_token *token, sembed_error *error)
{
    const json_t *content = json_object_get(json, "content");
    if (!json_is_string(content))
        return json_expected(file, "content", "a string", content, error);
    token->content = json_string_value(content);
    token->length = json_string_length(content);
    const struct {
        const char *key;
        bool *value;
    } flags[] = {
        {"single_word", &token->single_word}, {"lstrip", &token->lstrip},
        {"rstrip", &token->rstrip},           {"normalized", &token->normalized},
        {"special", &token->special},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        sembed_status status =
            json_get_bool_or(file, json, flags[i].key, false, flags[i].value, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

sembed_status added_tokens_read(struct added_tokens *tokens, const struct json_file *file,
                                const json_t *json, const struct vocabulary *vocabulary,
                                sembed_error *error)
{
    if (!json || json_is_null(json))
        return SEMBED_OK;
    if (!json_is_array(json))
        return json_expected(file, "added_tokens", "an array", json, error);
    added_tokens_begin(tokens, vocabulary);
    for (size_t i = 0; i < json_array_size(json); i++) {
        struct added_token token = {0};
        sembed_status status = read_token(file, json_array_get(json, i), &token, error);
        if (status == SEMBED_OK)
            status = added_tokens_add(tokens, &token, vocabulary, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

/* ------------------------------------------------------------------------------- patterns */

static sembed_status add_pattern(struct added_tokens *tokens, uint32_t token, const char *spelling,
                                 size_t length, sembed_error *error)
{
    struct pattern_set *set = &tokens->sets[tokens->tokens[token].normalized];
    if (length == 0)
        return SEMBED_OK;
    if (tokens->pool_size > UINT32_MAX - length)
        return error_set(error, SEMBED_LIMIT, "the added tokens take over 4 GB");
    if (!memory_grow((void **)&tokens->pool, &tokens->pool_capacity, tokens->pool_size + length,
                     1) ||
        !memory_grow((void **)&set->patterns, &set->capacity, set->count + 1,
                     sizeof *set->patterns))
        return error_no_memory(error, "the added tokens");
    memcpy(tokens->pool + tokens->pool_size, spelling, length);
    set->patterns[set->count++] = (struct pattern){(uint32_t)tokens->pool_size, (uint32_t)length,
                                                   token, (unsigned char)spelling[0]};
    tokens->pool_size += length;
    return SEMBED_OK;
}

static sembed_status add_patterns(struct added_tokens *tokens, const struct normalizer *normalizer,
                                  struct normalizer_scratch *scratch, struct aligned_text *text,
                                  sembed_error *error)
{
    for (size_t i = 0; i < tokens->count; i++) {
        size_t length;
        const char *content = added_tokens_content(tokens, tokens->tokens[i].id, &length);
        sembed_status status = SEMBED_OK;
        if (tokens->tokens[i].normalized) {
            status = aligned_text_set(text, content, length, 0, false, error);
            if (status == SEMBED_OK)
                status = normalizer_apply(normalizer, scratch, text, true, true, NULL, error);
            content = text->bytes;
            length = text->length;
        }
        if (status == SEMBED_OK)
            status = add_pattern(tokens, (uint32_t)i, content, length, error);
        if (status != SEMBED_OK)
            return status;
    }
    return SEMBED_OK;
}

static int compare_patterns(const void *left, const void *right)
{
    const struct pattern *a = left, *b = right;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    if (a->length != b->length)
        return a->length > b->length ? -1 : 1;
    return a->token < b->token ? -1 : a->token > b->token;
}

static void index_patterns(struct pattern_set *set)
{
    if (set->count == 0)
        return;
    qsort(set->patterns, set->count, sizeof *set->patterns, compare_patterns);
    for (size_t i = 0; i < set->count; i++)
        set->first[set->patterns[i].first + 1]++;
    for (size_t byte = 0; byte < 256; byte++)
        set->first[byte + 1] += set->first[byte];
    set->only = set->patterns[0].first;
    set->has_only = set->patterns[set->count - 1].first == set->only;
}

sembed_status added_tokens_finish(struct added_tokens *tokens, const struct normalizer *normalizer,
                                  sembed_error *error)
{
    struct aligned_text text = {0};
    struct normalizer_scratch scratch = {0};
    sembed_status status = add_patterns(tokens, normalizer, &scratch, &text, error);
    aligned_text_free(&text);
    normalizer_scratch_free(&scratch);
    if (status != SEMBED_OK)
        return status;
    index_patterns(&tokens->sets[0]);
    index_patterns(&tokens->sets[1]);
    return SEMBED_OK;
}

/* A cut stands between an ASCII letter or digit and a space. It must not be inside a match, nor
 * between a token and the spaces that it takes. */
bool added_tokens_allow_cuts(const struct added_tokens *tokens)
{
    const struct pattern_set *set = &tokens->sets[true];
    for (size_t i = 0; i < set->count; i++) {
        const struct pattern *pattern = &set->patterns[i];
        if (tokens->tokens[pattern->token].rstrip ||
            memchr(tokens->pool + pattern->offset, ' ', pattern->length))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------------------- search */

/* The longest pattern that begins at text[at]; NULL where none does. */
static const struct pattern *match_at(const struct added_tokens *tokens,
                                      const struct pattern_set *set, const char *text,
                                      size_t length, size_t at)
{
    unsigned char byte = (unsigned char)text[at];
    for (uint32_t i = set->first[byte]; i < set->first[byte + 1]; i++) {
        const struct pattern *pattern = &set->patterns[i];
        if (pattern->length <= length - at &&
            memcmp(tokens->pool + pattern->offset, text + at, pattern->length) == 0)
            return pattern;
    }
    return NULL;
}

/* The first place from `at` on where some pattern's first byte stands; `limit` if there is none. */
static size_t next_candidate(const struct pattern_set *set, const char *text, size_t at,
                             size_t limit)
{
    if (set->has_only) {
        const char *found = memchr(text + at, set->only, limit - at);
        return found ? (size_t)(found - text) : limit;
    }
    while (at < limit &&
           set->first[(unsigned char)text[at]] == set->first[(unsigned char)text[at] + 1])
        at++;
    return at;
}

static bool stands_alone(const struct added_search *search, size_t start, size_t stop)
{
    size_t size;
    return (start == 0 || !unicode_is_word(unicode_decode_last(search->text, start, &size))) &&
           (stop == search->length || !unicode_is_word(unicode_decode(search->text + stop, &size)));
}

/* Where the spaces before a match begin. What the last token took is not taken again, even if the
 * match itself begins there. */
static size_t spaces_before(const struct added_search *search, size_t start)
{
    size_t size;
    while (start > search->done &&
           unicode_is_whitespace(unicode_decode_last(search->text, start, &size)))
        start -= size;
    return start > search->done ? start : search->done;
}

static size_t spaces_after(const struct added_search *search, size_t stop)
{
    size_t size;
    while (stop < search->length &&
           unicode_is_whitespace(unicode_decode(search->text + stop, &size)))
        stop += size;
    return stop;
}

bool added_tokens_next(const struct added_tokens *tokens, struct added_search *search, size_t limit,
                       uint32_t *id, size_t *start, size_t *stop)
{
    const struct pattern_set *set = &tokens->sets[search->normalized];
    if (set->count == 0 && search->at < limit)
        search->at = limit;
    while (search->at < limit) {
        search->at = next_candidate(set, search->text, search->at, limit);
        if (search->at >= limit)
            break;
        const struct pattern *found =
            match_at(tokens, set, search->text, search->length, search->at);
        if (!found) {
            search->at++;
            continue;
        }
        const struct token *token = &tokens->tokens[found->token];
        *start = search->at;
        *stop = search->at + found->length;
        search->at = *stop;
        if (token->single_word && !stands_alone(search, *start, *stop))
            continue;
        if (token->lstrip)
            *start = spaces_before(search, *start);
        if (token->rstrip)
            *stop = spaces_after(search, *stop);
        search->done = *stop;
        *id = token->id;
        return true;
    }
    return false;
}
