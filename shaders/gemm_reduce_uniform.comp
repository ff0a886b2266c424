#version 450
// Adds the parts of a split matrix product for llvmpipe, of whole blocks; the equation
// is in gemm_reduce.glsl, of whose epilogue there is no more than c. A subgroup has a
// block.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 parts, c_at; float alpha; uint count[16]; };
#include "uniform.glsl"
#include "rotated.glsl"
layout(constant_id = 1) const uint SIZE = 32; // m n
layout(constant_id = 2) const uint SLOTS = 1;
layout(constant_id = 3) const uint COLUMNS = 0; // as in gemm_reduce.glsl
layout(constant_id = 4) const bool ACCUMULATE = false;
layout(constant_id = 5) const uint BLOCKS = 1; // of a workgroup
layout(local_size_x_id = 98, local_size_y_id = 5) in;

// Both are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer Parts { float unused_parts[]; };
layout(std430, set = 0, binding = 1) buffer COld { float unused_c[]; };
layout(std430, set = 0, binding = 1) writeonly buffer C { float c[]; };

// placeOf is the place in c of what lies at i in the parts.
uint placeOf(uint i) {
    if (COLUMNS == 0u) {
        return i;
    }
    const uint column = i % COLUMNS, back = COLUMNS == 32u ? 4u : 3u; // more turns make a whole one
    return i - column + rotated(column, COLUMNS, back);
}

#define OLD(lane) old.at[placeOf(8u * i + lane)]

void main() {
    const uint first = BLOCK * (uniform16(gl_WorkGroupID.x) * BLOCKS + uniform8(gl_SubgroupID));
    Floats own = move(parts, first), old = move(c_at, first);

    vec4 sum = vec4(0);
    [[unroll]] for (uint s = 0u; s < SLOTS; ++s) {
        CUT(s > 0u && s % 16u == 0u, c[first] = dot(sum, sum))
        sum += RUNS_OF(own, s * SIZE);
    }
    sum *= alpha;
    [[unroll]] for (uint i = 0u; i < BLOCK / LANES; ++i) {
        if (ACCUMULATE) {
            sum[i] += COLUMNS == 0u ? lanesOf(old, LANES * i) :
                ofLane(OLD(0u), OLD(1u), OLD(2u), OLD(3u), OLD(4u), OLD(5u), OLD(6u), OLD(7u));
        }
        c[first + placeOf(LANES * i + gl_SubgroupInvocationID)] = sum[i];
    }
}
