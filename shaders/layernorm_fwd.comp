#version 450
// Layer norm, of rows of any width; the equation is in
// layernorm_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
#include "layernorm_fwd.glsl"
