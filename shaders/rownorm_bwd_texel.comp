#version 450
// Gradient of rows scaled to a norm, of rows of whole quads, read as texels;
// the equation is in rownorm_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "rownorm_bwd.glsl"
