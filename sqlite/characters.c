/*
 * Bytes → characters. The core counts bytes; SQL's substr counts characters:
 *
 *     bytes     c  a  f  é     _  中
 *               0  1  2  3  4  5  6  7  8
 *     begins    1  1  1  1  0  1  1  0  0  and a last 1 at the end of the text
 *     number    0  1  2  3  3  4  5  5  5  6
 *
 * The bits are kept 64 to a word, each word with how many went before it: a fifth of a byte for each
 * byte of the text, and an answer is one look-up and one population count, whatever the order in
 * which bytes are asked for.
 */
#include "sqlite/extension.h"

#include <string.h>

enum { WORD = 64 };

/* A character begins with any byte and takes the continuation bytes behind it where that byte is C0
 * or more. So counts SQLite, valid UTF-8 or not (SQLITE_SKIP_UTF8). False where poll says stop. */
static bool mark(sembed_text text, const sembed_poll *poll, uint64_t *begins)
{
    size_t i = 0, next_poll = 0;
    while (i < text.length) {
        if (poll_wants_stop_past(poll, i, &next_poll))
            return false;
        begins[i / WORD] |= UINT64_C(1) << i % WORD;
        if ((unsigned char)text.data[i++] >= 0xC0)
            while (i < text.length && ((unsigned char)text.data[i] & 0xC0) == 0x80)
                i++;
    }
    begins[i / WORD] |= UINT64_C(1) << i % WORD;
    return true;
}

sembed_status characters_find(sembed_text text, const sembed_poll *poll,
                              struct characters *characters, sembed_error *error)
{
    /* One bit behind the text, and one word behind that for characters_at of the text's end. */
    size_t words = text.length / WORD + 2;
    characters->begins = sqlite3_malloc64(words * sizeof *characters->begins);
    characters->before = sqlite3_malloc64(words * sizeof *characters->before);
    if (!characters->begins || !characters->before) {
        characters_free(characters);
        return error_no_memory(error, "the characters of a text");
    }
    memset(characters->begins, 0, words * sizeof *characters->begins);
    if (!mark(text, poll, characters->begins)) {
        characters_free(characters);
        return error_canceled(error);
    }
    uint32_t count = 0;
    for (size_t i = 0; i < words; i++) {
        characters->before[i] = count;
        count += (uint32_t)__builtin_popcountll(characters->begins[i]);
    }
    return SEMBED_OK;
}

void characters_free(struct characters *characters)
{
    sqlite3_free(characters->begins);
    sqlite3_free(characters->before);
    *characters = (struct characters){0};
}

size_t characters_before(const struct characters *characters, size_t byte)
{
    uint64_t earlier = characters->begins[byte / WORD] & ((UINT64_C(1) << byte % WORD) - 1);
    return characters->before[byte / WORD] + (size_t)__builtin_popcountll(earlier);
}

size_t characters_at(const struct characters *characters, size_t byte)
{
    return characters_before(characters, byte + 1) - 1;
}
