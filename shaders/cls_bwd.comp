#version 450
// Gradient of cls_fwd: dy at the first token of each sequence, zero elsewhere.
//   dx[start + s T + t] = t == 0 ? dy[first + s] : 0
// Where the gradient accumulates, `touched` is 1 and only the first tokens are
// visited; else it is T. dx (rows, D), dy (sequences, D), f32.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 256) in;
layout(std430, set = 0, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, set = 0, binding = 1) buffer DX { float dx[]; };
layout(push_constant) uniform Push {
    uint start; // the run's first row in dx
    uint first; // the run's first row in dy
    uint sequences;
    uint length; // T
    uint width;  // D
    uint accumulate;
};

void main() {
    uint i = globalIndex();
    uint touched = accumulate != 0 ? 1 : length;
    if (i >= sequences * touched * width) {
        return;
    }
    uint row = i / width;
    uint d = i - row * width;
    uint s = row / touched;
    uint t = row - s * touched;
    float g = t == 0 ? dy[(first + s) * width + d] : 0;
    uint to = (start + s * length + t) * width + d;
    dx[to] = accumulate != 0 ? dx[to] + g : g;
}
