#version 450
// Gradient of posembed_fwd, gathered: each source cell sums over the output
// cells that read it, in their order; see posembed.glsl.
//   dpos[r, c] = sum_i sum_j wv_i(r) wh_j(c) dy[i, j]
// where wv_i(r) is the weight with which output row i reads source row r.
// dy (1 + rows cols, D), dpos (1 + side^2, D), f32.
#extension GL_GOOGLE_include_directive : require
#include "posembed.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, set = 0, binding = 1) buffer DPos { float dpos[]; };
layout(push_constant) uniform Push {
    uint side;
    uint rows;
    uint cols;
    uint width; // D
    float row_pitch; // source rows per output row: side / (rows + 0.1)
    float col_pitch;
    uint begin; // the output rows that this dispatch goes through
    uint end;
    uint accumulate;
};

// weightAt is the weight with which output cell i reads the source cell at.
float weightAt(int cell, uint i, float pitch) {
    Taps taps = tapsOf(i, pitch);
    float sum = 0;
    for (int a = 0; a < 4; a++) {
        sum += clamp(taps.first + a, 0, int(side) - 1) == cell ? taps.weight[a] : 0;
    }
    return sum;
}

// readers bounds the output cells that read a source cell: those within two
// cells of it, and at the border all that lie beyond.
uvec2 readers(int cell, uint n, float pitch) {
    float low = (float(cell) - 1.5) / pitch - 1.5;
    float high = (float(cell) + 2.5) / pitch + 0.5;
    uint begin = cell == 0 ? 0 : uint(clamp(low, 0.0, float(n)));
    uint end = cell == int(side) - 1 ? n : uint(clamp(high + 1, 0.0, float(n)));
    return uvec2(begin, end);
}

void main() {
    uint i = globalIndex();
    if (i >= (1 + side * side) * width) {
        return;
    }
    uint token = i / width;
    uint d = i - token * width;
    float sum = 0;
    if (token == 0) {
        sum = begin == 0 ? dy[i] : 0;
    } else {
        int r = int((token - 1) / side);
        int c = int((token - 1) % side);
        uvec2 down = readers(r, rows, row_pitch);
        uvec2 across = readers(c, cols, col_pitch);
        for (uint a = max(down.x, begin); a < min(down.y, end); a++) {
            float line = 0;
            for (uint b = across.x; b < across.y; b++) {
                line += weightAt(c, b, col_pitch) * dy[(1 + a * cols + b) * width + d];
            }
            sum += weightAt(r, a, row_pitch) * line;
        }
    }
    dpos[i] = accumulate != 0 ? dpos[i] + sum : sum;
}
