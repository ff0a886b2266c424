#version 450
// Attention for llvmpipe, forward, of short sequences; see attention_uniform.glsl.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 qkv; uint start; float scale; uint count[16]; };
#include "attention_uniform.glsl"

// The first is read by address; as a binding it says what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer QKV { float unused_qkv[]; };
QUADS_OUT(1, o);
layout(std430, set = 0, binding = 2) writeonly buffer LSE { float lse[]; };

#define WEIGHT(j) p[j]

void main() {
    const uint first = start + uniform16(gl_WorkGroupID.x) * LENGTH, head = uniform8(gl_WorkGroupID.y);
    const uint query = LANES * uniform8(gl_SubgroupID), lane = gl_SubgroupInvocationID;
    Floats queries[16];
    [[unroll]] for (uint i = 0u; i < LANES; ++i) {
        queries[i] = move(qkv, (first + min(query + i, LENGTH - 1u)) * ROW + head * HD);
    }
    Floats keys = move(qkv, first * ROW + (HEADS + head) * HD);
    Floats values = move(qkv, first * ROW + (2u * HEADS + head) * HD);

    float q[HD];
    [[unroll]] for (uint d = 0u; d < HD; ++d) {
        q[d] = COLUMN(queries, d) * (scale * LOG2_E);
        CUT(d % COLUMNS == COLUMNS - 1u, lse[lane] = q[d])
    }
    float p[LENGTH], top = -3.0e38, total = 0.0;
    [[unroll]] for (uint j = 0u; j < LENGTH; j += KEYS) {
        float score[KEYS]; // in powers of two
        [[unroll]] for (uint i = 0u; i < KEYS; ++i) {
            score[i] = 0.0;
        }
        DOTS(score, keys, ROW, q, j)
        [[unroll]] for (uint i = 0u; i < KEYS; ++i) {
            if (j + i < LENGTH) {
                p[j + i] = score[i];
                top = max(top, score[i]);
            }
        }
        CUT(LENGTH * HD > STRAIGHT, lse[lane] = top)
    }
    [[unroll]] for (uint j = 0u; j < LENGTH; ++j) {
        p[j] = exp2(p[j] - top);
        total += p[j];
    }
    const float inverse = 1.0 / total;
    vec4 quads[HD / 4u];
    [[unroll]] for (uint d = 0u; d < HD; d += WIDE) {
        float sum[WIDE];
        [[unroll]] for (uint i = 0u; i < WIDE; ++i) {
            sum[i] = 0.0;
        }
        WEIGHTED(sum, WEIGHT, values, ROW, d)
        [[unroll]] for (uint i = 0u; i < WIDE; i += 4u) {
            quads[(d + i) / 4u] = inverse * vec4(sum[i], sum[i + 1u], sum[i + 2u], sum[i + 3u]);
        }
        CUT(true, QUAD_STORE(o, lane, quads[d / 4u] + quads[d / 4u + 1u]))
    }
    if (query + lane < LENGTH) {
        const uint row = (first + query + lane) * HEADS + head;
        lse[row] = (top + log2(total)) / LOG2_E;
        [[unroll]] for (uint d = 0u; d < HD / 4u; ++d) {
            QUAD_STORE(o, row * (HD / 4u) + d, quads[d])
        }
    }
}
