#version 450
// AdamW and the average, with the banks read as texels; the equations are in
// optim_adamw.glsl.
#extension GL_GOOGLE_include_directive : require
#define TEXELS
#include "optim_adamw.glsl"
