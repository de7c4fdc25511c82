#include "core/text/added_tokens.h"

#include "core/text/trie.h"

struct token {
    uint32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
};

/* The strings that one of the two searches looks for. */
struct pattern_set {
    struct trie trie; /* spelling → index of the token */
    size_t count;
    bool begins[256];   /* whether some spelling begins with this byte */
    unsigned char only; /* the byte that all begin with, if has_only */
    bool has_only;
};

struct added_tokens {
    struct vocabulary *contents; /* content ↔ place in tokens */
    struct token *tokens;
    size_t count, capacity;
    size_t id_limit;
    uint32_t next_id;
    struct pattern_set sets[2]; /* [normalized] */
    bool forbids_cuts;
    bool splits_special;
    bool mapped; /* tokens belong to a file */
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
    if (!tokens->mapped)
        memory_free(tokens->tokens);
    trie_free(&tokens->sets[0].trie);
    trie_free(&tokens->sets[1].trie);
    memory_free(tokens);
}

/* Whether its bools are bools, which they may not be in a file. */
static bool has_flags(const struct token *token)
{
    const bool *const flags[] = {&token->single_word, &token->lstrip, &token->rstrip,
                                 &token->normalized, &token->special};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (*(const unsigned char *)flags[i] > 1)
            return false;
    return true;
}

void added_tokens_store(struct archive *archive, struct added_tokens **tokens)
{
    struct added_tokens *stored = archive_struct(archive, (void **)tokens, sizeof *stored);
    if (!stored)
        return;
    stored->mapped = archive->opening;
    archive_value(archive, &stored->count);
    archive_value(archive, &stored->id_limit);
    archive_value(archive, &stored->forbids_cuts);
    archive_value(archive, &stored->splits_special);
    archive_table(archive, &stored->tokens, stored->count, sizeof *stored->tokens);
    for (size_t i = 0; archive->status == SEMBED_OK && i < stored->count; i++)
        archive_check(archive, has_flags(&stored->tokens[i]), "an added token of no known flags");
    vocabulary_store(archive, &stored->contents);
    archive_check(archive,
                  stored->contents && vocabulary_id_limit(stored->contents) <= stored->count,
                  "added tokens without contents");
    for (size_t i = 0; i < 2; i++) {
        struct pattern_set *set = &stored->sets[i];
        archive_value(archive, &set->count);
        archive_flags(archive, set->begins, sizeof set->begins);
        archive_value(archive, &set->only);
        archive_value(archive, &set->has_only);
        trie_store(archive, &set->trie, stored->count);
    }
}

uint32_t added_tokens_find(const struct added_tokens *tokens, const char *content, size_t length)
{
    uint32_t place = vocabulary_find(tokens->contents, content, length);
    return place == VOCABULARY_NONE ? VOCABULARY_NONE : tokens->tokens[place].id;
}

const char *added_tokens_content(const struct added_tokens *tokens, uint32_t id, size_t *length)
{
    for (size_t i = 0; i < tokens->count && id < tokens->id_limit; i++)
        if (tokens->tokens[i].id == id)
            return vocabulary_token(tokens->contents, (uint32_t)i, length);
    return NULL;
}

size_t added_tokens_id_limit(const struct added_tokens *tokens)
{
    return tokens->id_limit;
}

void added_tokens_begin(struct added_tokens *tokens, const struct vocabulary *vocabulary)
{
    size_t count = vocabulary_count(vocabulary);
    tokens->next_id = (uint32_t)(tokens->id_limit > count ? tokens->id_limit : count);
}

static sembed_status append_token(struct added_tokens *tokens, const struct added_token *token,
                                  const struct vocabulary *vocabulary, sembed_error *error)
{
    uint32_t id = vocabulary_find(vocabulary, token->content, token->length);
    if (id == VOCABULARY_NONE)
        id = tokens->next_id++;
    if (!memory_grow((void **)&tokens->tokens, &tokens->capacity, tokens->count + 1,
                     sizeof *tokens->tokens))
        return error_no_memory(error, "the added tokens");
    sembed_status status = vocabulary_add(tokens->contents, token->content, token->length,
                                          (uint32_t)tokens->count, error);
    if (status != SEMBED_OK)
        return status;
    tokens->tokens[tokens->count++] = (struct token){.id = id};
    if (id >= tokens->id_limit)
        tokens->id_limit = (size_t)id + 1;
    return SEMBED_OK;
}

sembed_status added_tokens_add(struct added_tokens *tokens, const struct added_token *token,
                               const struct vocabulary *vocabulary, sembed_error *error)
{
    if (token->length == 0)
        return SEMBED_OK;
    uint32_t place = vocabulary_find(tokens->contents, token->content, token->length);
    if (place == VOCABULARY_NONE) {
        sembed_status status = append_token(tokens, token, vocabulary, error);
        if (status != SEMBED_OK)
            return status;
        place = (uint32_t)tokens->count - 1;
    }
    struct token *kept = &tokens->tokens[place];
    kept->single_word = token->single_word;
    kept->lstrip = token->lstrip;
    kept->rstrip = token->rstrip;
    kept->normalized = token->normalized;
    kept->special |= token->special;
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

/* Spellings on their way into the tries. */
struct pattern_list {
    char *pool;
    size_t pool_size, pool_capacity;
    struct trie_key *keys; /* [tokens]; text is set when the pool has stopped growing */
    size_t count;
};

static sembed_status append_spelling(struct pattern_list *list, uint32_t token,
                                     const char *spelling, size_t length, sembed_error *error)
{
    if (length > UINT32_MAX)
        return error_set(error, SEMBED_LIMIT, "an added token takes over 4 GB");
    if (!memory_grow((void **)&list->pool, &list->pool_capacity, list->pool_size + length, 1))
        return error_no_memory(error, "the added tokens");
    if (length)
        memcpy(list->pool + list->pool_size, spelling, length);
    list->keys[list->count++] = (struct trie_key){.length = (uint32_t)length, .value = token};
    list->pool_size += length;
    return SEMBED_OK;
}

/* The spellings of all tokens of a kind, normalized by the normalizer if there is one. */
static sembed_status list_spellings(const struct added_tokens *tokens, bool normalized,
                                    const struct normalizer *normalizer, struct pattern_list *list,
                                    sembed_error *error)
{
    struct aligned_text text = {0};
    struct normalizer_scratch scratch = {0};
    sembed_status status = SEMBED_OK;
    for (size_t i = 0; i < tokens->count && status == SEMBED_OK; i++) {
        size_t length;
        const char *content = vocabulary_token(tokens->contents, (uint32_t)i, &length);
        if (tokens->tokens[i].normalized != normalized)
            continue;
        status = aligned_text_set(&text, content, length, 0, false, NULL, error);
        if (status == SEMBED_OK && normalized)
            status = normalizer_apply(normalizer, &scratch, &text, true, true, NULL, error);
        if (status == SEMBED_OK)
            status = append_spelling(list, (uint32_t)i, text.bytes, text.length, error);
    }
    aligned_text_free(&text);
    normalizer_scratch_free(&scratch);
    const char *spelling = list->pool;
    for (size_t i = 0; i < list->count; spelling += list->keys[i++].length)
        list->keys[i].text = spelling;
    return status;
}

/* A cut stands between an ASCII letter or digit and a space. It must not be inside a match, nor
 * between a token and the spaces that it takes. */
static bool forbids_cuts(const struct added_tokens *tokens, const struct pattern_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (tokens->tokens[list->keys[i].value].rstrip ||
            (list->keys[i].length && memchr(list->keys[i].text, ' ', list->keys[i].length)))
            return true;
    return false;
}

static void note_first_bytes(struct pattern_set *set, const struct pattern_list *list)
{
    set->has_only = true;
    for (size_t i = 0; i < list->count; i++) {
        if (list->keys[i].length == 0)
            continue;
        unsigned char byte = (unsigned char)list->keys[i].text[0];
        set->has_only &= set->count == 0 || byte == set->only;
        set->only = byte;
        set->begins[byte] = true;
        set->count++;
    }
}

static sembed_status build_set(struct added_tokens *tokens, bool normalized,
                               const struct normalizer *normalizer, sembed_error *error)
{
    struct pattern_set *set = &tokens->sets[normalized];
    struct pattern_list list = {.keys = memory_calloc(tokens->count, sizeof *list.keys)};
    sembed_status status = list.keys ? list_spellings(tokens, normalized, normalizer, &list, error)
                                     : error_no_memory(error, "the added tokens");
    if (status == SEMBED_OK) {
        note_first_bytes(set, &list);
        if (normalized)
            tokens->forbids_cuts = forbids_cuts(tokens, &list);
        status = trie_build(list.keys, list.count, NULL, &set->trie, error);
    }
    memory_free(list.pool);
    memory_free(list.keys);
    return status;
}

sembed_status added_tokens_finish(struct added_tokens *tokens, const struct normalizer *normalizer,
                                  sembed_error *error)
{
    sembed_status status = build_set(tokens, false, normalizer, error);
    if (status == SEMBED_OK)
        status = build_set(tokens, true, normalizer, error);
    return status;
}

void added_tokens_split_special(struct added_tokens *tokens)
{
    tokens->splits_special = true;
}

bool added_tokens_allow_cuts(const struct added_tokens *tokens)
{
    return !tokens->forbids_cuts;
}

/* ------------------------------------------------------------------------------- search */

/* The token whose spelling is the longest that begins at text[at]; *matched: its bytes.
 * TRIE_NONE where none does. *work grows by the bytes that were compared. */
static uint32_t match_at(const struct pattern_set *set, const char *text, size_t length, size_t at,
                         size_t *matched, size_t *work)
{
    const struct trie_unit *node = trie_root(&set->trie);
    uint32_t token = TRIE_NONE;
    size_t i = at;
    for (; i < length; i++) {
        node = trie_child(&set->trie, node, (unsigned char)text[i]);
        if (!node)
            break;
        if (node->value != TRIE_NONE) {
            token = node->value;
            *matched = i + 1 - at;
        }
    }
    *work += i - at;
    return token;
}

/* The first place from `at` on where some spelling's first byte stands; `limit` if there is none. */
static size_t next_candidate(const struct pattern_set *set, const char *text, size_t at,
                             size_t limit)
{
    if (set->has_only) {
        const char *found = memchr(text + at, set->only, limit - at);
        return found ? (size_t)(found - text) : limit;
    }
    while (at < limit && !set->begins[(unsigned char)text[at]])
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

/* Where the spaces behind a match end. A run of them in which each is a match is gone through once. */
static size_t spaces_after(struct added_search *search, size_t stop)
{
    size_t size;
    if (stop <= search->spaces_end)
        return search->spaces_end;
    while (stop < search->length &&
           unicode_is_whitespace(unicode_decode(search->text + stop, &size)))
        stop += size;
    search->spaces_end = stop;
    return stop;
}

bool added_tokens_next(const struct added_tokens *tokens, struct added_search *search, size_t limit,
                       uint32_t *id, size_t *start, size_t *stop)
{
    const struct pattern_set *set = &tokens->sets[search->normalized];
    if (set->count == 0 && search->at < limit)
        search->at = limit;
    while (search->at < limit && search->work < ADDED_MOST_WORK) {
        search->at = next_candidate(set, search->text, search->at, limit);
        if (search->at >= limit)
            break;
        size_t length = 0;
        uint32_t found =
            match_at(set, search->text, search->length, search->at, &length, &search->work);
        if (found == TRIE_NONE) {
            search->at++;
            continue;
        }
        const struct token *token = &tokens->tokens[found];
        *start = search->at;
        *stop = search->at + length;
        search->at = *stop;
        if ((tokens->splits_special && token->special) ||
            (token->single_word && !stands_alone(search, *start, *stop)))
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
