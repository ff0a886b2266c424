#version 450
// Sums of the columns of a matrix whose width is a multiple of four, read as
// texels; the equation is in colsum.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#define TEXELS
#include "colsum.glsl"
