#version 450
// y += x, elementwise.
// y, x (n) f32.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 256) in;
layout(std430, set = 0, binding = 0) buffer Y { float y[]; };
layout(std430, set = 0, binding = 1) readonly buffer X { float x[]; };
layout(push_constant) uniform Push { uint n; };

void main() {
    uint i = globalIndex();
    if (i < n) {
        y[i] += x[i];
    }
}
