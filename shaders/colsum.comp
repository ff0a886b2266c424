#version 450
// Sums of the columns of any matrix; the equation is in colsum.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 1
#include "colsum.glsl"
