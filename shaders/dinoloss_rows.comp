#version 450
// First pass of the DINO loss, of rows of any width; the equation is in dinoloss_rows.glsl.
#extension GL_GOOGLE_include_directive : require
#include "dinoloss_rows.glsl"
