#version 450
// Matrix product of float16 operands on matrix units; rows are of multiples of four
// elements. The equation is in gemm_matrices.glsl.
#pragma target vulkan1.3
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#include "types.glsl"
#define OPERAND float16_t
#define OPERAND_TYPE F16
uvec2 roundOperand(vec4 v) { return uvec2(packFloat2x16(f16vec2(v.xy)), packFloat2x16(f16vec2(v.zw))); }
#include "gemm_coop.glsl"
