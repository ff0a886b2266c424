#version 450
// Max pooling, any number of channels; the equation is in
// maxpool_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 1
#include "maxpool_fwd.glsl"
