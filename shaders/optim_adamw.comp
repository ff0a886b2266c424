#version 450
// AdamW and the average; the equations are in optim_adamw.glsl.
#extension GL_GOOGLE_include_directive : require
#include "optim_adamw.glsl"
