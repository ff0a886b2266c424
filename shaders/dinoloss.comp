#version 450
// Second pass of the DINO loss, of rows of any width; the equation is in dinoloss.glsl.
#extension GL_GOOGLE_include_directive : require
#include "dinoloss.glsl"
