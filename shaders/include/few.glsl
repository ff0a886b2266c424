// For llvmpipe, what is done to each element by itself and is little. FEW elements go
// at once: with quick broadcasts a block, in runs, else a quad by all lanes alike,
// which store as one; uniform.glsl's other stores are slower there.
#include "uniform.glsl"

const uint FEW = BROADCASTS ? BLOCK : 4u;
#define FEW_OF(x, first) (BROADCASTS ? RUNS_OF(x, first) : vec4(x.at[first], x.at[(first) + 1u], x.at[(first) + 2u], x.at[(first) + 3u]))
#define FEW_STORE(NAME, first, v)                                                                      \
    if (BROADCASTS) {                                                                                  \
        BLOCK_STORE(NAME, first, v)                                                                    \
    } else {                                                                                           \
        NAME##Quad[(first) / 4u] = u64vec2(pair((v).xy), pair((v).zw));                                \
    }
