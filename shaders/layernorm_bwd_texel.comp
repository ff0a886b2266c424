#version 450
// Gradient of layer norm with respect to its input, of rows of whole quads, read as texels;
// the equation is in layernorm_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "layernorm_bwd.glsl"
