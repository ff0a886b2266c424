#version 450
// Attention, backward of the keys and values, from shared memory; the equations
// are in attention_bwd_kv.glsl, how a workgroup shares its work in
// attention_shared.glsl. It owns keys and values and walks over queries.
#extension GL_GOOGLE_include_directive : require
#include "attention_shared.glsl"

INPUT(0, qkv);
layout(std430, set = 0, binding = 1) readonly buffer LSE { float lse[]; };
INPUT(2, dout);
layout(std430, set = 0, binding = 3) readonly buffer Delta { float delta[]; };
INOUT(4, dqkv);
#include "attention_bwd_shared.glsl"

shared vec4 keys[OWN * STRIDE];
shared vec4 values[OWN * STRIDE];
shared vec4 queries[OTHERS * STRIDE];
shared vec4 up[OTHERS * STRIDE]; // dout
shared vec4 scores[OWN * TALL];

void main() {
    Block block;
    if (!findBlock(block)) {
        return;
    }
    STAGE(keys, OWN, block.row, qkv, qkvAt(block.base + row, 1, block.head))
    STAGE(values, OWN, block.row, qkv, qkvAt(block.base + row, 2, block.head))
    vec4 dk[ROWS][WIDE], dv[ROWS][WIDE];
    CLEAR(dk)
    CLEAR(dv)
    for (uint first = 0; first < length; first += OTHERS) {
        barrier(); // the block before has been read
        STAGE(queries, OTHERS, first, qkv, qkvAt(block.base + row, 0, block.head))
        STAGE(up, OTHERS, first, dout, outAt(block.base + row, block.head))
        barrier();
        PRODUCTS(p, keys, queries)
        PRODUCTS(ds, values, up)
        for (uint c = 0; c < COLS; c++) {
            const uint column = first + gl_LocalInvocationID.x + 8 * c;
            const uint row = (block.base + min(column, length - 1)) * heads + block.head;
            const float bound = lse[row] * LOG2_E, mean = delta[row];
            for (uint r = 0; r < ROWS; r++) {
                p[r][c] = column < length ? exp2(p[r][c] * (scale * LOG2_E) - bound) : 0;
                ds[r][c] = p[r][c] * (ds[r][c] - mean);
            }
        }
        SHARE(scores, p)
        barrier();
        WEIGHTED(dv, scores, up)
        barrier(); // the probabilities have been read
        SHARE(scores, ds)
        barrier();
        WEIGHTED(dk, scores, queries)
    }
    EACH_OUTPUT(block, token, quad, r, c,
        addTo(qkvAt(token, 1, block.head) + quad, scale * dk[r][c]);
        addTo(qkvAt(token, 2, block.head) + quad, dv[r][c]);)
}
