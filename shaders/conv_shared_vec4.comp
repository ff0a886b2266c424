#version 450
// Convolution and its input gradient from shared memory, channels by fours; the
// equation is in conv_matrices.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#include "conv_shared.glsl"
