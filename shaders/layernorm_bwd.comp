#version 450
// Gradient of layer norm with respect to its input, of rows of any width; the equation is in
// layernorm_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
#include "layernorm_bwd.glsl"
