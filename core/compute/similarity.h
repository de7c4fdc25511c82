/* How close two vectors are; higher is closer. All sums are in double. Source:
 * sentence_transformers.util.similarity. Cosine is sembed_cos_sim of core/sembed.h. */
#ifndef SEMBED_COMPUTE_SIMILARITY_H
#define SEMBED_COMPUTE_SIMILARITY_H

#include <stddef.h>

/* a[n]·b[n] */
double dot_score(const float *a, const float *b, size_t n);

/* −|a − b| */
double euclidean_sim(const float *a, const float *b, size_t n);

/* −Σ|aᵢ − bᵢ| */
double manhattan_sim(const float *a, const float *b, size_t n);

#endif
