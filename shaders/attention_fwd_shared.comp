#version 450
// Attention, forward, from shared memory: o and lse from qkv; the equations are
// in attention.glsl, how a workgroup shares its work in attention_shared.glsl.
// Softmax runs online over blocks of keys (Milakov and Gimelshein, arXiv
// 1805.02867): a new maximum rescales what is summed so far. All sums in f32.
#extension GL_GOOGLE_include_directive : require
#include "attention_shared.glsl"

INPUT(0, qkv);
OUTPUT(1, o);
layout(std430, set = 0, binding = 2) writeonly buffer LSE { float lse[]; };

// Probabilities take the place of the keys, with the parts of their rows' maxima
// and sums behind them.
const uint BEHIND = OWN * TALL;
const uint KEYS = OTHERS * STRIDE > BEHIND + 2 * OWN ? OTHERS * STRIDE : BEHIND + 2 * OWN;
shared vec4 queries[OWN * STRIDE];
shared vec4 keys[KEYS];
shared vec4 values[OTHERS * STRIDE];

void main() {
    Block block;
    if (!findBlock(block)) {
        return;
    }
    STAGE(queries, OWN, block.row, qkv, qkvAt(block.base + row, 0, block.head))
    vec4 sum[ROWS][WIDE];
    float top[ROWS];   // maximum of the scores so far, in powers of two
    float total[ROWS]; // sum of exp2(score - top) over this invocation's columns
    CLEAR(sum)
    for (uint r = 0; r < ROWS; r++) {
        top[r] = LOWEST;
        total[r] = 0;
    }
    for (uint first = 0; first < length; first += OTHERS) {
        barrier(); // the block before has been read
        STAGE(keys, OTHERS, first, qkv, qkvAt(block.base + row, 1, block.head))
        STAGE(values, OTHERS, first, qkv, qkvAt(block.base + row, 2, block.head))
        barrier();
        PRODUCTS(p, queries, keys)
        barrier(); // the keys have been read
        for (uint r = 0; r < ROWS; r++) {
            float high = LOWEST;
            for (uint c = 0; c < COLS; c++) {
                const bool inside = first + gl_LocalInvocationID.x + 8 * c < length;
                p[r][c] = inside ? p[r][c] * (scale * LOG2_E) : LOWEST;
                high = max(high, p[r][c]);
            }
            PART(keys, BEHIND, r) = high;
        }
        barrier();
        for (uint r = 0; r < ROWS; r++) {
            const float high = max(top[r], PARTS(keys, BEHIND, r, maxOf));
            const float shrink = exp2(top[r] - high);
            top[r] = high;
            total[r] *= shrink;
            for (uint c = 0; c < COLS; c++) {
                p[r][c] = exp2(p[r][c] - high);
                total[r] += p[r][c];
            }
            for (uint c = 0; c < WIDE; c++) {
                sum[r][c] *= shrink;
            }
        }
        SHARE(keys, p)
        barrier();
        WEIGHTED(sum, keys, values)
    }
    barrier();
    for (uint r = 0; r < ROWS; r++) {
        PART(keys, BEHIND, r) = total[r];
    }
    barrier();
    for (uint r = 0; r < ROWS; r++) {
        total[r] = PARTS(keys, BEHIND, r, sumOf);
        const uint line = block.row + gl_LocalInvocationID.y + 8 * r;
        if (gl_LocalInvocationID.x == 0 && line < length) {
            lse[(block.base + line) * heads + block.head] = (top[r] + log2(total[r])) / LOG2_E;
        }
    }
    EACH_OUTPUT(block, token, quad, r, c, STORE(o, outAt(token, block.head) + quad, sum[r][c] / total[r]))
}
