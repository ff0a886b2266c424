#version 450
// Position embedding for a grid of another size; see posembed.glsl.
// pos (1 + side^2, D), y (1 + rows cols, D), f32; row 0 belongs to CLS and
// passes through.
#extension GL_GOOGLE_include_directive : require
#include "posembed.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer Pos { float pos[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push {
    uint side;
    uint rows;
    uint cols;
    uint width; // D
    float row_pitch; // source rows per output row: side / (rows + 0.1)
    float col_pitch;
};

void main() {
    uint i = globalIndex();
    if (i >= (1 + rows * cols) * width) {
        return;
    }
    uint token = i / width;
    uint d = i - token * width;
    if (token == 0) {
        y[i] = pos[i];
        return;
    }
    uint cell = token - 1;
    Taps v = tapsOf(cell / cols, row_pitch);
    Taps h = tapsOf(cell % cols, col_pitch);
    int last = int(side) - 1;
    float sum = 0;
    for (int a = 0; a < 4; a++) {
        uint row = 1 + uint(clamp(v.first + a, 0, last)) * side;
        float line = 0;
        for (int b = 0; b < 4; b++) {
            line += h.weight[b] * pos[(row + uint(clamp(h.first + b, 0, last))) * width + d];
        }
        sum += v.weight[a] * line;
    }
    y[i] = sum;
}
