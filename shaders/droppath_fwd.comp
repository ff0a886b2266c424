#version 450
// Residual with drop path, of rows of any width; the equation is in
// droppath_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
#include "droppath_fwd.glsl"
