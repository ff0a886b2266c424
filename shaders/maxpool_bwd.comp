#version 450
// Gradient of max pooling, any number of channels; the equation is in
// maxpool_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 1
#include "maxpool_bwd.glsl"
