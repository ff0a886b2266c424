#version 450
// y += x, elementwise.
// y, x (n).
#extension GL_GOOGLE_include_directive : require
#define VEC 1
#include "add.glsl"
