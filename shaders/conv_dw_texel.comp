#version 450
// Weight gradient of a convolution, channels by fours, loaded
// as texels; the equation is in conv_dw.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#define TEXELS
#include "conv_dw.glsl"
