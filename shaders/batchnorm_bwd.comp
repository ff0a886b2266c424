#version 450
// Gradient of batch norm, of rows of any width; the equation is in
// batchnorm_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
#include "batchnorm_bwd.glsl"
