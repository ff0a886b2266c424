#version 450
// Gradient of the residual's branch for llvmpipe, of rows of whole blocks; the equation
// is in droppath_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
layout(push_constant) uniform Push { uvec2 scale, dy, dbranch_at; uint first_row, first_scale; uint count[16]; };
#include "droppath_uniform.glsl"
layout(constant_id = 7) const bool ACCUMULATE = false;

// All are read by address; as bindings they say what the dispatch reads.
layout(std430, set = 0, binding = 0) readonly buffer Scale { float unused_scale[]; };
layout(std430, set = 0, binding = 1) readonly buffer Dy { float unused_dy[]; };
layout(std430, set = 0, binding = 2) buffer DBranch { float unused_dbranch[]; };
BLOCKS_OUT(2, dbranch);

void main() {
    const uint row = uniformRow(), first = row * WIDTH;
    Floats up = move(dy, first), old = move(dbranch_at, first);
    const float s = factorOf(move(scale, first_scale), row);
    [[unroll]] for (uint i = 0u; i < WIDTH; i += FEW) {
        vec4 d = s * FEW_OF(up, i);
        if (ACCUMULATE) {
            d += FEW_OF(old, i);
        }
        FEW_STORE(dbranch, first + i, d)
    }
}
