#version 450
// Lays the right operand of a matrix product out in panels of COLUMNS columns:
//   panels[p, s, c] = op(b)[s, COLUMNS p + c],
// b (k, n), or (n, k) where TRANS_B, f32; op(b) (k, n); k a multiple of 4, n of COLUMNS, 16 or 32.
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
layout(constant_id = 1) const uint COLUMNS = 32;
layout(push_constant) uniform Push { uint k, n; };

void main() {
    const uint quads = COLUMNS / 4u;
    const uint i = globalIndex(), panel = i / (quads * (k / 4u)), row = i / quads % (k / 4u) * 4u;
    const uint column = COLUMNS * panel + 4u * (i % quads);
    if (panel >= n / COLUMNS) {
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
        panels[(panel * k + row + j) * quads + i % quads] = block[j];
    }
}
