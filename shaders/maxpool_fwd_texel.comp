#version 450
// Max pooling, channels by fours, loaded as texels; the
// equation is in maxpool_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#define TEXELS
#include "maxpool_fwd.glsl"
