// Attention, backward of the keys and values, on matrix units; see
// attention_coop.glsl and attention_bwd_kv.glsl. Probabilities and the gradients of
// scores are rounded to 16 bits for their products with dout and q.
#include "attention_coop.glsl"

INPUT(0, qkv);
layout(std430, set = 0, binding = 1) readonly buffer LSE { float lse[]; };
INPUT(2, dout);
layout(std430, set = 0, binding = 3) readonly buffer Delta { float delta[]; };
INOUT(4, dqkv);
#include "attention_bwd_coop.glsl"

// Of the queries: lse in powers of two, and delta. Past the sequence's end
// probabilities are zero.
shared float bounds[OTHERS];
shared float means[OTHERS];

#define FETCH_BLOCK(first)                                                                        \
    FETCH_OTHERS(queries, first, qkv, qkvAt(block.base + row, 0, block.head))                     \
    FETCH_OTHERS(up, first, dout, outAt(block.base + row, block.head))

void main() {
    Block block;
    if (!findBlock(block)) {
        return;
    }
    LOAD_OWN(keys, qkv, qkvAt(block.base + row, 1, block.head))
    LOAD_OWN(values, qkv, qkvAt(block.base + row, 2, block.head))
    SUMS dk[ROWS * PARTS], dv[ROWS * PARTS];
    CLEAR(dk)
    CLEAR(dv)
    uvec4 queries[LOADS], up[LOADS]; // loaded while the block before is at work
    FETCH_BLOCK(0)
    for (uint first = 0; first < length; first += OTHERS) {
        barrier(); // the block before has been read
        STAGE_OTHERS(0, queries)
        STAGE_OTHERS(1, up)
        for (uint e = gl_LocalInvocationIndex; e < OTHERS; e += INVOCATIONS) {
            const uint at = (block.base + min(first + e, length - 1)) * heads + block.head;
            bounds[e] = first + e < length ? lse[at] * LOG2_E : -LOWEST;
            means[e] = delta[at];
        }
        barrier();
        if (first + OTHERS < length) {
            FETCH_BLOCK(first + OTHERS)
        }
        [[unroll]] for (uint c = 0; c < COLS; c++) {
            if (inside(first, c * MATRIX_N)) {
                SUMS p[ROWS], ds[ROWS], bound, mean;
                CLEAR_ROWS(p)
                CLEAR_ROWS(ds)
                PRODUCTS(p, ROW, keys, 0, c)
                PRODUCTS(ds, ROW, values, 1, c)
                coopMatLoad(bound, bounds, c * MATRIX_N, 0, BY_ROWS);
                coopMatLoad(mean, means, c * MATRIX_N, 0, BY_ROWS);
                EACH(r, i,
                    p[r][i] = exp2(p[r][i] * (scale * LOG2_E) - bound[i]);
                    ds[r][i] = p[r][i] * (ds[r][i] - mean[i]);)
                HAND_ON(dv, p, ROW, 0, 1, c)
                HAND_ON(dk, ds, ROW, 1, 0, c)
            }
        }
        ROUND_SCORES
        WEIGHTED(dv, 0, 1, first)
        WEIGHTED(dk, 1, 0, first)
    }
    STORE_SUMS(dk, scale, SAVE_GRADIENT, qkvAt(block.base + row, 1, block.head))
    STORE_SUMS(dv, 1, SAVE_GRADIENT, qkvAt(block.base + row, 2, block.head))
}
