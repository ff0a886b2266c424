#version 450
// First of two stages of layer norm's parameter gradients, of rows of whole quads, read as texels;
// the equation is in layernorm_params.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "layernorm_params.glsl"
