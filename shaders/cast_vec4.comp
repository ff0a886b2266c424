#version 450
// y = x, elementwise, in another type (types.glsl).
// y, x (n), n a multiple of four.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#include "common.glsl"
#include "stored.glsl"

layout(local_size_x = 256) in;
OUTPUT(0, y);
INPUT(1, x);
layout(push_constant) uniform Push { uint n; };

void main() {
    const uint i = globalIndex();
    if (i < n / VEC) {
        STORE(y, i, FETCH(x, i))
    }
}
