// Attention for llvmpipe, in the straight code that uniform.glsl asks for; the
// equations are in attention.glsl. A subgroup's eight lanes are eight rows of one
// head of a sequence, with a component a register; it reads the rows that these
// meet as scalars, so that nothing goes from lane to lane. Rows past the end repeat
// the last one and are not stored.
//
// A workgroup has a head of a sequence. Declare the push constants before including
// this file, with those of uniform.glsl, `uint start` and `float scale`.
#include "uniform.glsl"
layout(constant_id = 0) const uint HD = 32u; // a multiple of PART
layout(constant_id = 1) const uint LENGTH = 17u; // KEYS or more
layout(constant_id = 2) const uint HEADS = 1u;
layout(constant_id = 3) const uint BLOCKS = 3u; // of eight rows, of a sequence
layout(local_size_x = 8, local_size_y_id = 3) in;

const uint KEYS = 14u; // whose scores are in registers at once
const uint WIDE = 8u;  // components whose sums are
const uint PART = 16u; // that a workgroup has, where it has not all
const uint PADDED = (LENGTH + 7u) / 8u * 8u;
const uint ROW = 3u * HEADS * HD; // of qkv
const uint STRAIGHT = 2112u; // multiply-adds that scores may take without a CUT
const float LOG2_E = 1.4426950408889634;

// COLUMN is component d of eight rows, one a lane.
#define COLUMN(rows, d) ofLane(rows[0].at[d], rows[1].at[d], rows[2].at[d], rows[3].at[d], \
    rows[4].at[d], rows[5].at[d], rows[6].at[d], rows[7].at[d])

// DOTS adds to the scores of the KEYS rows of x from j on, STRIDE elements apart,
// their products with own.
#define DOTS(score, x, STRIDE, own, j)                                                  \
    [[unroll]] for (uint d = 0u; d < HD; ++d) {                                         \
        [[unroll]] for (uint i = 0u; i < KEYS; ++i) {                                   \
            if (j + i < LENGTH) {                                                       \
                score[i] = fma(x.at[(j + i) * STRIDE + d], own[d], score[i]);           \
            }                                                                           \
        }                                                                               \
    }

// WEIGHTED adds to the sums of WIDE components from d on those of the rows of x,
// STRIDE elements apart, times their weights, of which WEIGHT(j) is that of row j.
#define WEIGHTED(sum, WEIGHT, x, STRIDE, d)                                             \
    [[unroll]] for (uint j = 0u; j < LENGTH; ++j) {                                     \
        const float w = WEIGHT(j);                                                      \
        [[unroll]] for (uint i = 0u; i < WIDE; ++i) {                                   \
            sum[i] = fma(x.at[j * STRIDE + d + i], w, sum[i]);                          \
        }                                                                               \
    }

u64vec2 quad(vec4 v) { return u64vec2(pair(v.xy), pair(v.zw)); }
