#version 450
// Adds the parts of a split matrix product; the equation is in gemm_reduce.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 1
#include "gemm_reduce.glsl"
