#version 450
// Lays the right operand of a matrix product out in panels of 32 columns:
//   panels[p, s, c] = op(b)[s, 32 p + c],
// b (k, n), or (n, k) where TRANS_B, f32; op(b) (k, n); k a multiple of 4, n of 32.
// An invocation copies 4 x 4 elements.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#define TEXELS
#include "common.glsl"
#include "stored.glsl"

layout(local_size_x = 64) in;
INPUT(0, b);
layout(std430, set = 0, binding = 1) writeonly buffer Panels { vec4 panels[]; };
layout(constant_id = 0) const bool TRANS_B = false;
layout(push_constant) uniform Push { uint k, n; };

void main() {
    const uint i = globalIndex(), panel = i / (2u * k), row = i / 8u % (k / 4u) * 4u;
    const uint column = 32u * panel + 4u * (i % 8u);
    if (panel >= n / 32u) {
        return;
    }
    mat4 block;
    for (uint j = 0u; j < 4u; ++j) {
        block[j] = FETCH(b, (TRANS_B ? (column + j) * k + row : (row + j) * n + column) / 4u);
    }
    if (TRANS_B) {
        block = transpose(block);
    }
    for (uint j = 0u; j < 4u; ++j) {
        panels[(panel * k + row + j) * 8u + i % 8u] = block[j];
    }
}
