// Attention for llvmpipe, in the straight code that uniform.glsl asks for; the
// equations are in attention.glsl. A subgroup's lanes are as many rows of one
// head of a sequence, with a component a register; it reads the rows that these
// meet as scalars, so that nothing goes from lane to lane. Rows past the end repeat
// the last one and are not stored.
//
// A workgroup has BLOCKS times LANES rows of a head of a sequence. A dispatch has SPAN
// keys from `key` on, as more code would no longer fit the caches, and others go before
// or after it; of these keys the first `skip` were in the one before. Declare the push
// constants before including this file, with those of uniform.glsl, `uint start, key,
// skip` and `float scale`.
#include "uniform.glsl"
layout(constant_id = 0) const uint HD = 32u; // a multiple of PART
layout(constant_id = 1) const uint LENGTH = 17u;
layout(constant_id = 2) const uint HEADS = 1u;
layout(constant_id = 3) const uint BLOCKS = 3u;
layout(constant_id = 4) const uint SPAN = 17u; // KEYS or more
layout(constant_id = 5) const uint SPANS = 1u; // skip is less
layout(local_size_x_id = 98, local_size_y_id = 3) in;

const uint KEYS = 14u; // whose scores are in registers at once
const uint COLUMNS = 8u; // that are loaded between cuts
const uint WIDE = 8u;  // components whose sums are
const uint PART = 16u; // that a workgroup has, where it has not all
const uint PADDED = (SPAN + LANES - 1u) / LANES * LANES;
const uint ROW = 3u * HEADS * HD; // of qkv
const uint STRAIGHT = 2112u; // multiply-adds that scores may take without a CUT
const float LOG2_E = 1.4426950408889634;
const float LOWEST = -3.0e38;

// hidden is what makes the score of key j of the span vanish where it is skipped.
float hidden(uint j) { return j + 1u < SPANS && j < skip ? LOWEST : 0.0; }

// masked is x where the mask has all its bits, and 0 where it has none.
float masked(float x, uint mask) { return uintBitsToFloat(floatBitsToUint(x) & mask); }

// COLUMN is component d of LANES rows, one a lane; of a table of 16.
#define COLUMN(rows, d) (LANES == 16u ? ofLane(EIGHT_ROWS(rows, 0, d), EIGHT_ROWS(rows, 8, d)) : ofLane(EIGHT_ROWS(rows, 0, d)))
#define EIGHT_ROWS(rows, i, d) rows[i].at[d], rows[i + 1].at[d], rows[i + 2].at[d], rows[i + 3].at[d], \
    rows[i + 4].at[d], rows[i + 5].at[d], rows[i + 6].at[d], rows[i + 7].at[d]

// DOTS adds to the scores of the KEYS rows of x from j on, STRIDE elements apart,
// their products with own.
#define DOTS(score, x, STRIDE, own, j)                                                  \
    [[unroll]] for (uint d = 0u; d < HD; ++d) {                                         \
        [[unroll]] for (uint i = 0u; i < KEYS; ++i) {                                   \
            if (j + i < SPAN) {                                                         \
                score[i] = fma(x.at[(j + i) * STRIDE + d], own[d], score[i]);           \
            }                                                                           \
        }                                                                               \
    }

// WEIGHTED adds to the sums of WIDE components from d on those of n rows of x, STRIDE
// elements apart, times their weights, of which WEIGHT(j) is that of row j.
#define WEIGHTED(sum, WEIGHT, x, n, STRIDE, d)                                          \
    [[unroll]] for (uint j = 0u; j < n; ++j) {                                          \
        const float w = WEIGHT(j);                                                      \
        [[unroll]] for (uint i = 0u; i < WIDE; ++i) {                                   \
            sum[i] = fma(x.at[j * STRIDE + d + i], w, sum[i]);                          \
        }                                                                               \
    }

// QUADS_OUT declares a buffer of which each lane writes four elements at once, by
// QUAD_STORE the i-th such; where subgroups are of 16 llvmpipe has no 64-bit numbers
// that differ from lane to lane.
#define QUADS_OUT(BINDING, NAME)                                                                       \
    layout(std430, set = 0, binding = BINDING) writeonly buffer NAME##Quads { u64vec2 NAME##Quad[]; };  \
    layout(std430, set = 0, binding = BINDING) writeonly buffer NAME##Floats { float NAME##Float[]; }
#define QUAD_STORE(NAME, i, v)                                               \
    if (LANES == 16u) {                                                      \
        NAME##Float[4u * (i)] = (v).x;                                       \
        NAME##Float[4u * (i) + 1u] = (v).y;                                  \
        NAME##Float[4u * (i) + 2u] = (v).z;                                  \
        NAME##Float[4u * (i) + 3u] = (v).w;                                  \
    } else {                                                                 \
        NAME##Quad[i] = u64vec2(pair((v).xy), pair((v).zw));                 \
    }
