#version 450
// Attention for llvmpipe, backward of the queries; the equations are in
// attention_bwd_q.glsl, for the rest see attention_uniform.glsl. The probabilities and
// the gradients of the scores, rows of PADDED for each query, are left for
// attention_bwd_kv_uniform.comp. What is in dqkv is added where keep has all its bits.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push {
    uvec2 qkv, o, lse, dout, dqkv_at;
    uint start, key, skip, keep;
    float scale;
    uint count[16];
};
#include "attention_uniform.glsl"
layout(constant_id = 6) const bool ACCUMULATE = false; // else keep has none

// All but the last two are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer QKV { float unused_qkv[]; };
layout(std430, set = 0, binding = 1) readonly buffer O { float unused_o[]; };
layout(std430, set = 0, binding = 2) readonly buffer LSE { float unused_lse[]; };
layout(std430, set = 0, binding = 3) readonly buffer DOut { float unused_dout[]; };
layout(std430, set = 0, binding = 4) buffer DQKV { float unused_dqkv[]; };
QUADS_OUT(4, dqkv);
QUADS_OUT(5, probs);
QUADS_OUT(6, dscores);

#define WEIGHT(j) ds[j]

void main() {
    const uint sequence = uniform16(gl_WorkGroupID.x), head = uniform8(gl_WorkGroupID.y);
    const uint first = start + sequence * LENGTH;
    const uint block = BLOCKS * uniform8(gl_WorkGroupID.z) + uniform8(gl_SubgroupID);
    const uint query = LANES * block, lane = gl_SubgroupInvocationID;
    Floats queries[16], outs[16], ups[16], bounds[16], before[16];
    [[unroll]] for (uint i = 0u; i < LANES; ++i) {
        const uint token = first + min(query + i, LENGTH - 1u);
        queries[i] = move(qkv, token * ROW + head * HD);
        outs[i] = move(o, (token * HEADS + head) * HD);
        ups[i] = move(dout, (token * HEADS + head) * HD);
        bounds[i] = move(lse, token * HEADS + head);
        before[i] = move(dqkv_at, token * ROW + head * HD);
    }
    Floats keys = move(qkv, (first + key) * ROW + (HEADS + head) * HD);
    Floats values = move(qkv, (first + key) * ROW + (2u * HEADS + head) * HD);

    float q[HD], g[HD], mean = 0.0; // mean is delta
    [[unroll]] for (uint d = 0u; d < HD; ++d) {
        q[d] = COLUMN(queries, d) * (scale * LOG2_E);
        g[d] = COLUMN(ups, d);
        mean = fma(g[d], COLUMN(outs, d), mean);
        CUT(d % COLUMNS == COLUMNS - 1u, QUAD_STORE(dscores, lane, vec4(q[d], mean, mean, mean)))
    }
    const float bound = COLUMN(bounds, 0u) * LOG2_E;
    float p[PADDED], ds[PADDED];
    [[unroll]] for (uint j = 0u; j < PADDED; ++j) {
        p[j] = ds[j] = 0.0;
    }
    [[unroll]] for (uint j = 0u; j < SPAN; j += KEYS) {
        float score[KEYS], dp[KEYS];
        [[unroll]] for (uint i = 0u; i < KEYS; ++i) {
            score[i] = hidden(j + i) - bound;
            dp[i] = -mean;
        }
        DOTS(score, keys, ROW, q, j)
        DOTS(dp, values, ROW, g, j)
        [[unroll]] for (uint i = 0u; i < KEYS; ++i) {
            if (j + i < SPAN) {
                p[j + i] = exp2(score[i]);
                ds[j + i] = p[j + i] * dp[i];
            }
        }
        CUT(true, QUAD_STORE(dscores, lane, vec4(p[j], p[j + 1u], ds[j], ds[j + 1u])))
    }
    vec4 quads[HD / 4u];
    [[unroll]] for (uint d = 0u; d < HD; d += WIDE) {
        float sum[WIDE];
        [[unroll]] for (uint i = 0u; i < WIDE; ++i) {
            sum[i] = 0.0;
        }
        WEIGHTED(sum, WEIGHT, keys, SPAN, ROW, d)
        [[unroll]] for (uint i = 0u; i < WIDE; ++i) {
            sum[i] = scale * sum[i] + (ACCUMULATE ? masked(COLUMN(before, d + i), keep) : 0.0);
        }
        [[unroll]] for (uint i = 0u; i < WIDE; i += 4u) {
            quads[(d + i) / 4u] = vec4(sum[i], sum[i + 1u], sum[i + 2u], sum[i + 3u]);
        }
        CUT(true, QUAD_STORE(dqkv, lane, quads[d / 4u] + quads[d / 4u + 1u]))
    }
    const uint at = ((sequence * HEADS + head) * (BLOCKS * gl_NumWorkGroups.z * LANES) + query + lane) * (PADDED / 4u);
    [[unroll]] for (uint j = 0u; j < PADDED; j += 4u) {
        QUAD_STORE(probs, at + j / 4u, vec4(p[j], p[j + 1u], p[j + 2u], p[j + 3u]))
        QUAD_STORE(dscores, at + j / 4u, vec4(ds[j], ds[j + 1u], ds[j + 2u], ds[j + 3u]))
    }
    if (query + lane < LENGTH) {
        [[unroll]] for (uint d = 0u; d < HD / 4u; ++d) {
            QUAD_STORE(dqkv, ((first + query + lane) * ROW + head * HD) / 4u + d, quads[d])
        }
    }
}
