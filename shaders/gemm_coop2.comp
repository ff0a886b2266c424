#version 450
// Matrix product of float16 operands on matrix units, of matrices that a workgroup
// shares; rows are of multiples of eight elements. The equation is in
// gemm_matrices.glsl.
#pragma target vulkan1.3
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define OPERAND float16_t
#define OPERAND_TYPE F16
#include "gemm_coop2.glsl"
