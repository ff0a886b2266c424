#version 450
// y += x, elementwise.
// y, x (n), n a multiple of four.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#include "add.glsl"
