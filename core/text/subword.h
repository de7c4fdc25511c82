/*
 * What the subword models (WordPiece, BPE, Unigram) have in common: a pre-token's bytes go in,
 * vocabulary pieces come out.
 *
 * Each model is a struct of its own (wordpiece.h, bpe.h, unigram.h), immutable once created, with
 *
 *     <model>_create(file, object, vocabulary, poll, &model, error)
 *     <model>_destroy(model)
 *     <model>_split(model, scratch, word, length, pieces, error)     appends to pieces
 *
 * object being tokenizer.json's "model", and scratch the model's own working memory, one per
 * thread, reused from word to word. tokenizer.c picks one by "type" and keeps it.
 */
#ifndef SEMBED_TEXT_SUBWORD_H
#define SEMBED_TEXT_SUBWORD_H

#include "core/base/error.h"

/* One piece of a word: bytes [start, stop) of it. */
struct piece {
    uint32_t id;
    uint32_t start, stop;
};

/* Grows with memory_grow; zero-initialise; the owner frees items. */
struct pieces {
    struct piece *items;
    size_t count, capacity;
};

/* Appends one piece; SEMBED_NO_MEMORY where there is no room. */
SEMBED_MUST_CHECK sembed_status pieces_append(struct pieces *pieces, uint32_t id, size_t start,
                                              size_t stop, sembed_error *error);

#endif
