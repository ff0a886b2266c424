#version 450
// Matrix product of bfloat16 operands on matrix units, of matrices that a workgroup
// shares; rows are of multiples of eight elements. The equation is in
// gemm_matrices.glsl.
#pragma target vulkan1.3
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_bfloat16 : require
#define OPERAND bfloat16_t
#define OPERAND_TYPE BF16
#include "gemm_coop2.glsl"
