#version 450
// Matrix product of bfloat16 operands on matrix units; rows are of multiples of
// four elements. The equation is in gemm_matrices.glsl.
#pragma target vulkan1.3
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_bfloat16 : require
#include "types.glsl"
#define OPERAND bfloat16_t
#define OPERAND_TYPE BF16
uvec2 roundOperand(vec4 v) { return narrow(BF16, v); }
#include "gemm_coop.glsl"
