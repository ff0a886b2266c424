#version 450
// The rate of multiply-adds: x = x a + b in chains that depend on nothing else,
// CHAINS of four elements in each invocation, 16 * rounds links each.
// Reads a, b from constants (2) f32, so that no compiler can shorten the chains.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint CHAINS = 8; // 2, 4 or 8
layout(std430, set = 0, binding = 0) readonly buffer C { float constants[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { vec4 y[]; }; // one an invocation
layout(push_constant) uniform Push { uint rounds; };

#define LINK(X) X = fma(X, a, b)
#define LINK2(X, Y) LINK(X); LINK(Y)
#define REPEAT16(F) F; F; F; F; F; F; F; F; F; F; F; F; F; F; F; F

void main() {
    vec4 a = vec4(constants[0]), b = vec4(constants[1]);
    vec4 x0 = vec4(globalIndex()), x1 = x0 + 1, x2 = x0 + 2, x3 = x0 + 3;
    vec4 x4 = x0 + 4, x5 = x0 + 5, x6 = x0 + 6, x7 = x0 + 7;
    if (CHAINS == 2) {
        for (uint i = 0; i < rounds; i++) {
            REPEAT16(LINK2(x0, x1));
        }
    } else if (CHAINS == 4) {
        for (uint i = 0; i < rounds; i++) {
            REPEAT16(LINK2(x0, x1); LINK2(x2, x3));
        }
    } else {
        for (uint i = 0; i < rounds; i++) {
            REPEAT16(LINK2(x0, x1); LINK2(x2, x3); LINK2(x4, x5); LINK2(x6, x7));
        }
    }
    y[globalIndex()] = ((x0 + x1) + (x2 + x3)) + ((x4 + x5) + (x6 + x7));
}
