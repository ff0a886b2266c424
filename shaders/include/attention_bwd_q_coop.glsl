// Attention, backward of the queries, on matrix units; see attention_coop.glsl and
// attention_bwd_q.glsl. The gradients of scores are rounded to 16 bits for their
// product with k.
#include "attention_coop.glsl"

INPUT(0, qkv);
INPUT(1, o);
layout(std430, set = 0, binding = 2) readonly buffer LSE { float lse[]; };
INPUT(3, dout);
INOUT(4, dqkv);
layout(std430, set = 0, binding = 5) writeonly buffer Delta { float delta[]; };
#include "attention_bwd_coop.glsl"

shared float mask[OTHERS]; // added to scores: LOWEST past the sequence's end

#define FETCH_BLOCK(first)                                                                        \
    FETCH_OTHERS(keys, first, qkv, qkvAt(block.base + row, 1, block.head))                        \
    FETCH_OTHERS(values, first, qkv, qkvAt(block.base + row, 2, block.head))

void main() {
    Block block;
    if (!findBlock(block)) {
        return;
    }
    LOAD_OWN(queries, qkv, qkvAt(block.base + row, 0, block.head))
    LOAD_OWN(up, dout, outAt(block.base + row, block.head))
    SUMS bound[ROWS], mean[ROWS]; // lse in powers of two, and delta, in all columns
    for (uint e = gl_SubgroupInvocationID; e < 4 * LINES; e += SUBGROUP) {
        const uint at = outAt(block.base + min(block.row + ownNumbers() + e / 4, length - 1), block.head);
        float part = 0;
        for (uint quad = e % 4; quad < QUADS; quad += 4) {
            part += dot(FETCH(dout, at + quad), FETCH(o, at + quad));
        }
        scratch[ownScratch() + e / 4][e % 4] = floatBitsToUint(part);
    }
    subgroupBarrier();
    for (uint line = gl_SubgroupInvocationID; line < LINES; line += SUBGROUP) {
        const uint row = block.row + ownNumbers() + line;
        const vec4 parts = uintBitsToFloat(scratch[ownScratch() + line]);
        numbers[ownNumbers() + line] = (parts.x + parts.y) + (parts.z + parts.w);
        if (row < length) {
            delta[(block.base + row) * heads + block.head] = numbers[ownNumbers() + line];
        }
    }
    subgroupBarrier();
    SPREAD(mean)
    subgroupBarrier();
    for (uint line = gl_SubgroupInvocationID; line < LINES; line += SUBGROUP) {
        const uint row = min(block.row + ownNumbers() + line, length - 1);
        numbers[ownNumbers() + line] = lse[(block.base + row) * heads + block.head] * LOG2_E;
    }
    subgroupBarrier();
    SPREAD(bound)

    SUMS sum[ROWS * PARTS];
    CLEAR(sum)
    uvec4 keys[LOADS], values[LOADS]; // loaded while the block before is at work
    FETCH_BLOCK(0)
    for (uint first = 0; first < length; first += OTHERS) {
        barrier(); // the block before has been read
        STAGE_OTHERS(0, keys)
        STAGE_OTHERS(1, values)
        for (uint e = gl_LocalInvocationIndex; e < OTHERS; e += INVOCATIONS) {
            mask[e] = first + e < length ? 0 : LOWEST;
        }
        barrier();
        if (first + OTHERS < length) {
            FETCH_BLOCK(first + OTHERS)
        }
        [[unroll]] for (uint c = 0; c < COLS; c++) {
            if (inside(first, c * MATRIX_N)) {
                SUMS s[ROWS], ds[ROWS];
                [[unroll]] for (uint r = 0; r < ROWS; r++) {
                    coopMatLoad(s[r], mask, c * MATRIX_N, 0, BY_ROWS);
                    ds[r] = SUMS(0);
                }
                PRODUCTS(s, ROW, queries, 0, c)
                PRODUCTS(ds, ROW, up, 1, c)
                EACH(r, i, ds[r][i] = exp2(s[r][i] * (scale * LOG2_E) - bound[r][i]) * (ds[r][i] - mean[r][i]);)
                HAND_ON(sum, ds, ROW, 0, 0, c)
            }
        }
        ROUND_SCORES
        WEIGHTED(sum, 0, 0, first)
    }
    STORE_SUMS(sum, scale, SAVE_GRADIENT, qkvAt(block.base + row, 0, block.head))
}
