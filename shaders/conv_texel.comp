#version 450
// Convolution and its input gradient, channels by fours, loaded
// as texels; the equation is in conv_matrices.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#define TEXELS
#include "conv.glsl"
