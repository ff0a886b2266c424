#version 450
// Attention for llvmpipe, backward of the keys or of the values of a span:
//   dx_j = scale sum_i w_ij y_i
// with y the queries and w the gradients of the scores, or with the outputs'
// gradients and the probabilities, of QUERIES rows for each head; see
// attention_uniform.glsl. The lanes are keys. A workgroup has PART components of a head.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push {
    uvec2 y, w, dqkv_at;
    uint start, key, skip;
    float scale;
    uint count[16];
};
#include "attention_uniform.glsl"
layout(constant_id = 6) const bool ACCUMULATE = false;
layout(constant_id = 7) const bool VALUES = false;
layout(constant_id = 8) const uint QUERIES = 24u;
const uint STRIDE = VALUES ? HEADS * HD : ROW;

// The first two are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer Y { float unused_y[]; };
layout(std430, set = 0, binding = 1) readonly buffer W { float unused_w[]; };
layout(std430, set = 0, binding = 2) buffer DQKV { float unused_dqkv[]; };
QUADS_OUT(2, dqkv);

#define WEIGHT(i) lanesOf(weights, (i) * PADDED)

void main() {
    const uint sequence = uniform16(gl_WorkGroupID.x), head = uniform8(gl_WorkGroupID.y);
    const uint first = start + sequence * LENGTH, component = head * HD + PART * uniform8(gl_WorkGroupID.z);
    const uint block = LANES * uniform8(gl_SubgroupID), lane = gl_SubgroupInvocationID;
    const uint column = (VALUES ? 2u : 1u) * HEADS * HD + component;
    Floats before[16];
    [[unroll]] for (uint i = 0u; i < LANES; ++i) {
        before[i] = move(dqkv_at, (first + key + min(block + i, SPAN - 1u)) * ROW + column);
    }
    Floats rows = move(y, first * STRIDE + component);
    Floats weights = move(w, (sequence * HEADS + head) * QUERIES * PADDED + block);

    vec4 quads[PART / 4u];
    [[unroll]] for (uint d = 0u; d < PART; d += WIDE) {
        float sum[WIDE];
        [[unroll]] for (uint i = 0u; i < WIDE; ++i) {
            sum[i] = 0.0;
        }
        WEIGHTED(sum, WEIGHT, rows, LENGTH, STRIDE, d)
        [[unroll]] for (uint i = 0u; i < WIDE; ++i) {
            sum[i] = scale * sum[i] + (ACCUMULATE ? COLUMN(before, d + i) : 0.0);
        }
        [[unroll]] for (uint i = 0u; i < WIDE; i += 4u) {
            quads[(d + i) / 4u] = vec4(sum[i], sum[i + 1u], sum[i + 2u], sum[i + 3u]);
        }
        CUT(true, QUAD_STORE(dqkv, lane, quads[d / 4u] + quads[d / 4u + 1u]))
    }
    if (block + lane >= skip && block + lane < SPAN) {
        [[unroll]] for (uint d = 0u; d < PART / 4u; ++d) {
            QUAD_STORE(dqkv, ((first + key + block + lane) * ROW + column) / 4u + d, quads[d])
        }
    }
}
