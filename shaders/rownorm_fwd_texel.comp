#version 450
// Rows scaled to a norm, of rows of whole quads, read as texels;
// the equation is in rownorm_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "rownorm_fwd.glsl"
