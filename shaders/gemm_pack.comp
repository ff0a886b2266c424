#version 450
// Lays the right operand of a matrix product out in panels of COLUMNS columns:
//   panels[p, s, c] = op(b)[s, COLUMNS p + column(s, c)],
// column being what gemm_lanes.comp stores from position c of row s, after handing it on
// as often as there are chunks of STEPS rows behind, of CHUNKS; b (k, n), or (n, k)
// where TRANS_B, f32; op(b) (k, n); k a multiple of 4, n of COLUMNS, 16 or 32.
// An invocation copies 4 x 4 elements.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#define TEXELS
#include "common.glsl"
#include "stored.glsl"
#include "rotated.glsl"

layout(local_size_x = 64) in;
INPUT(0, b);
layout(std430, set = 0, binding = 1) writeonly buffer Panels { vec4 panels[]; };
layout(constant_id = 0) const bool TRANS_B = false;
layout(constant_id = 1) const uint COLUMNS = 32;
layout(constant_id = 2) const uint STEPS = 16;
layout(constant_id = 3) const uint CHUNKS = 1;
layout(constant_id = 4) const bool ROTATED = true;
layout(push_constant) uniform Push { uint k, n; };

void main() {
    const uint quads = COLUMNS / 4u;
    const uint i = globalIndex(), panel = i / (quads * (k / 4u)), row = i / quads % (k / 4u) * 4u;
    if (panel >= n / COLUMNS) {
        return;
    }
    mat4 block;
    for (uint l = 0u; l < 4u; ++l) {
        const uint column = COLUMNS * panel + rotated(4u * (i % quads) + l, COLUMNS, ROTATED ? CHUNKS - row / STEPS % CHUNKS : 0u);
        if (TRANS_B) {
            block[l] = FETCH(b, (column * k + row) / 4u);
        } else {
            for (uint j = 0u; j < 4u; ++j) {
                block[j][l] = FETCH(b, ((row + j) * n + column) / 4u)[column % 4u];
            }
        }
    }
    if (TRANS_B) {
        block = transpose(block);
    }
    for (uint j = 0u; j < 4u; ++j) {
        panels[(panel * k + row + j) * quads + i % quads] = block[j];
    }
}
