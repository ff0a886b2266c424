#version 450
// Residual with drop path, of rows of whole quads, read as texels;
// the equation is in droppath_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "droppath_fwd.glsl"
