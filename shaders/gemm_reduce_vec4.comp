#version 450
// Adds the parts of a split matrix product by quads of columns; the
// equation is in gemm_reduce.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#include "gemm_reduce.glsl"
