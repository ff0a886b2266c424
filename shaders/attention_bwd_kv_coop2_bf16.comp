#version 450
// Attention, backward of the keys and values, of bfloat16 operands on matrix
// units that convert their sums; see attention_bwd_kv_coop.glsl.
#pragma target vulkan1.3
#extension GL_GOOGLE_include_directive : require
#define CONVERTS
#include "operand_bf16.glsl"
#include "attention_bwd_kv_coop.glsl"
