#version 450
// attention_bwd_q.glsl for heads of any dimension.
#extension GL_GOOGLE_include_directive : require
#define WIDTH 1
#include "attention_bwd_q.glsl"
