#version 450
// Gradient of layer norm with respect to its input for llvmpipe, of rows of whole
// blocks; the equation is in layernorm_bwd.glsl. A subgroup has a row.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 x, gamma, mean, rstd, dy, dx_at; uint count[16]; };
#include "uniform.glsl"
layout(constant_id = 1) const uint WIDTH = 32;
layout(constant_id = 2) const uint ROWS = 1; // of a workgroup
layout(constant_id = 3) const bool ACCUMULATE = false;
layout(local_size_x_id = 98, local_size_y_id = 2) in;

// All are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer X { float unused_x[]; };
layout(std430, set = 0, binding = 1) readonly buffer Gamma { float unused_gamma[]; };
layout(std430, set = 0, binding = 2) readonly buffer Mean { float unused_mean[]; };
layout(std430, set = 0, binding = 3) readonly buffer Rstd { float unused_rstd[]; };
layout(std430, set = 0, binding = 4) readonly buffer Dy { float unused_dy[]; };
layout(std430, set = 0, binding = 5) buffer Dx { float unused_dx[]; };
BLOCKS_OUT(5, dx);

void main() {
    const uint row = uniform16(gl_WorkGroupID.x) * ROWS + uniform8(gl_SubgroupID), first = row * WIDTH;
    Floats own = move(x, first), up = move(dy, first), old = move(dx_at, first), scale = move(gamma, 0u);
    const float m = move(mean, row).at[0], r = move(rstd, row).at[0];

    vec4 a = vec4(0), b = vec4(0);
    [[unroll]] for (uint i = 0u; i < WIDTH; i += BLOCK) {
        const vec4 d = RUNS_OF(up, i) * RUNS_OF(scale, i);
        a += d;
        b += d * (RUNS_OF(own, i) - m);
    }
    const float meanA = sumOfLanes(a) / float(WIDTH), meanB = sumOfLanes(b) * r / float(WIDTH);

    [[unroll]] for (uint i = 0u; i < WIDTH; i += BLOCK) {
        vec4 d = r * (BLOCK_OF(up, i) * BLOCK_OF(scale, i) - meanA - (BLOCK_OF(own, i) - m) * (r * meanB));
        if (ACCUMULATE) {
            d += BLOCK_OF(old, i);
        }
        BLOCK_STORE(dx, first + i, d)
    }
}
