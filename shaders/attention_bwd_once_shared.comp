#version 450
// Attention, backward, of sequences that are one block, from shared memory; the
// equations are in attention_bwd_q.glsl and attention_bwd_kv.glsl, how a
// workgroup shares its work in attention_shared.glsl. It owns all keys and
// values and makes all three gradients from one product of scores. ROWS = COLS.
#extension GL_GOOGLE_include_directive : require
#include "attention_shared.glsl"

INPUT(0, qkv);
INPUT(1, o);
layout(std430, set = 0, binding = 2) readonly buffer LSE { float lse[]; };
INPUT(3, dout);
INOUT(4, dqkv);
#include "attention_bwd_shared.glsl"

// Scores take the place of the values.
const uint VALUES = OWN * STRIDE > OWN * TALL ? OWN * STRIDE : OWN * TALL;
shared vec4 keys[OWN * STRIDE];
shared vec4 values[VALUES];
shared vec4 queries[OWN * STRIDE];
shared vec4 up[OWN * STRIDE]; // dout
shared float means[OWN];      // delta

void main() {
    Block block;
    if (!findBlock(block)) {
        return;
    }
    STAGE(keys, OWN, 0, qkv, qkvAt(block.base + row, 1, block.head))
    STAGE(queries, OWN, 0, qkv, qkvAt(block.base + row, 0, block.head))
    STAGE(up, OWN, 0, dout, outAt(block.base + row, block.head))
    barrier();
    for (uint r = 0; r < ROWS; r++) {
        const uint own = gl_LocalInvocationID.y + 8 * r;
        float part = 0;
        for (uint quad = gl_LocalInvocationID.x; quad < QUADS; quad += 8) {
            part += dot(up[AT(own, quad)], FETCH(o, outAt(block.base + min(own, length - 1), block.head) + quad));
        }
        PART(values, 0, r) = part;
    }
    barrier();
    for (uint r = 0; r < ROWS; r++) {
        if (gl_LocalInvocationID.x == 0) {
            means[gl_LocalInvocationID.y + 8 * r] = PARTS(values, 0, r, sumOf);
        }
    }
    barrier();
    STAGE(values, OWN, 0, qkv, qkvAt(block.base + row, 2, block.head))
    barrier();
    PRODUCTS(p, keys, queries)
    PRODUCTS(ds, values, up)
    for (uint c = 0; c < COLS; c++) {
        const uint column = gl_LocalInvocationID.x + 8 * c;
        const float bound = lse[(block.base + min(column, length - 1)) * heads + block.head] * LOG2_E;
        for (uint r = 0; r < ROWS; r++) {
            const bool inside = column < length && gl_LocalInvocationID.y + 8 * r < length;
            p[r][c] = inside ? exp2(p[r][c] * (scale * LOG2_E) - bound) : 0;
            ds[r][c] = p[r][c] * (ds[r][c] - means[column]);
        }
    }
    barrier(); // the values have been read
    SHARE(values, p)
    barrier();
    vec4 sum[ROWS][WIDE];
    CLEAR(sum)
    WEIGHTED(sum, values, up)
    EACH_OUTPUT(block, token, quad, r, c, addTo(qkvAt(token, 2, block.head) + quad, sum[r][c]);)
    barrier(); // the probabilities have been read
    SHARE(values, ds)
    barrier();
    CLEAR(sum)
    WEIGHTED(sum, values, queries)
    EACH_OUTPUT(block, token, quad, r, c, addTo(qkvAt(token, 1, block.head) + quad, scale * sum[r][c]);)
    barrier();
    // Transposed: now a row is of a query, a column of a key.
    for (uint r = 0; r < ROWS; r++) {
        const uint own = gl_LocalInvocationID.y + 8 * r;
        for (uint c = 0; c < COLS; c++) {
            values[(gl_LocalInvocationID.x + 8 * c) * TALL + own / 4][own % 4] = ds[r][c];
        }
    }
    barrier();
    CLEAR(sum)
    WEIGHTED(sum, values, keys)
    EACH_OUTPUT(block, token, quad, r, c, addTo(qkvAt(token, 0, block.head) + quad, scale * sum[r][c]);)
}
