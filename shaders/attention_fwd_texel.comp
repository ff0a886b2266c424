#version 450
// attention_fwd.glsl for heads of a multiple of 4, loaded as texels.
#extension GL_GOOGLE_include_directive : require
#define WIDTH 4
#define TEXELS
#include "attention_fwd.glsl"
