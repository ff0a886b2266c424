#version 450
// attention_bwd_q.glsl for four components of a head at a time.
#extension GL_GOOGLE_include_directive : require
#define WIDTH 4
#include "attention_bwd_q.glsl"
