#version 450
// The rate of products of bfloat16 on matrix units.
#pragma target vulkan1.3
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_bfloat16 : require
#define OPERAND bfloat16_t
#include "bench_matrix.glsl"
