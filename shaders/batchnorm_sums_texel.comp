#version 450
// First stage of batch norm's backward, of rows of whole quads, read as texels; the
// equation is in batchnorm_sums.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "batchnorm_sums.glsl"
