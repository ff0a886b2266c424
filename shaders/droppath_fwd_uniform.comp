#version 450
// Residual with drop path for llvmpipe, of rows of whole blocks; the equation is in
// droppath_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 scale, x, branch; uint first_row, first_scale; uint count[16]; };
#include "droppath_uniform.glsl"

// All but y are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer Scale { float unused_scale[]; };
layout(std430, set = 0, binding = 1) readonly buffer X { float unused_x[]; };
layout(std430, set = 0, binding = 2) readonly buffer Branch { float unused_branch[]; };
BLOCKS_OUT(3, y);

void main() {
    const uint row = uniformRow(), first = row * WIDTH;
    Floats own = move(x, first), add = move(branch, first);
    const float s = factorOf(move(scale, first_scale), row);
    [[unroll]] for (uint i = 0u; i < WIDTH; i += FEW) {
        const vec4 v = FEW_OF(own, i) + s * FEW_OF(add, i);
        FEW_STORE(y, first + i, v)
    }
}
