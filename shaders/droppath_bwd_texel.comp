#version 450
// Gradient of the residual's branch, of rows of whole quads, read as texels;
// the equation is in droppath_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "droppath_bwd.glsl"
