#version 450
// Gradient of the residual's branch, of rows of any width; the equation is in
// droppath_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
#include "droppath_bwd.glsl"
