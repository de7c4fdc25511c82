/*
 * Whoever asks a tokenizer to stop is heard, wherever it is: vocabularies and texts large enough that
 * every loop asks, stopped at each of its questions in turn; and then the same call is right.
 */
#include "core/text/tokenizer.h"
#include "tests/unit/folder.h"
#include "tests/unit/questions.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#define LETTERS    26
#define MOST_STOPS 60 /* where more questions are asked, so many of them */

/* ---------------------------------------------------------------------------- large vocabularies */

/* Every word of up to three letters: 18,278. Each of these writes them as one kind of file does. */
struct writer {
    FILE *file;
    size_t id;
};

typedef void write_word(struct writer *writer, const char *word, size_t length);

static void write_words(struct writer *writer, write_word *write)
{
    for (size_t length = 1; length <= 3; length++) {
        size_t words = length == 1 ? LETTERS : length == 2 ? 676 : 17576;
        for (size_t i = 0; i < words; i++) {
            char word[4] = {0};
            for (size_t j = length, rest = i; j-- > 0; rest /= LETTERS)
                word[j] = (char)('a' + rest % LETTERS);
            write(writer, word, length);
        }
    }
}

static void write_key(struct writer *writer, const char *word, size_t length)
{
    (void)length;
    fprintf(writer->file, ", \"%s\": %zu", word, writer->id++);
}

static void write_piece(struct writer *writer, const char *word, size_t length)
{
    fprintf(writer->file, ", [\"%s\", -%zu.5]", word, 9 - 2 * length);
}

static void write_line(struct writer *writer, const char *word, size_t length)
{
    (void)length;
    fprintf(writer->file, "%s\n", word);
}

/* A piece of a SentencePiece model: field 1 of the file, whose field 1 is the text, 2 the score. */
static void write_message(struct writer *writer, const char *word, size_t length)
{
    float score = -2.5f;
    fprintf(writer->file, "\n%c\n%c%s\x15", (int)length + 7, (int)length, word);
    fwrite(&score, sizeof score, 1, writer->file);
}

static void write_merge(struct writer *writer, const char *word, size_t length)
{
    if (length > 1)
        fprintf(writer->file, "%s\"%.*s %c\"", writer->id++ ? ", " : "", (int)length - 1, word,
                word[length - 1]);
}

static void write_merge_line(struct writer *writer, const char *word, size_t length)
{
    if (length > 1)
        fprintf(writer->file, "%.*s %c\n", (int)length - 1, word, word[length - 1]);
}

static struct writer writer_open(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct writer writer = {fopen(path, "w"), 0};
    assert_non_null(writer.file);
    return writer;
}

static void write_vocabulary(struct writer *writer, const char *first)
{
    fprintf(writer->file, "{\"%s\": 0", first);
    writer->id = 1;
    write_words(writer, write_key);
    fprintf(writer->file, "}");
}

#define NORMALIZERS                                                                                \
    "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKC\"}, "            \
    "{\"type\": \"Lowercase\"}]}, "

static void write_wordpiece(const char *folder)
{
    struct writer writer = writer_open(folder, "tokenizer.json");
    fprintf(
        writer.file,
        "{\"normalizer\": {\"type\": \"BertNormalizer\"}, \"pre_tokenizer\": {\"type\": "
        "\"BertPreTokenizer\"}, \"model\": {\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", "
        "\"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100, \"vocab\": ");
    write_vocabulary(&writer, "[UNK]");
    fprintf(writer.file, "}}");
    fclose(writer.file);
}

static void write_bpe(const char *folder)
{
    struct writer writer = writer_open(folder, "tokenizer.json");
    fprintf(writer.file,
            "{" NORMALIZERS "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"use_regex\": true}, "
            "\"model\": {\"type\": \"BPE\", \"vocab\": ");
    write_vocabulary(&writer, "\xC4\xA0");
    fprintf(writer.file, ", \"merges\": [");
    writer.id = 0;
    write_words(&writer, write_merge);
    fprintf(writer.file, "]}}");
    fclose(writer.file);
}

static void write_merges_txt(const char *folder)
{
    struct writer writer = writer_open(folder, "vocab.json");
    write_vocabulary(&writer, "\xC4\xA0");
    fclose(writer.file);
    writer = writer_open(folder, "merges.txt");
    write_words(&writer, write_merge_line);
    fclose(writer.file);
}

static void write_unigram(const char *folder)
{
    struct writer writer = writer_open(folder, "tokenizer.json");
    fprintf(writer.file,
            "{" NORMALIZERS "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\"}, "
            "\"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": "
            "[[\"<unk>\", 0.0]");
    write_words(&writer, write_piece);
    fprintf(writer.file, "]}}");
    fclose(writer.file);
}

static void write_vocab_txt(const char *folder)
{
    struct writer writer = writer_open(folder, "vocab.txt");
    fprintf(writer.file, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    write_words(&writer, write_line);
    fclose(writer.file);
}

static void write_sentencepiece(const char *folder)
{
    struct writer writer = writer_open(folder, "sentencepiece.bpe.model");
    write_message(&writer, "<unk>", 5);
    write_message(&writer, "<s>", 3);
    write_message(&writer, "</s>", 4);
    write_words(&writer, write_message);
    fclose(writer.file);
}

/* ------------------------------------------------------------------------------------- stopping */

typedef sembed_status stoppable(void *data, const sembed_poll *poll, sembed_error *error);

/* Calls it once to count the questions, then stops it at each. */
static void stop_everywhere(stoppable *call, void *data, size_t fewest)
{
    sembed_error error = {0};
    struct questions questions = {0};
    const sembed_poll poll = questions_poll(&questions);
    assert_ok(call(data, &poll, &error), error);
    size_t all = questions.asked, step = all / MOST_STOPS + 1;
    assert_true(all >= fewest);
    for (size_t stop = 1; stop <= all; stop += step) {
        questions = (struct questions){.stop_at = stop};
        assert_fails(call(data, &poll, &error), SEMBED_CANCELED, error, "");
        assert_int_equal(questions.asked, stop); /* and nothing is done after it */
    }
    questions = (struct questions){0};
    assert_ok(call(data, &poll, &error), error);
    assert_int_equal(questions.asked, all);
}

static sembed_status open_folder(void *data, const sembed_poll *poll, sembed_error *error)
{
    struct tokenizer *tokenizer = NULL;
    sembed_status status = tokenizer_open(data, poll, &tokenizer, error);
    tokenizer_close(tokenizer);
    return status;
}

static void large_vocabularies_can_be_stopped_while_they_are_read(void **state)
{
    (void)state;
    static const struct {
        void (*write)(const char *folder);
        size_t fewest; /* questions: one for each pass over the vocabulary */
    } kinds[] = {
        {write_wordpiece, 5},  {write_vocab_txt, 8},     {write_bpe, 8},
        {write_merges_txt, 8}, {write_sentencepiece, 7}, {write_unigram, 6},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char *folder = folder_create();
        kinds[i].write(folder);
        stop_everywhere(open_folder, folder, kinds[i].fewest);
        folder_remove(folder);
    }
}

/* A text for a tokenizer. */
struct encoding_call {
    struct tokenizer *tokenizer;
    struct tokenizer_scratch *scratch;
    sembed_text text;
    struct encoding encoding;
    size_t tokens; /* of the first call that ended, 0 before */
};

static sembed_status encode_text(void *data, const sembed_poll *poll, sembed_error *error)
{
    struct encoding_call *call = data;
    sembed_status status = tokenizer_encode(call->tokenizer, call->scratch, call->text, SIZE_MAX,
                                            true, poll, &call->encoding, error);
    if (status == SEMBED_OK && call->tokens)
        assert_int_equal(call->encoding.count, call->tokens);
    if (status == SEMBED_OK)
        call->tokens = call->encoding.count;
    return status;
}

static void stop_in_texts(void (*write)(const char *))
{
    enum { SIZE = 300000 };
    static char text[SIZE];
    /* One word without end; words of one letter; what is no letter; marks; bytes that are no text. */
    static const char *const texts[] = {"abcxyzq",           "a b ",   "1,",
                                        "e\xCC\x81\xCC\xA3", "ab\xFF", "\xE2\x84\xAB\xE4\xBA\xAC"};
    sembed_error error = {0};
    struct encoding_call call = {.text = {text, SIZE}};
    char *folder = folder_create();
    write(folder);
    assert_ok(tokenizer_open(folder, NULL, &call.tokenizer, &error), error);
    assert_ok(tokenizer_scratch_create(&call.scratch, &error), error);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t length = strlen(texts[i]);
        for (size_t j = 0; j < SIZE; j++)
            text[j] = texts[i][j % length];
        call.tokens = 0;
        stop_everywhere(encode_text, &call, 2);
    }
    encoding_free(&call.encoding);
    tokenizer_scratch_destroy(call.scratch);
    tokenizer_close(call.tokenizer);
    folder_remove(folder);
}

static void wordpiece_can_be_stopped(void **state)
{
    (void)state;
    stop_in_texts(write_wordpiece);
}

static void bpe_can_be_stopped(void **state)
{
    (void)state;
    stop_in_texts(write_bpe);
}

static void unigram_can_be_stopped(void **state)
{
    (void)state;
    stop_in_texts(write_unigram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_vocabularies_can_be_stopped_while_they_are_read),
        cmocka_unit_test(wordpiece_can_be_stopped),
        cmocka_unit_test(bpe_can_be_stopped),
        cmocka_unit_test(unigram_can_be_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
