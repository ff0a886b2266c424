#version 450
// First of two stages of layer norm's parameter gradients for llvmpipe, of rows of
// whole blocks; the sums are those of layernorm_params.glsl. A subgroup has a block
// of columns and CHUNK rows.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 x, mean, rstd, dy; uint rows; uint count[16]; };
#include "uniform.glsl"
layout(constant_id = 1) const uint WIDTH = 32;
layout(constant_id = 2) const uint BLOCKS = 1; // of a row
layout(constant_id = 3) const uint CHUNK = 1; // rows
layout(constant_id = 4) const bool TAIL = false; // the last chunk has fewer
layout(local_size_x_id = 98, local_size_y_id = 2) in;

// All but sums are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer X { float unused_x[]; };
layout(std430, set = 0, binding = 1) readonly buffer Mean { float unused_mean[]; };
layout(std430, set = 0, binding = 2) readonly buffer Rstd { float unused_rstd[]; };
layout(std430, set = 0, binding = 3) readonly buffer Dy { float unused_dy[]; };
layout(std430, set = 0, binding = 4) writeonly buffer Sums { float sums[]; };

void main() {
    const uint chunk = uniform16(gl_WorkGroupID.x), column = BLOCK * uniform8(gl_SubgroupID);
    // A chunk that would reach beyond the last row is moved back, and adds its own rows.
    const uint begin = CHUNK * chunk, row0 = TAIL ? min(begin, rows - CHUNK) : begin;
    Floats own = move(x, row0 * WIDTH + column), up = move(dy, row0 * WIDTH + column);
    Floats means = move(mean, row0), rstds = move(rstd, row0);

    vec4 dgamma = vec4(0), dbeta = vec4(0);
    const uint at = 2u * chunk * WIDTH + column + gl_SubgroupInvocationID;
    [[unroll]] for (uint i = 0u; i < CHUNK; ++i) {
        CUT(i > 0u && i % 8u == 0u, sums[at] = dot(dgamma, dbeta))
        const vec4 d = RUNS_OF(up, i * WIDTH), e = d * ((RUNS_OF(own, i * WIDTH) - means.at[i]) * rstds.at[i]);
        const bool add = !TAIL || row0 + i >= begin; // a choice of numbers, no branch
        dgamma += add ? e : vec4(0);
        dbeta += add ? d : vec4(0);
    }
    [[unroll]] for (uint i = 0u; i < BLOCK / LANES; ++i) {
        sums[at + LANES * i] = dgamma[i];
        sums[at + WIDTH + LANES * i] = dbeta[i];
    }
}
