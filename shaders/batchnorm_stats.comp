#version 450
// First stage of a batch's statistics, of rows of any width; the equation is in
// batchnorm_stats.glsl.
#extension GL_GOOGLE_include_directive : require
#include "batchnorm_stats.glsl"
