#version 450
// Matrix product of bfloat16 operands on matrix units; rows are of multiples of
// four elements. The equation is in gemm_matrices.glsl.
#pragma target vulkan1.3
#extension GL_GOOGLE_include_directive : require
#include "operand_bf16.glsl"
#include "gemm_coop.glsl"
