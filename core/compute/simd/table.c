#include "core/compute/simd/simd.h"
#include "core/compute/simd/vector.h"

#define STRING2(word) #word
#define STRING(word)  STRING2(word)

extern const struct kernels NAME(kernels);

const struct kernels NAME(kernels) = {
    .name = STRING(SIMD_SET),
    .lanes = LANES,
    .widen = NAME(widen),
    .embed_norm = NAME(embed_norm),
    .add_norm = NAME(add_norm),
    .finish = NAME(finish),
    .narrow = NAME(narrow),
    .quantize_weights = NAME(quantize_weights),
    .bias_activate = NAME(bias_activate),
    .attention = NAME(attention),
    .attention_scratch = NAME(attention_scratch),
#if defined(__AMX_BF16__)
    .attention_tiles = NAME(attention_tiles),
    .attention_tiles_scratch = NAME(attention_tiles_scratch),
#endif
    .pool_sum = NAME(pool_sum),
    .pool_max = NAME(pool_max),
    .dot = NAME(dot),
    .dot_three = NAME(dot_three),
    .dot_two = NAME(dot_two),
    .squared_distance = NAME(squared_distance),
    .absolute_distance = NAME(absolute_distance),
};
