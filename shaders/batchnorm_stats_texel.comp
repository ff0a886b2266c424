#version 450
// First stage of a batch's statistics, of rows of whole quads, read as texels; the
// equation is in batchnorm_stats.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "batchnorm_stats.glsl"
