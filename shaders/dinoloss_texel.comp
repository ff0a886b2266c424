#version 450
// Second pass of the DINO loss, of rows of whole quads, read as texels; the equation is in
// dinoloss.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "dinoloss.glsl"
