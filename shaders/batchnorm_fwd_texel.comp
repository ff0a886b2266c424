#version 450
// Batch norm, of rows of whole quads, read as texels; the
// equation is in batchnorm_fwd.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "batchnorm_fwd.glsl"
