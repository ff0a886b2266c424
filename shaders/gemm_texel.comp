#version 450
// Matrix product with rows of multiples of four elements, loaded as texels; the
// equation is in gemm_matrices.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#define TEXELS
#include "gemm.glsl"
