#version 450
// Batch norm, of rows of any width; the equation is in
// batchnorm_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
#include "batchnorm_fwd.glsl"
