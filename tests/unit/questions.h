/* A poll for tests: it counts how often it is asked, and says stop to one of the questions. */
#ifndef SEMBED_TESTS_QUESTIONS_H
#define SEMBED_TESTS_QUESTIONS_H

#include "core/sembed.h"

struct questions {
    size_t asked;
    size_t stop_at; /* 1: at the first; 0: at none */
};

static inline int questions_answer(void *state)
{
    struct questions *questions = state;
    return ++questions->asked == questions->stop_at;
}

static inline sembed_poll questions_poll(struct questions *questions)
{
    return (sembed_poll){questions_answer, questions};
}

#endif
