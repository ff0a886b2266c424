#version 450
// z = x y, elementwise.
// z, x, y (n), n a multiple of four.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#include "multiply.glsl"
