#version 450
// Gradient of rows scaled to a norm, of rows of any width; the equation is in
// rownorm_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
#include "rownorm_bwd.glsl"
