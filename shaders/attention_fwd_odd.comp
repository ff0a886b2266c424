#version 450
// attention_fwd.glsl for heads of any dimension.
#extension GL_GOOGLE_include_directive : require
#define WIDTH 1
#include "attention_fwd.glsl"
