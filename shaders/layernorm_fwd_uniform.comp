#version 450
// Layer norm for llvmpipe, of rows of whole blocks; the equation is in
// layernorm_fwd.glsl. A subgroup has a row.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 x, gamma, beta; float eps; uint count[16]; };
#include "uniform.glsl"
layout(constant_id = 1) const uint WIDTH = 32;
layout(constant_id = 2) const uint ROWS = 1; // of a workgroup
layout(local_size_x_id = 98, local_size_y_id = 2) in;

// The first three are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer X { float unused_x[]; };
layout(std430, set = 0, binding = 1) readonly buffer Gamma { float unused_gamma[]; };
layout(std430, set = 0, binding = 2) readonly buffer Beta { float unused_beta[]; };
BLOCKS_OUT(3, y);
layout(std430, set = 0, binding = 4) writeonly buffer Mean { float mean[]; };
layout(std430, set = 0, binding = 5) writeonly buffer Rstd { float rstd[]; };

void main() {
    const uint row = uniform16(gl_WorkGroupID.x) * ROWS + uniform8(gl_SubgroupID);
    Floats own = move(x, row * WIDTH), scale = move(gamma, 0u), shift = move(beta, 0u);

    vec4 sum = vec4(0);
    [[unroll]] for (uint i = 0u; i < WIDTH; i += BLOCK) {
        sum += RUNS_OF(own, i);
    }
    const float m = sumOfLanes(sum) / float(WIDTH);

    vec4 square = vec4(0);
    [[unroll]] for (uint i = 0u; i < WIDTH; i += BLOCK) {
        const vec4 d = RUNS_OF(own, i) - m;
        square += d * d;
    }
    const float r = 1 / sqrt(sumOfLanes(square) / float(WIDTH) + eps);

    mean[row] = m;
    rstd[row] = r;
    [[unroll]] for (uint i = 0u; i < WIDTH; i += BLOCK) {
        const vec4 v = (BLOCK_OF(own, i) - m) * r * BLOCK_OF(scale, i) + BLOCK_OF(shift, i);
        BLOCK_STORE(y, row * WIDTH + i, v)
    }
}
