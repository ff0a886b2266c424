#version 450
// z = x y, elementwise.
// z, x, y (n).
#extension GL_GOOGLE_include_directive : require
#define VEC 1
#include "multiply.glsl"
