#version 450
// y = x, elementwise: the rate of reading and writing memory.
// y, x (n) f32, n a multiple of 4.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(std430, set = 0, binding = 0) readonly buffer X { vec4 x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { vec4 y[]; };
layout(push_constant) uniform Push { uint quads; };

void main() {
    uint i = globalIndex();
    if (i < quads) {
        y[i] = x[i];
    }
}
