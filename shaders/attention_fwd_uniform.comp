#version 450
// Attention for llvmpipe, forward; see attention_uniform.glsl. What spans before this
// one made of o and lse is merged with its own, as by attention_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push {
    uvec2 qkv, o_at, lse_at;
    uint start, key, skip;
    float scale;
    uint count[16];
};
#include "attention_uniform.glsl"

// All are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer QKV { float unused_qkv[]; };
layout(std430, set = 0, binding = 1) buffer O { float unused_o[]; };
QUADS_OUT(1, o);
layout(std430, set = 0, binding = 2) buffer LSE { float lse[]; };

#define WEIGHT(j) p[j]

void main() {
    const uint first = start + uniform16(gl_WorkGroupID.x) * LENGTH, head = uniform8(gl_WorkGroupID.y);
    const uint query = LANES * (BLOCKS * uniform8(gl_WorkGroupID.z) + uniform8(gl_SubgroupID)), lane = gl_SubgroupInvocationID;
    Floats queries[16], outs[16], sums[16];
    [[unroll]] for (uint i = 0u; i < LANES; ++i) {
        const uint token = first + min(query + i, LENGTH - 1u);
        queries[i] = move(qkv, token * ROW + head * HD);
        outs[i] = move(o_at, (token * HEADS + head) * HD);
        sums[i] = move(lse_at, token * HEADS + head);
    }
    Floats keys = move(qkv, (first + key) * ROW + (HEADS + head) * HD);
    Floats values = move(qkv, (first + key) * ROW + (2u * HEADS + head) * HD);

    float q[HD];
    [[unroll]] for (uint d = 0u; d < HD; ++d) {
        q[d] = COLUMN(queries, d) * (scale * LOG2_E);
        CUT(d % COLUMNS == COLUMNS - 1u, lse[lane] = q[d])
    }
    float p[SPAN], top = LOWEST, total = 0.0;
    [[unroll]] for (uint j = 0u; j < SPAN; j += KEYS) {
        float score[KEYS]; // in powers of two
        [[unroll]] for (uint i = 0u; i < KEYS; ++i) {
            score[i] = hidden(j + i);
        }
        DOTS(score, keys, ROW, q, j)
        [[unroll]] for (uint i = 0u; i < KEYS; ++i) {
            if (j + i < SPAN) {
                p[j + i] = score[i];
                top = max(top, score[i]);
            }
        }
        CUT(SPAN * HD > STRAIGHT, lse[lane] = top)
    }
    [[unroll]] for (uint j = 0u; j < SPAN; ++j) {
        p[j] = exp2(p[j] - top);
        total += p[j];
    }
    float inverse = 1.0 / total, keep = 0.0;
    if (SPANS > 1u) { // else what is in o is not read
        const uint mask = uint(-int(min(key, 1u))); // of what other spans made
        const float before = masked(COLUMN(sums, 0u), mask) * LOG2_E + (key == 0u ? LOWEST : 0.0);
        const float high = max(top, before);
        const float rest = exp2(before - high), all = exp2(top - high) * total + rest;
        inverse = exp2(top - high) / all;
        keep = rest / all;
        top = high;
        total = all;
    }
    vec4 quads[HD / 4u];
    [[unroll]] for (uint d = 0u; d < HD; d += WIDE) {
        float sum[WIDE];
        [[unroll]] for (uint i = 0u; i < WIDE; ++i) {
            sum[i] = 0.0;
        }
        WEIGHTED(sum, WEIGHT, values, SPAN, ROW, d)
        [[unroll]] for (uint i = 0u; i < WIDE; ++i) {
            sum[i] = inverse * sum[i];
            if (SPANS > 1u) {
                sum[i] = fma(keep, masked(COLUMN(outs, d + i), uint(-int(min(key, 1u)))), sum[i]);
            }
        }
        [[unroll]] for (uint i = 0u; i < WIDE; i += 4u) {
            quads[(d + i) / 4u] = vec4(sum[i], sum[i + 1u], sum[i + 2u], sum[i + 3u]);
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
