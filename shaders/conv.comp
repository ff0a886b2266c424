#version 450
// Convolution and its input gradient, any number of channels; the
// equation is in conv_matrices.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 1
#include "conv.glsl"
