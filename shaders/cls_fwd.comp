#version 450
// The first token of each sequence of a run.
//   y[first + s] = x[start + s T]
// x (rows, D), y (sequences of all runs, D), f32.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push {
    uint start; // the run's first row in x
    uint first; // the run's first row in y
    uint sequences;
    uint length; // T
    uint width;  // D
};

void main() {
    uint i = globalIndex();
    if (i >= sequences * width) {
        return;
    }
    uint s = i / width;
    y[first * width + i] = x[(start + s * length) * width + i - s * width];
}
