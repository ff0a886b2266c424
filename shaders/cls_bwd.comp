#version 450
// Gradient of cls_fwd at the first token of each sequence; that of the others
// is zero, which this does not write.
//   dx[start + s T] = dy[first + s]
// dx (rows, D), dy (sequences, D), f32.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
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
    if (i >= sequences * width) {
        return;
    }
    uint s = i / width;
    uint to = (start + s * length) * width + i - s * width;
    dx[to] = accumulate != 0 ? dx[to] + dy[first * width + i] : dy[first * width + i];
}
