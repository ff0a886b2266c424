#version 450
// Convolution and its input gradient, channels by fours; the
// equation is in conv.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#include "conv.glsl"
