#version 450
// Adds the parts of a split matrix product by texels of four columns; the
// equation is in gemm_reduce.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#define TEXELS
#include "gemm_reduce.glsl"
