#version 450
// First pass of the DINO loss, of rows of whole quads, read as texels; the equation is in
// dinoloss_rows.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "dinoloss_rows.glsl"
