#version 450
// Weight gradient of a convolution, any number of channels; the
// equation is in conv_dw.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 1
#include "conv_dw.glsl"
