#version 450
// z = x y, elementwise; z may be x or y. x, y, z (n) f32.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 256) in;
layout(std430, set = 0, binding = 0) writeonly buffer Z { float z[]; };
layout(std430, set = 0, binding = 1) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 2) readonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint n; };

void main() {
    const uint i = globalIndex();
    if (i < n) {
        z[i] = x[i] * y[i];
    }
}
