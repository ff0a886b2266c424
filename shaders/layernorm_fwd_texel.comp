#version 450
// Layer norm, of rows of whole quads, read as texels;
// the equation is in layernorm_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "layernorm_fwd.glsl"
