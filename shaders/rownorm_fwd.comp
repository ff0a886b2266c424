#version 450
// Rows scaled to a norm, of rows of any width; the equation is in
// rownorm_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
#include "rownorm_fwd.glsl"
