#version 450
// attention_bwd_kv.glsl for heads of a multiple of 4.
#extension GL_GOOGLE_include_directive : require
#define WIDTH 4
#include "attention_bwd_kv.glsl"
