#version 450
// Matrix product with rows of multiples of four elements; the equation is in
// gemm_matrices.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 4
#include "gemm.glsl"
