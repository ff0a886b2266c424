#version 450
// Gradient of max pooling, channels by fours, loaded as texels; the
// equation is in maxpool_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#define TEXELS
#include "maxpool_bwd.glsl"
