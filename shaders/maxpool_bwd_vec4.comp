#version 450
// Gradient of max pooling, channels by fours; the equation is in
// maxpool_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#include "maxpool_bwd.glsl"
