#version 450
// Matrix product of any shape, from shared memory; the equation is in
// gemm_matrices.glsl.
#extension GL_GOOGLE_include_directive : require
#define VEC 1
#include "gemm_shared.glsl"
