#version 450
// Attention, backward of the queries, from shared memory; the equations are in
// attention_bwd_q.glsl, how a workgroup shares its work in
// attention_shared.glsl. It owns queries and walks over keys and values.
#extension GL_GOOGLE_include_directive : require
#include "attention_shared.glsl"

INPUT(0, qkv);
INPUT(1, o);
layout(std430, set = 0, binding = 2) readonly buffer LSE { float lse[]; };
INPUT(3, dout);
INOUT(4, dqkv);
#include "attention_bwd_shared.glsl"
layout(std430, set = 0, binding = 5) writeonly buffer Delta { float delta[]; };

// The gradients of the scores take the place of the values.
const uint VALUES = OTHERS * STRIDE > OWN * TALL ? OTHERS * STRIDE : OWN * TALL;
shared vec4 queries[OWN * STRIDE];
shared vec4 up[OWN * STRIDE]; // dout
shared vec4 keys[OTHERS * STRIDE];
shared vec4 values[VALUES];

void main() {
    Block block;
    if (!findBlock(block)) {
        return;
    }
    STAGE(queries, OWN, block.row, qkv, qkvAt(block.base + row, 0, block.head))
    STAGE(up, OWN, block.row, dout, outAt(block.base + row, block.head))
    barrier();
    vec4 sum[ROWS][WIDE];
    float bound[ROWS]; // lse in powers of two
    float mean[ROWS];  // delta
    CLEAR(sum)
    for (uint r = 0; r < ROWS; r++) {
        const uint own = gl_LocalInvocationID.y + 8 * r;
        const uint token = block.base + min(block.row + own, length - 1);
        bound[r] = lse[token * heads + block.head] * LOG2_E;
        float part = 0;
        for (uint quad = gl_LocalInvocationID.x; quad < QUADS; quad += 8) {
            part += dot(up[AT(own, quad)], FETCH(o, outAt(token, block.head) + quad));
        }
        PART(keys, 0, r) = part;
    }
    barrier();
    for (uint r = 0; r < ROWS; r++) {
        mean[r] = PARTS(keys, 0, r, sumOf);
    }
    for (uint first = 0; first < length; first += OTHERS) {
        barrier(); // the block before has been read
        STAGE(keys, OTHERS, first, qkv, qkvAt(block.base + row, 1, block.head))
        STAGE(values, OTHERS, first, qkv, qkvAt(block.base + row, 2, block.head))
        barrier();
        PRODUCTS(ds, queries, keys)
        PRODUCTS(dp, up, values)
        for (uint r = 0; r < ROWS; r++) {
            for (uint c = 0; c < COLS; c++) {
                ds[r][c] = exp2(ds[r][c] * (scale * LOG2_E) - bound[r]) * (dp[r][c] - mean[r]);
                ds[r][c] = first + gl_LocalInvocationID.x + 8 * c < length ? ds[r][c] : 0;
            }
        }
        barrier(); // the values have been read
        SHARE(values, ds)
        barrier();
        WEIGHTED(sum, values, keys)
    }
    EACH_OUTPUT(block, token, quad, r, c,
        addTo(qkvAt(token, 0, block.head) + quad, scale * sum[r][c]);
        if (quad == 0) {
            delta[token * heads + block.head] = mean[r];
        })
}
