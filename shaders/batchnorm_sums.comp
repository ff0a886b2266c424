#version 450
// First stage of batch norm's backward, of rows of any width; the equation is in
// batchnorm_sums.glsl.
#extension GL_GOOGLE_include_directive : require
#include "batchnorm_sums.glsl"
