#version 450
// attention_bwd_kv.glsl for heads of any dimension.
#extension GL_GOOGLE_include_directive : require
#define WIDTH 1
#include "attention_bwd_kv.glsl"
