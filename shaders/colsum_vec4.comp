#version 450
// Sums of the columns of a matrix whose width is a multiple of four; the
// equation is in colsum.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#include "colsum.glsl"
