#version 450
// Gradient of batch norm, of rows of whole quads, read as texels; the
// equation is in batchnorm_bwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "batchnorm_bwd.glsl"
