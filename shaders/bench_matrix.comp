#version 450
// The rate of products of float16 on matrix units.
#pragma target vulkan1.3
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define OPERAND float16_t
#include "bench_matrix.glsl"
